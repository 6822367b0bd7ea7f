"""``snf-manage network``: what servers are connected to."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from uuid import UUID, uuid4

import click

from snf.core.address import IPAddress
from snf.core.errors import BadRequest, Conflict
from snf.core.network import Network
from snf.core.subnet import Pool, Subnet
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import lists, networks, subnets
from snf.storage.database import Transaction

_AT_MOST = 10_000


@click.group()
def network() -> None:
    """What servers are connected to."""


@network.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List those that every project may use."""
    show(
        ("id", "name", "mode", "link", "default"),
        [
            (one.id, one.name, one.mode, one.link, one.is_default)
            for one in session.run(
                lists.listing, networks.NETWORKS, lists.Wanted(), _AT_MOST
            )
        ],
        json,
    )


@network.command()
@click.argument("name")
@click.option("--mode", default="bridged", show_default=True, help="Ganeti's NIC mode.")
@click.option("--link", required=True, help="Ganeti's NIC link: a bridge, say.")
@click.option("--cidr", required=True, help="The addresses of its subnet.")
@click.option("--pool", required=True, help="Those that servers get: FIRST-LAST.")
@click.option("--gateway", help="The router's address.")
@click.option("--default", "is_default", is_flag=True, help="Servers get it unasked.")
@click.pass_obj
def create(
    session: Session,
    name: str,
    mode: str,
    link: str,
    cidr: str,
    pool: str,
    gateway: str | None,
    is_default: bool,
) -> None:
    """Offer the network NAME, which is there on the nodes already, to all projects."""
    now = datetime.now(UTC)
    made = Network(
        id=uuid4(),
        name=name,
        mode=mode,
        link=link,
        created=now,
        updated=now,
        shared=True,
        is_default=is_default,
    )
    subnet = _subnet(made.id, name, cidr, pool, gateway, now)

    def add(txn: Transaction) -> None:
        if networks.named(txn, name) is not None:
            raise Conflict(f"there is a network named {name!r} already")
        networks.add(txn, made)
        subnets.add(txn, subnet)

    session.run(add)
    click.echo(f"network {name} has the id {made.id}")


def _subnet(
    network_id: UUID,
    name: str,
    cidr: str,
    pool: str,
    gateway: str | None,
    now: datetime,
) -> Subnet:
    """
    Return the subnet that the options describe.

    :raises BadRequest: An address is none, or is not in the subnet.
    """
    try:
        whole = ip_network(cidr)
    except ValueError as failure:
        raise BadRequest(f"--cidr: {failure}") from None
    first, _, last = pool.partition("-")
    ends = [_inside("--pool", text, cidr) for text in (first, last)]
    if ends[0] > ends[1]:  # type: ignore[operator]
        raise BadRequest("--pool: must be FIRST-LAST")
    return Subnet(
        id=uuid4(),
        network=network_id,
        cidr=str(whole),
        pools=(Pool(*ends),),
        created=now,
        name=name,
        gateway=None if gateway is None else _inside("--gateway", gateway, cidr),
        dhcp=False,
    )


def _inside(option: str, text: str, cidr: str) -> IPAddress:
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise BadRequest(f"{option}: {text!r} is not an address") from None
    if address not in ip_network(cidr):
        raise BadRequest(f"{option}: {address} is not in {cidr}")
    return address
