"""``snf-manage cluster``: the Ganeti clusters."""

from pathlib import Path

import click

from snf.core.catalog import Cluster
from snf.core.errors import BadRequest
from snf.core.placement import Capacity
from snf.manage import names
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.rapi.endpoint import Endpoint, Tls
from snf.storage import capacities, clusters
from snf.storage.database import Transaction


@click.group()
def cluster() -> None:
    """The Ganeti clusters."""


@cluster.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List them, with what they had room for when they were last measured."""
    known = session.run(clusters.listing)
    kept = session.run(clusters.kept_for)
    measured = session.run(capacities.get)
    show(
        (
            *("id", "name", "url", "drained", "offline", "unreachable since"),
            *("kept for", "ram free MiB", "disk free MiB", "instances"),
        ),
        [
            (
                one.id,
                one.name,
                one.url,
                one.drained,
                one.offline,
                one.unreachable_since,
                kept.get(one.id, []),
                *_room(measured.get(one.id)),
            )
            for one in known
        ],
        json,
    )


def _room(measured: Capacity | None) -> tuple[int | None, ...]:
    if measured is None:
        return (None, None, None)
    return (measured.ram_free_mib, measured.disk_free_mib, measured.instances)


@cluster.command("set")
@click.argument("name")
@click.option("--drained/--no-drained", default=None, help="Takes no new servers.")
@click.option("--offline/--no-offline", default=None, help="Is not called at all.")
@click.option(
    "--project", "projects", multiple=True, help="Keep it for this one.  Repeatable."
)
@click.option("--all-projects", is_flag=True, help="Keep it for nobody.")
@click.pass_obj
def set_(
    session: Session,
    name: str,
    drained: bool | None,
    offline: bool | None,
    projects: tuple[str, ...],
    all_projects: bool,
) -> None:
    """Say what the cluster NAME is used for; what is not named stays as it is."""
    if projects and all_projects:
        raise BadRequest("--project and --all-projects are not both possible")

    def store(txn: Transaction) -> None:
        found = clusters.named(txn, name)
        clusters.set_use(txn, found.id, drained, offline)
        if projects or all_projects:
            clusters.keep_for(
                txn, found.id, [names.project(txn, one).id for one in projects]
            )

    session.run(store)
    click.echo(f"cluster {name} is set")


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
