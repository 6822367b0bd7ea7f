"""Networks: their kinds, and what follows from a kind on Ganeti's nodes."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from attrs import field, fields, frozen

from snf.core.errors import BadRequest, Conflict, Unavailable


class NetworkInUse(Conflict):
    """Named as Neutron names it."""

    def __init__(self, network: UUID) -> None:
        super().__init__(
            f"Unable to complete operation on network {network}. There are one or more "
            "ports still in use on the network."
        )


class NetworkDrained(Conflict):
    """A network that is to give nothing more."""

    def __init__(self, network: UUID) -> None:
        super().__init__(f"Network {network} is drained: it gives no new addresses")


class InvalidSharedSetting(Conflict):
    """Named as Neutron names it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Unable to reconfigure sharing settings for network {name}. Multiple "
            "tenants are using it."
        )


class NoNetworkAvailable(Unavailable):
    """Named as Neutron names it: no segment is left."""

    def __init__(self) -> None:
        super().__init__(
            "Unable to create the network. No tenant network is available for "
            "allocation."
        )


class Kind(Enum):
    """What a network is made of on the nodes; named as Synnefo names it."""

    # The tap is routed; its addresses are announced, and it has no neighbors.
    IP_LESS_ROUTED = "IP_LESS_ROUTED"
    # One bridge for many networks, which prefixes of MAC addresses keep apart.
    MAC_FILTERED = "MAC_FILTERED"
    # A bridge of its own, of those that the operator has made.
    PHYSICAL_VLAN = "PHYSICAL_VLAN"
    # A bridge of its own over a tunnel, made when it is needed.
    VXLAN = "VXLAN"
    # What the operator says.
    CUSTOM = "CUSTOM"

    @property
    def neutron(self) -> str:
        """The nearest of Neutron's types."""
        return _NEUTRON[self]

    @property
    def numbered(self) -> bool:
        """Whether its networks have segments, which are numbers from a pool."""
        return self in (Kind.MAC_FILTERED, Kind.PHYSICAL_VLAN, Kind.VXLAN)


_NEUTRON = {
    Kind.IP_LESS_ROUTED: "flat",
    Kind.MAC_FILTERED: "local",
    Kind.PHYSICAL_VLAN: "vlan",
    Kind.VXLAN: "vxlan",
    Kind.CUSTOM: "flat",
}


@frozen
class Network:
    """A layer-2 network (or a routed one), with Ganeti's NIC mode and link.

    :ivar project: Whose; None for the operator's.
    :ivar segment: What it has of its kind's pool: a bridge's number, a VXLAN's id, the
        20 bits of a prefix of MAC addresses.
    :ivar mac_prefix: What all its MAC addresses begin with; None for the cluster's.
    :ivar drained: It gets no new ports, and gives no new addresses.
    """

    id: UUID
    name: str
    mode: str
    link: str
    created: datetime
    updated: datetime
    project: UUID | None = None
    shared: bool = False
    external: bool = False
    is_default: bool = False
    kind: Kind = Kind.CUSTOM
    segment: int | None = None
    mac_prefix: str | None = None
    mtu: int = 1500
    drained: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    revision: int = 0
    subnets: tuple[UUID, ...] = ()

    def check_open(self) -> None:
        """
        Return if there may be more on it.

        :raises NetworkDrained: There may not.
        """
        if self.drained:
            raise NetworkDrained(self.id)


@frozen
class Wiring:
    """How the NICs of a network are made."""

    mode: str
    link: str
    mac_prefix: str | None
    mtu: int


def _kinds(names: Any) -> tuple[Kind, ...]:
    return tuple(Kind(name) for name in names)


@frozen
class Plan:
    """The networks that there may be; what ``[network]`` of the configuration says.

    :ivar user_kinds: The kinds that are not only for admins.
    :ivar default_kind: What a network is that names no kind.
    :ivar routed_link: The routing table of public networks.
    :ivar filtered_bridge: The bridge that MAC-filtered networks share.
    :ivar mac_prefixes: The first and the last of their prefixes: ``aa:01:0``.
    :ivar bridge_prefix: What the names of the operator's bridges begin with.
    :ivar bridges: The first and the last of their numbers; none if there are none.
    :ivar vxlan_ids: The first and the last.
    """

    user_kinds: tuple[Kind, ...] = field(default=(Kind.MAC_FILTERED,), converter=_kinds)
    default_kind: Kind = field(default=Kind.MAC_FILTERED, converter=Kind)
    routed_link: str = "snf_public"
    filtered_bridge: str = "prv0"
    mac_prefixes: tuple[str, ...] = ("aa:01:0", "aa:ff:f")
    bridge_prefix: str = "prv"
    bridges: tuple[int, ...] = ()
    vxlan_ids: tuple[int, ...] = (10_000, 19_999)
    mtu: int = 1500
    vxlan_mtu: int = 1450

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Plan":
        """Return the plan that a table of the configuration holds."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: it for name, it in settings.items() if name in known})

    def pool(self, kind: Kind) -> tuple[int, int]:
        """
        Return the first and the last segment of a kind.

        :raises NoNetworkAvailable: The configuration gives it none.
        """
        if kind is Kind.MAC_FILTERED:
            first, last = (prefix_number(text) for text in self.mac_prefixes)
            return first, last
        ends = self.bridges if kind is Kind.PHYSICAL_VLAN else self.vxlan_ids
        if not ends:
            raise NoNetworkAvailable
        return ends[0], ends[1]

    def wiring(self, kind: Kind, segment: int | None) -> Wiring:
        """
        Return how a network of a kind is made, which is not one of the operator's own.

        :raises BadRequest: The kind has to be described.
        """
        if kind is Kind.IP_LESS_ROUTED:
            return Wiring("routed", self.routed_link, None, self.mtu)
        if segment is None:
            raise BadRequest(
                f"A network of the kind {kind.value} needs a mode and a link"
            )
        if kind is Kind.MAC_FILTERED:
            prefix = number_prefix(segment)
            return Wiring("bridged", self.filtered_bridge, prefix, self.mtu)
        if kind is Kind.VXLAN:
            # Ganeti demands that a bridge be there before its NIC, but not of this mode.
            return Wiring("openvswitch", f"snfv{segment}", None, self.vxlan_mtu)
        return Wiring("bridged", f"{self.bridge_prefix}{segment}", None, self.mtu)


USUAL = Plan()


def prefix_number(prefix: str) -> int:
    """
    Return a prefix of MAC addresses as a number: ``aa:01:0`` is 0xaa010.

    Twenty bits: nodes compare as many (ganeti/network/nic.py, PREFIX_MASK).
    """
    return int(prefix.replace(":", ""), 16)


def number_prefix(number: int) -> str:
    """Return the prefix that is a number."""
    digits = f"{number:05x}"
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
