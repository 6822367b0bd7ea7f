"""What clients send about networks and subnets, checked."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from snf.storage import tagged

# A NUL cannot be stored (neutron_lib/db/constants.py: 255 characters).
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
Name = Annotated[str, msgspec.Meta(max_length=255, pattern=_PRINTABLE)]
Text = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*\Z")]
# neutron/extensions/tagging.py: 60 characters; a comma parts tags in filters.
_TAG = r"^[^,\x00-\x1f\x7f]+\Z"
_Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=_TAG)]
TagList = Annotated[list[_Tag], msgspec.Meta(max_length=tagged.AT_MOST)]
_Address = Annotated[str, msgspec.Meta(max_length=64)]
_Mtu = Annotated[int, msgspec.Meta(ge=68, le=9216)]
_Segment = Annotated[int, msgspec.Meta(ge=0, le=2**24 - 1)]
_Version = Literal[4, 6, "4", "6"]
_Mode = Literal["slaac", "dhcpv6-stateless", "dhcpv6-stateful"] | None


class NetworkChanges(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``network`` in ``PUT /networks/{id}``."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    shared: bool | UnsetType = UNSET
    external: bool | UnsetType = msgspec.field(name="router:external", default=UNSET)
    is_default: bool | UnsetType = UNSET
    mtu: _Mtu | UnsetType = UNSET
    port_security_enabled: bool | UnsetType = UNSET
    drained: bool | UnsetType = msgspec.field(name="SNF:drained", default=UNSET)


class NewNetwork(NetworkChanges, forbid_unknown_fields=True):
    """``network`` in ``POST /networks``."""

    tenant_id: str = ""
    project_id: str = ""
    availability_zone_hints: list[str] = []
    tags: TagList = []
    network_type: str | None = msgspec.field(name="provider:network_type", default=None)
    physical_network: str | None = msgspec.field(
        name="provider:physical_network", default=None
    )
    segmentation_id: _Segment | None = msgspec.field(
        name="provider:segmentation_id", default=None
    )
    kind: str | None = msgspec.field(name="SNF:kind", default=None)


class NetworkBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a network."""

    network: NetworkChanges


_Networks = Annotated[list[NewNetwork], msgspec.Meta(min_length=1, max_length=100)]


class NewNetworks(msgspec.Struct, forbid_unknown_fields=True):
    """The body that makes a network, or several."""

    network: NewNetwork | UnsetType = UNSET
    networks: _Networks | UnsetType = UNSET


class PoolEnds(msgspec.Struct, forbid_unknown_fields=True):
    """One of a subnet's ``allocation_pools``."""

    start: _Address
    end: _Address


class HostRoute(msgspec.Struct, forbid_unknown_fields=True):
    """One of a subnet's ``host_routes``."""

    destination: _Address
    nexthop: _Address


_Pools = Annotated[list[PoolEnds], msgspec.Meta(max_length=50)]
# Neutron's own limits: neutron/conf/common.py.
_Dns = Annotated[list[_Address], msgspec.Meta(max_length=5)]
_Routes = Annotated[list[HostRoute], msgspec.Meta(max_length=20)]


class SubnetChanges(msgspec.Struct, forbid_unknown_fields=True):
    """``subnet`` in ``PUT /subnets/{id}``."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    gateway_ip: _Address | UnsetType | None = UNSET
    allocation_pools: _Pools | UnsetType | None = UNSET
    dns_nameservers: _Dns | UnsetType | None = UNSET
    host_routes: _Routes | UnsetType | None = UNSET
    enable_dhcp: bool | UnsetType = UNSET


class NewSubnet(SubnetChanges, forbid_unknown_fields=True, kw_only=True):
    """``subnet`` in ``POST /subnets``."""

    network_id: str
    cidr: Annotated[str, msgspec.Meta(max_length=64)]
    ip_version: _Version | None = None
    tenant_id: str = ""
    project_id: str = ""
    ipv6_ra_mode: _Mode = None
    ipv6_address_mode: _Mode = None
    subnetpool_id: None = None
    tags: TagList = []
    service_types: Annotated[list[str], msgspec.Meta(max_length=0)] = []


class SubnetBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a subnet."""

    subnet: SubnetChanges


_Subnets = Annotated[list[NewSubnet], msgspec.Meta(min_length=1, max_length=100)]


class NewSubnets(msgspec.Struct, forbid_unknown_fields=True):
    """The body that makes a subnet, or several."""

    subnet: NewSubnet | UnsetType = UNSET
    subnets: _Subnets | UnsetType = UNSET


def given(changes: msgspec.Struct) -> dict:
    """Return what of some changes the client has named, by our names."""
    return {
        name: getattr(changes, name)
        for name in changes.__struct_fields__
        if getattr(changes, name) is not UNSET
    }
