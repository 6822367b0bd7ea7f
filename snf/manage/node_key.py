"""``snf-manage node-key``: the key that nodes are given."""

import click

from snf.config import ConfigError, secret
from snf.core.node_keys import SHORTEST, NodeKeys, written
from snf.manage.session import Session


@click.command("node-key")
@click.pass_obj
def node_key(session: Session) -> None:
    """Print the key of snf-noded, for /etc/cyclades/node-key on all nodes.

    It follows from the file of [nodes] key_file; nothing of that can be had from it.
    """
    path = session.settings.nodes.key_file
    if path is None:
        raise ConfigError("nodes: key_file: is missing")
    key = secret(path)
    if len(key) < SHORTEST:
        raise ConfigError(f"{path}: must have {SHORTEST} characters at least")
    click.echo(written(NodeKeys.of(key)))
