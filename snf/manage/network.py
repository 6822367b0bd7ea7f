"""``snf-manage network``: what servers are connected to."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID, uuid4

import click
from attrs import asdict

from snf.core.address import IPAddress
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.core.network import Kind, Network, Plan
from snf.core.quota import Resource
from snf.core.subnet import (
    IPNetwork,
    Pool,
    Subnet,
    check_gateway,
    network_of,
    pools_of,
    usual_pools,
)
from snf.manage.session import Session
from snf.manage.table import as_json, show
from snf.storage import addresses, lists, networks, quotas, subnets
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS

_AT_MOST = 10_000


@click.group()
def network() -> None:
    """What servers are connected to."""


@network.command("list")
@as_json
@click.pass_obj
def listing(session: Session, json: bool) -> None:
    """List all, with the addresses that they have left."""

    def read(txn: Transaction) -> tuple[list[Network], Any]:
        found = lists.listing(txn, NETWORKS, lists.Wanted(), _AT_MOST)
        return found, addresses.free(txn)

    found, free = session.run(read)
    show(
        (
            *("id", "name", "kind", "mode", "link", "segment", "project"),
            *("free", "default", "drained"),
        ),
        [
            (
                *(one.id, one.name, one.kind.value, one.mode, one.link, one.segment),
                *(one.project, free.get(one.id), one.is_default, one.drained),
            )
            for one in found
        ],
        json,
    )


def _described(command: Callable) -> Callable:
    """Have a command take what describes a subnet."""
    for option in reversed(
        (
            click.option("--cidr", help="The addresses of its subnet."),
            click.option(
                "--pool", "pools", multiple=True, help="Those servers get: FIRST-LAST."
            ),
            click.option("--gateway", help="The router's address."),
            click.option("--dhcp/--no-dhcp", default=False, help="Whether nodes tell."),
            click.option("--dns", multiple=True, help="The address of a name server."),
        )
    ):
        command = option(command)
    return command


@network.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    default=Kind.CUSTOM.value,
    show_default=True,
    help="What it is made of on the nodes.",
)
@click.option("--mode", help="Ganeti's NIC mode, of a CUSTOM one: bridged.")
@click.option("--link", help="Ganeti's NIC link, of a CUSTOM one: a bridge, say.")
@click.option("--segment", type=int, help="Its number; else the lowest free one.")
@click.option("--mtu", type=click.IntRange(68, 9216), help="In octets.")
@click.option("--external", is_flag=True, help="It leads outside.")
@click.option("--default", "is_default", is_flag=True, help="Servers get it unasked.")
@_described
@click.pass_obj
def create(
    session: Session,
    name: str,
    kind: str,
    mode: str | None,
    link: str | None,
    segment: int | None,
    mtu: int | None,
    external: bool,
    is_default: bool,
    **described: Any,
) -> None:
    """Offer the network NAME to all projects."""
    plan = Plan.of(asdict(session.settings.network))
    now = datetime.now(UTC)
    made = Network(
        id=uuid4(),
        name=name,
        mode=mode or "bridged",
        link=link or "",
        created=now,
        updated=now,
        shared=True,
        external=external,
        is_default=is_default,
        kind=Kind(kind),
        mtu=mtu or 0,
    )
    _check_link(made, mode, link)
    subnet = _subnet(made.id, name, now, **described) if described["cidr"] else None

    def add(txn: Transaction) -> None:
        if networks.named(txn, name) is not None:
            raise Conflict(f"there is a network named {name!r} already")
        if made.kind is Kind.CUSTOM:
            networks.add(txn, networks.as_given(made, plan))
        else:
            networks.add(txn, networks.wired(txn, made, plan, segment))
        if subnet is not None:
            subnets.add(txn, subnet)

    session.run(add)
    click.echo(f"network {name} has the id {made.id}")


@network.command("subnet-add")
@click.argument("name")
@_described
@click.pass_obj
def subnet_add(session: Session, name: str, **described: Any) -> None:
    """Give the network NAME (or id) a subnet: one of IPv4, one of IPv6."""
    if not described["cidr"]:
        raise BadRequest("--cidr: is needed")

    def add(txn: Transaction) -> Subnet:
        found = _find(txn, name)
        if networks.left(txn, [found.id]):
            raise Conflict(f"{name} has ports: its subnets cannot change any more")
        subnet = _subnet(found.id, found.name, datetime.now(UTC), **described)
        subnets.add(txn, subnet)
        return subnet

    click.echo(f"subnet of {name} has the id {session.run(add).id}")


@network.command()
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let it give addresses again.")
@click.pass_obj
def drain(session: Session, name: str, undo: bool) -> None:
    """Have the network NAME (or id) give no new addresses."""
    session.run(
        lambda txn: networks.change(txn, _find(txn, name).id, {"drained": not undo})
    )
    click.echo(f"network {name} {'gives' if undo else 'does not give'} new addresses")


@network.command()
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Remove the network NAME (or id), which no server is on."""

    def work(txn: Transaction) -> None:
        found = _find(txn, name)
        networks.delete(txn, found.id)
        if found.project is not None:
            quotas.put_back(txn, found.project, Resource.NETWORKS)
            count = len(found.subnets)
            quotas.put_back(txn, found.project, Resource.SUBNETS, count)

    session.run(work)
    click.echo(f"network {name} is removed")


def _find(txn: Transaction, name: str) -> Network:
    """
    Return the operator's network of a name, or any by its id.

    :raises NotFound: There is none.
    """
    found = networks.named(txn, name)
    if found is None:
        try:
            return networks.get(txn, UUID(name))
        except ValueError:
            raise NotFound(f"there is no network named {name!r}") from None
    return found


def _check_link(network: Network, mode: str | None, link: str | None) -> None:
    """
    Return if a network has a link of its own just where its kind has none.

    :raises BadRequest: It does not.
    """
    if network.kind is Kind.CUSTOM:
        if not link:
            raise BadRequest("--link: is needed for a network of the kind CUSTOM")
        if network.mode not in ("bridged", "routed", "ovs"):
            raise BadRequest("--mode: must be bridged, routed or ovs")
    elif mode or link:
        raise BadRequest(f"--mode, --link: follow from the kind {network.kind.value}")


def _subnet(
    network_id: UUID,
    name: str,
    now: datetime,
    cidr: str,
    pools: Sequence[str],
    gateway: str | None,
    dhcp: bool,
    dns: Sequence[str],
) -> Subnet:
    """
    Return the subnet that the options describe.

    :raises BadRequest: Something is no address, or not in the subnet.
    :raises Conflict: Pools overlap, or are not in the subnet.
    """
    try:
        whole = network_of(str(ip_network(cidr)), None)
    except ValueError as failure:
        raise BadRequest(f"--cidr: {failure}") from None
    try:
        router = None if gateway is None else ip_address(gateway)
        servers = tuple(ip_address(text) for text in dns)
    except ValueError as failure:
        raise BadRequest(f"--gateway, --dns: {failure}") from None
    if router is not None:
        check_gateway(router, whole)
    if whole.version == 6 and whole.prefixlen != 64:
        raise BadRequest("--cidr: an IPv6 subnet must be a /64, for EUI-64 addresses")
    return Subnet(
        id=uuid4(),
        network=network_id,
        cidr=str(whole),
        created=now,
        pools=_pools(pools, whole, router),
        name=name,
        gateway=router,
        dhcp=dhcp,
        dns=servers,
        eui64=whole.version == 6,
    )


def _pools(
    texts: Sequence[str], whole: IPNetwork, gateway: IPAddress | None
) -> tuple[Pool, ...]:
    if not texts:
        return usual_pools(whole, gateway)
    ends = [text.partition("-")[::2] for text in texts]
    try:
        return pools_of([(a.strip(), b.strip()) for a, b in ends], whole, gateway)
    except (BadRequest, Conflict) as failure:
        raise BadRequest(f"--pool: {failure}") from None
