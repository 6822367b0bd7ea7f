"""``snf-manage flavor``: the sizes of servers."""

from uuid import uuid4

import click

from snf.core.catalog import Flavor
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import flavors

_AT_MOST = 10_000


@click.group()
def flavor() -> None:
    """The sizes of servers."""


@flavor.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List those that can be used."""
    show(
        ("id", "name", "vcpus", "ram MiB", "disk GiB", "disk template"),
        [
            (one.id, one.name, one.vcpus, one.ram_mib, one.disk_gib, one.disk_template)
            for one in session.run(flavors.listing, flavors.Wanted(), _AT_MOST)
        ],
        json,
    )


@flavor.command()
@click.argument("name")
@click.option("--vcpus", required=True, type=click.IntRange(1, 1024))
@click.option("--ram", required=True, type=click.IntRange(1, 2**24), help="In MiB.")
@click.option("--disk", required=True, type=click.IntRange(0, 2**20), help="In GiB.")
@click.option("--disk-template", required=True, help="Ganeti's: drbd, plain, file ...")
@click.pass_obj
def create(
    session: Session, name: str, vcpus: int, ram: int, disk: int, disk_template: str
) -> None:
    """Make the flavor NAME; a disk of 0 GiB is none."""
    made = Flavor(uuid4(), name, vcpus, ram, disk, disk_template)
    session.run(flavors.add, made)
    click.echo(f"flavor {name} has the id {made.id}")
