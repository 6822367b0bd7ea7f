"""``snf-manage image``: what servers are made from."""

from datetime import UTC, datetime
from uuid import uuid4

import click

from snf.core.catalog import Image
from snf.core.errors import BadRequest
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import images

_AT_MOST = 10_000


@click.group()
def image() -> None:
    """What servers are made from."""


@image.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List the public ones."""
    show(
        ("id", "name", "status", "os", "hypervisor"),
        [
            (one.id, one.name, one.status, one.os, one.hypervisor)
            for one in session.run(images.listing, None, images.Wanted(), _AT_MOST)
        ],
        json,
    )


@image.command()
@click.argument("name")
@click.option("--os", required=True, help="Ganeti's OS definition and its variant.")
@click.option("--os-parameter", "os_parameters", multiple=True, help="KEY=VALUE")
@click.option("--hypervisor", help="By default, the cluster's.")
@click.option("--min-disk", default=0, type=click.IntRange(0), help="In GiB.")
@click.option("--min-ram", default=0, type=click.IntRange(0), help="In MiB.")
@click.option("--property", "properties", multiple=True, help="KEY=VALUE, for users.")
@click.pass_obj
def register(
    session: Session,
    name: str,
    os: str,
    os_parameters: tuple[str, ...],
    hypervisor: str | None,
    min_disk: int,
    min_ram: int,
    properties: tuple[str, ...],
) -> None:
    """Offer what one of Ganeti's OS definitions installs as the image NAME."""
    now = datetime.now(UTC)
    made = Image(
        id=uuid4(),
        name=name,
        os=os,
        created=now,
        updated=now,
        min_disk_gib=min_disk,
        min_ram_mib=min_ram,
        properties=_pairs("property", properties),
        os_parameters=_pairs("os-parameter", os_parameters),
        hypervisor=hypervisor,
    )
    session.run(images.add, made)
    click.echo(f"image {name} has the id {made.id}")


def _pairs(option: str, words: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise BadRequest(f"--{option}: must be KEY=VALUE, not {word!r}")
        pairs[key] = value
    return pairs
