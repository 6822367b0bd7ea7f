"""What is in the files that the configuration names, read before anything starts."""

from pathlib import Path

from attrs import field, frozen

from snf.config import ConfigError, Cyclades, secret
from snf.core.node_keys import SHORTEST, NodeKeys
from snf.tap.console import ConsoleSecrets, check_places, read_console


@frozen
class Secrets:
    """The passwords, and the keys of graphs, nodes and consoles; None where there is none."""

    database: str | None = field(default=None, repr=False)
    keystone: str | None = field(default=None, repr=False)
    stats: str | None = field(default=None, repr=False)
    nodes: NodeKeys | None = field(default=None, repr=False)
    console: ConsoleSecrets = field(factory=ConsoleSecrets)


def read_secrets(settings: Cyclades) -> Secrets:
    """
    Return what the files hold.

    :raises ConfigError: One cannot be read, is empty, or is too short for a key; or
        there is no place for a socket.
    """
    stats = settings.stats
    if "vncauthproxy" in settings.services.run:
        check_places(settings.console)
    return Secrets(
        database=_held(settings.database.password_file),
        keystone=_held(settings.keystone.password_file),
        stats=_held(stats.secret_file) if stats.url else None,
        nodes=_keys(settings.nodes.key_file),
        console=read_console(settings.console),
    )


def _held(path: Path | None) -> str | None:
    return None if path is None else secret(path)


def _keys(path: Path | None) -> NodeKeys | None:
    if path is None:
        return None
    key = secret(path)
    if len(key) < SHORTEST:
        raise ConfigError(f"{path}: must have {SHORTEST} characters at least")
    return NodeKeys.of(key)
