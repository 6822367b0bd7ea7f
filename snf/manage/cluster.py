"""``snf-manage cluster``: the Ganeti clusters."""

from pathlib import Path

import click

from snf.core.catalog import Cluster
from snf.core.errors import BadRequest
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.rapi.endpoint import Endpoint, Tls
from snf.storage import clusters


@click.group()
def cluster() -> None:
    """The Ganeti clusters."""


@cluster.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List them."""
    show(
        ("id", "name", "url", "drained", "offline", "unreachable since"),
        [
            (
                one.id,
                one.name,
                one.url,
                one.drained,
                one.offline,
                one.unreachable_since,
            )
            for one in session.run(clusters.listing)
        ],
        json,
    )


@cluster.command()
@click.argument("name")
@click.argument("url")
@click.option("--user", required=True, help="The user of the remote API.")
@click.option(
    "--password-file",
    required=True,
    type=click.Path(path_type=Path, resolve_path=True),
    help="The file that holds the user's password.",
)
@click.option(
    "--tls",
    type=click.Choice([mode.value for mode in Tls]),
    default=Tls.VERIFY.value,
    show_default=True,
    help="How the certificate is checked.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, resolve_path=True),
    help="The CA's certificate, or the pinned one.",
)
@click.option("--disk-template", "disk_templates", multiple=True, help="Repeatable.")
@click.option("--mac-prefix", default="aa:00:00", show_default=True)
@click.pass_obj
def add(
    session: Session,
    name: str,
    url: str,
    user: str,
    password_file: Path,
    tls: str,
    ca_file: Path | None,
    disk_templates: tuple[str, ...],
    mac_prefix: str,
) -> None:
    """Add the cluster that calls itself NAME and has its remote API at URL."""
    try:
        Endpoint(name, url, user, "", Tls(tls), ca_file)
    except ValueError as failure:
        raise BadRequest(str(failure)) from None
    number = session.run(
        clusters.add,
        Cluster(
            id=0,
            name=name,
            url=url,
            username=user,
            password_file=str(password_file),
            tls=tls,
            ca_file=None if ca_file is None else str(ca_file),
            disk_templates=disk_templates,
            mac_prefix=mac_prefix,
        ),
    )
    click.echo(f"cluster {name} has the id {number}")
