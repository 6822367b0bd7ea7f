"""``snf-manage``: the operator's command, a group a noun."""

import sys
from pathlib import Path

import click
import psycopg2

from snf.config import ConfigError, Demo, load
from snf.core.errors import SnfError
from snf.manage.address import address
from snf.manage.cluster import cluster
from snf.manage.flavor import flavor
from snf.manage.image import image
from snf.manage.network import network
from snf.manage.node_key import node_key
from snf.manage.order import order
from snf.manage.project import project
from snf.manage.quota import quota
from snf.manage.reconcile import reconcile
from snf.manage.role import role
from snf.manage.server import server
from snf.manage.session import Session
from snf.manage.user import user
from snf.rapi.errors import RapiError
from snf.storage.migrate import WrongSchema
from snf.storage.migrate import migrate as migrate_schema


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    default=Path("/etc/cyclades/cyclades.toml"),
    show_default=True,
    help="The configuration file.",
)
@click.pass_context
def snf_manage(context: click.Context, config: Path) -> None:
    """Look after a Cyclades cloud."""
    # The demo's file is one of Cyclades with a table more.
    context.obj = Session(load(config, Demo))


@snf_manage.command()
@click.pass_obj
def migrate(session: Session) -> None:
    """Bring the database's schema up to date."""
    applied = session.run(migrate_schema)
    if applied:
        click.echo(f"applied: {', '.join(map(str, applied))}")
    else:
        click.echo("the schema is up to date")


for noun in (
    address,
    cluster,
    flavor,
    image,
    network,
    node_key,
    order,
    project,
    quota,
    reconcile,
    role,
    server,
    user,
):
    snf_manage.add_command(noun)


def main() -> None:
    """Run the command; a refusal is one line on the standard error."""
    try:
        snf_manage()
    except (ConfigError, SnfError, WrongSchema, RapiError) as refusal:
        click.echo(f"snf-manage: {refusal}", err=True)
        sys.exit(1)
    except psycopg2.OperationalError as failure:
        first = (str(failure).splitlines() or ["it does not answer"])[0]
        click.echo(f"snf-manage: the database cannot be used: {first}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
