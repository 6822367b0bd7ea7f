"""``snf-manage address``: who has an address, and who had it."""

from datetime import UTC, datetime
from ipaddress import ip_address

import click

from snf.core.errors import BadRequest
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import address_history
from snf.storage.address_history import Holding

_TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")


@click.group()
def address() -> None:
    """The addresses of ports, and floating IPs."""


@address.command()
@click.argument("address")
@click.option("--at", type=click.DateTime(_TIMES), help="Only who had it then, in UTC.")
@click.option("--limit", default=100, show_default=True)
@as_json
@click.pass_obj
def history(
    session: Session, address: str, at: datetime | None, limit: int, json: bool
) -> None:
    """Tell who had ADDRESS from when to when, the latest first."""
    moment = None if at is None else at.replace(tzinfo=UTC)
    try:
        known = ip_address(address)
    except ValueError:
        raise BadRequest(f"{address!r} is not an address") from None
    found = session.run(address_history.of, known, moment, limit)
    show(
        (
            *("address", "since", "until", "project", "user", "server"),
            *("port", "floating ip", "network"),
        ),
        [_row(one) for one in found],
        json,
    )


def _row(one: Holding) -> tuple[object, ...]:
    return (
        *(one.address, one.since, one.until, one.project, one.user, one.server),
        *(one.port, one.floating_ip, one.network),
    )
