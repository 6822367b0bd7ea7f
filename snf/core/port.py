"""Ports: a server's places on networks, with their addresses."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress
from snf.core.errors import BadRequest
from snf.core.subnet import InvalidInput, Subnet

# What a server may have at once.
NICS_AT_MOST = 8


class InvalidIpForNetwork(BadRequest):
    """Named as Neutron names it."""


class InvalidIpForSubnet(BadRequest):
    """Named as Neutron names it."""


@frozen
class FixedIP:
    """An address of a port and the subnet that it is from."""

    subnet: UUID
    address: IPAddress


@frozen
class Port:
    """
    A place on a network.

    :ivar server: The uuid of the server that has it.
    :ivar waits: What was done to it the server's guest will notice at its next start.
    """

    id: UUID
    network: UUID
    project: UUID
    mac: str
    created: datetime
    updated: datetime
    server: UUID | None = None
    name: str = ""
    state: str = "BUILD"
    addresses: tuple[FixedIP, ...] = ()
    description: str = ""
    tags: tuple[str, ...] = ()
    revision: int = 0
    waits: bool = False


@frozen
class Fixed:
    """An address that somebody wants: this one, or any of a subnet, or both."""

    address: IPAddress | None = None
    subnet: UUID | None = None


Places = Sequence[tuple[UUID, IPAddress | None]]


def places(
    subnets: Sequence[Subnet], network: UUID, wanted: Sequence[Fixed] | None
) -> Places:
    """
    Return of which subnets a port is to have addresses; None for any free one.

    :param subnets: Those of its network.
    :param wanted: None for one of each subnet.
    :raises InvalidInput: A subnet is not on the network.
    :raises InvalidIpForNetwork: An address is in none of the subnets.
    :raises InvalidIpForSubnet: It is not in the one that goes with it, or is nobody's.
    """
    if wanted is None:
        return [(subnet.id, None) for subnet in subnets]
    return [_place(subnets, network, one) for one in wanted]


def _place(
    subnets: Sequence[Subnet], network: UUID, wanted: Fixed
) -> tuple[UUID, IPAddress | None]:
    address = wanted.address
    if wanted.subnet is not None:
        named = [subnet for subnet in subnets if subnet.id == wanted.subnet]
        if not named:
            raise InvalidInput(
                "operation",
                f"Failed to create port on network {network}, because fixed_ips included "
                f"invalid subnet {wanted.subnet}.",
            )
        if address is not None and not _may_have(named[0], address):
            raise InvalidIpForSubnet(
                f"IP address {address} is not a valid IP for the specified subnet."
            )
        return wanted.subnet, address
    if address is None:
        raise InvalidInput(
            "fixed_ips", "IP allocation requires subnet_id or ip_address."
        )
    for subnet in subnets:
        if address in ip_network(subnet.cidr):
            if not _may_have(subnet, address):
                raise InvalidIpForSubnet(
                    f"IP address {address} is not a valid IP for the specified subnet."
                )
            return subnet.id, address
    raise InvalidIpForNetwork(
        f"IP address {address} is not a valid IP for any of the subnets on the "
        "specified network."
    )


def _may_have(subnet: Subnet, address: IPAddress) -> bool:
    """Whether an address may be a port's: the ends and the router are nobody's."""
    whole = ip_network(subnet.cidr)
    ends = {whole.network_address, whole.broadcast_address}
    if whole.prefixlen >= whole.max_prefixlen - 1:
        ends = set()
    return address in whole and address not in ends and address != subnet.gateway


def matched(
    held: Sequence[FixedIP], wanted: Places
) -> tuple[Sequence[FixedIP], Places]:
    """Return which addresses of a port stay, and where it is to have others."""
    keep: list[FixedIP] = []
    fresh = []
    for subnet, address in wanted:
        fitting = [
            one
            for one in held
            if one not in keep
            and one.subnet == subnet
            and address in (None, one.address)
        ]
        if fitting:
            keep.append(fitting[0])
        else:
            fresh.append((subnet, address))
    return keep, fresh
