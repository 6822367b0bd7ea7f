"""What a Ganeti cluster is told of a network, so that NICs can be on it.

Our database is the IPAM: Ganeti never chooses an address, and checks none against
those of other networks.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress
from snf.core.naming import network_name
from snf.core.network import Kind, Network
from snf.core.subnet import Subnet

# Ganeti's networks must have an IPv4 range, of /30 to /16 (lib/network.py); where ours
# have none that would do, nothing is ever taken from this one.
_NO_RANGE = "10.0.0.0/29"
_SMALLEST, _LARGEST = 30, 16

# The tag by which nodes answer for a network's DHCP and neighbor discovery.
DHCP = "nfdhcpd"
# With it, the one by which they do so for IPv6 alone.
NO_DHCP4 = "snf:no-dhcp:4"


@frozen
class Wiring:
    """
    A network as Ganeti has it.

    :ivar range4: Its IPv4 range, for NICs to have an address from; None where they
        have none.
    :ivar mac_prefix: Three octets, or None for the cluster's.
    """

    network: UUID
    mode: str
    link: str
    range4: IPv4Network | None = None
    gateway4: IPAddress | None = None
    range6: IPv6Network | None = None
    gateway6: IPAddress | None = None
    mac_prefix: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called there."""
        return network_name(self.network)

    @property
    def range_told(self) -> str:
        """The IPv4 range that Ganeti is told."""
        return _NO_RANGE if self.range4 is None else str(self.range4)

    def nic_address(self, addresses: Sequence[IPAddress]) -> str | None:
        """Return which of a port's addresses its NIC has at Ganeti, which takes one."""
        fitting = [
            str(address)
            for address in addresses
            if self.range4 is not None and address in self.range4
        ]
        return fitting[0] if fitting else None


def wiring(network: Network, subnets: Sequence[Subnet]) -> Wiring:
    """
    Return what a cluster is told of a network.

    :param subnets: All of its, oldest first.  Ganeti has room for one of each family.
    """
    first4 = _first(subnets, 4)
    first6 = _first(subnets, 6)
    return Wiring(
        network=network.id,
        # Of a bridge Ganeti asks whether it is there before the node could make it; of
        # Open vSwitch's it asks nothing, and leaves the rest to our script.
        mode="openvswitch" if network.kind is Kind.VXLAN else network.mode,
        link=network.link,
        range4=None if first4 is None else IPv4Network(first4.cidr),
        gateway4=None if first4 is None else _gateway(first4),
        range6=None if first6 is None else IPv6Network(first6.cidr),
        gateway6=None if first6 is None else _gateway(first6),
        mac_prefix=network.mac_prefix and _octets(network.mac_prefix),
        tags=_tags(network, subnets),
    )


def _octets(prefix: str) -> str:
    """Return a prefix of MAC addresses as whole octets, which Ganeti wants three of."""
    digits = prefix.replace(":", "").ljust(6, "0")[:6]
    return ":".join((digits[:2], digits[2:4], digits[4:]))


def _first(subnets: Sequence[Subnet], version: int) -> Subnet | None:
    for subnet in subnets:
        known = ip_network(subnet.cidr)
        fits = version == 6 or _LARGEST <= known.prefixlen <= _SMALLEST
        if known.version == version and fits:
            return subnet
    return None


def _gateway(subnet: Subnet) -> IPAddress | None:
    inside = subnet.gateway is not None and subnet.gateway in ip_network(subnet.cidr)
    return subnet.gateway if inside else None


_KINDS = {
    Kind.IP_LESS_ROUTED: ("ip-less-routed", "public"),
    Kind.MAC_FILTERED: ("private-filtered", "private"),
    Kind.PHYSICAL_VLAN: ("physical-vlan", "private"),
    Kind.VXLAN: ("vxlan", "private"),
    Kind.CUSTOM: (),
}

_USUAL_MTU = 1500


def _tags(network: Network, subnets: Sequence[Subnet]) -> tuple[str, ...]:
    """Return what the scripts and the DHCP of the nodes are told (docs/nodes.md)."""
    tags = list(_KINDS[network.kind])
    if network.kind is Kind.VXLAN:
        tags.append(f"vni:{network.segment}")
    if any(subnet.dhcp or subnet.version == 6 for subnet in subnets):
        tags.append(DHCP)
        four = [subnet for subnet in subnets if subnet.version == 4]
        if four and not any(subnet.dhcp for subnet in four):
            tags.append(NO_DHCP4)
    if network.mtu != _USUAL_MTU:
        tags.append(f"snf:mtu:{network.mtu}")
    servers = {address: None for subnet in subnets for address in subnet.dns}
    # Ganeti keeps tags in no order, and clients ask the first server first.
    tags += [f"snf:dns:{number}@{one}" for number, one in enumerate(servers, 1)]
    tags += [
        f"snf:route:{route.destination}@{route.via}"
        for subnet in subnets
        for route in subnet.routes
    ]
    return tuple(tags)
