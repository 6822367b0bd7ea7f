"""Subnets: ranges of addresses, and what makes sense in one."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress
from snf.core.errors import BadRequest, Conflict

IPNetwork = IPv4Network | IPv6Network


class InvalidInput(BadRequest):
    """Named as Neutron names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"Invalid input for {field}. Reason: {reason}")
        self.field = field
        self.reason = reason


class GatewayConflictWithAllocationPools(Conflict):
    """Named as Neutron names it."""


class OverlappingAllocationPools(Conflict):
    """Named as Neutron names it."""


class OutOfBoundsAllocationPool(Conflict):
    """Named as Neutron names it."""


class InvalidAllocationPool(BadRequest):
    """Named as Neutron names it."""


class SubnetInUse(Conflict):
    """Named as Neutron names it."""

    def __init__(self, subnet: UUID, reason: str) -> None:
        super().__init__(f"Unable to complete operation on subnet {subnet}: {reason}")


@frozen
class Pool:
    """Addresses that ports get, from the first to the last."""

    first: IPAddress
    last: IPAddress

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@frozen
class Route:
    """Where guests send what is not for their own network."""

    destination: str
    via: IPAddress


@frozen
class Subnet:
    """A range of addresses on a network.

    :ivar eui64: Addresses follow from MAC addresses; the pools are but shown.
    :ivar project: Whose network it is.
    :ivar external: Whether the network is external.
    :ivar drained: Whether the network gives no new addresses.
    """

    id: UUID
    network: UUID
    cidr: str
    created: datetime
    pools: tuple[Pool, ...] = ()
    name: str = ""
    gateway: IPAddress | None = None
    dhcp: bool = True
    dns: tuple[IPAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    eui64: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    revision: int = 0
    updated: datetime | None = None
    project: UUID | None = None
    external: bool = False
    drained: bool = False

    @property
    def version(self) -> int:
        """The version of IP."""
        return ip_network(self.cidr).version


def network_of(cidr: str, version: int | None) -> IPNetwork:
    """
    Return the addresses that a subnet is to have.

    Neutron takes addresses with bits behind the prefix, and drops these.

    :raises InvalidInput: They are none, or not of this version, or not for hosts.
    """
    try:
        whole = ip_network(cidr, strict=False)
    except ValueError:
        raise InvalidInput("cidr", f"'{cidr}' is not a valid IP subnet.") from None
    if version is not None and whole.version != version:
        raise InvalidInput(
            "cidr", f"'{cidr}' does not match the ip_version '{version}'"
        )
    if (
        whole.is_multicast
        or whole.is_loopback
        or whole.is_unspecified
        or (whole.version == 4 and (whole.is_reserved or whole.prefixlen == 0))
    ):
        raise InvalidInput("cidr", f"'{cidr}' is not for hosts.")
    if whole.num_addresses < 4:
        raise InvalidInput("cidr", f"'{cidr}' has no room for hosts.")
    return whole


def usual_gateway(whole: IPNetwork) -> IPAddress:
    """Return the gateway where none is named: the first host."""
    return whole.network_address + 1


def check_gateway(gateway: IPAddress, whole: IPNetwork) -> None:
    """
    Return if an address can be the gateway of a subnet.

    :raises InvalidInput: It cannot.
    """
    link_local = gateway.version == 6 and gateway.is_link_local
    if gateway.version != whole.version or not (link_local or gateway in _hosts(whole)):
        raise InvalidInput("gateway_ip", "Gateway is not valid on subnet")


def usual_pools(whole: IPNetwork, gateway: IPAddress | None) -> tuple[Pool, ...]:
    """Return the pools where none are named: all hosts but the gateway."""
    every = _hosts(whole)
    if gateway is None or gateway not in every:
        return (Pool(every.first, every.last),)
    pools = []
    if int(gateway) > int(every.first):
        pools.append(Pool(every.first, gateway - 1))
    if int(gateway) < int(every.last):
        pools.append(Pool(gateway + 1, every.last))
    return tuple(pools)


def pools_of(
    wanted: Sequence[tuple[str, str]], whole: IPNetwork, gateway: IPAddress | None
) -> tuple[Pool, ...]:
    """
    Return the pools that somebody asks for, in their order (neutron/ipam/utils.py,
    neutron/db/ipam_backend_mixin.py, validate_allocation_pools).

    :param wanted: The first and the last address of each.
    :raises BadRequest: Something is no address, or a pool ends before it begins.
    :raises Conflict: One is not in the subnet, or overlaps another or the gateway.
    """
    every = _hosts(whole)
    pools = sorted((_pool(*ends) for ends in wanted), key=lambda pool: int(pool.first))
    for pool in pools:
        if pool.first not in every or pool.last not in every:
            raise OutOfBoundsAllocationPool(
                f"The allocation pool {pool} spans beyond the subnet cidr {whole}."
            )
        if gateway is not None and gateway in Hosts(pool.first, pool.last):
            raise GatewayConflictWithAllocationPools(
                f"Gateway ip {gateway} conflicts with allocation pool {pool}."
            )
    for one, other in pairwise(pools):
        if int(other.first) <= int(one.last):
            raise OverlappingAllocationPools(
                f"Found overlapping allocation pools: {one} {other} for subnet {whole}."
            )
    return tuple(pools)


def _pool(first: str, last: str) -> Pool:
    try:
        pool = Pool(ip_address(first), ip_address(last))
    except ValueError:
        raise InvalidAllocationPool(
            f"allocation_pools: The allocation pool {first}-{last} is not valid."
        ) from None
    if pool.first.version != pool.last.version or pool.first > pool.last:  # type: ignore[operator]
        raise InvalidAllocationPool(
            f"allocation_pools: The allocation pool {pool} is not valid."
        )
    return pool


@frozen
class Hosts:
    """The addresses from one to another, without listing them."""

    first: IPAddress
    last: IPAddress

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.first.version and int(self.first) <= int(
            address
        ) <= int(self.last)


def _hosts(whole: IPNetwork) -> Hosts:
    """Return what hosts can have: neither a network's own address nor its broadcast."""
    last = whole.network_address + (whole.num_addresses - 1)
    return Hosts(whole.network_address + 1, last - 1 if whole.version == 4 else last)
