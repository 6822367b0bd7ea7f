"""What a security group rule may say, in Neutron's words and with its refusals."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

import msgspec

from snf.api.network.bodies import Text
from snf.core import protocols
from snf.core.errors import BadRequest
from snf.core.firewall import ICMP, PORTED, Direction, Match

# What was typed is sent as it is by some clients.
_Number = (
    Annotated[int, msgspec.Meta(ge=-1, le=65535)]
    | Annotated[str, msgspec.Meta(pattern=r"^(-1|[0-9]{1,5})?\Z")]
    | None
)


class NewRule(msgspec.Struct, forbid_unknown_fields=True):
    """``security_group_rule`` in ``POST /security-group-rules``."""

    security_group_id: str
    direction: Literal["ingress", "egress"]
    ethertype: str | None = "IPv4"
    protocol: str | int | None = None
    port_range_min: _Number = None
    port_range_max: _Number = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    description: Text | None = ""
    project_id: str | None = None
    tenant_id: str | None = None


class SecurityGroupInvalidEtherType(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupRuleInvalidProtocol(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupEthertypeConflictWithProtocol(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupProtocolRequiredWithPorts(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupInvalidPortRange(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupInvalidPortValue(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupInvalidIcmpValue(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupMissingIcmpType(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupRuleParameterConflict(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupInvalidProtocolForPort(BadRequest):
    """Named as Neutron names it."""


class SecurityGroupRuleNotSupported(BadRequest):
    """The nodes cannot do it."""


def match(wanted: NewRule) -> Match:
    """
    Return what packets a new rule is about.

    :raises BadRequest: It makes no sense, or is not offered
        (neutron/db/securitygroups_db.py, _validate_security_group_rule).
    """
    if wanted.remote_group_id is not None or wanted.remote_address_group_id is not None:
        raise SecurityGroupRuleNotSupported(
            "remote_group_id, remote_address_group_id: groups of addresses are not "
            "offered; name the addresses by remote_ip_prefix"
        )
    family = _FAMILIES.get(wanted.ethertype or "IPv4")
    if family is None:
        raise SecurityGroupInvalidEtherType(
            f"ethertype: {wanted.ethertype!r} is not one of IPv4, IPv6"
        )
    number = _protocol(wanted, family)
    first, last = _span(wanted, number, family)
    found = Match(family, number, first, last, _remote(wanted, family))
    if Direction(wanted.direction) is Direction.EGRESS and not found.everything:
        raise SecurityGroupRuleNotSupported(
            "direction: what servers send is not filtered; an egress rule must be "
            "about all protocols and addresses"
        )
    return found


_FAMILIES = {"IPv4": 4, "IPv6": 6}


def _protocol(wanted: NewRule, family: int) -> int | None:
    try:
        return protocols.number(wanted.protocol, family)
    except LookupError:
        known = ", ".join(protocols.NUMBERS)
        raise SecurityGroupRuleInvalidProtocol(
            f"protocol: {wanted.protocol!r} is not one of any, {known}, or 0 to 255"
        ) from None
    except ValueError:
        raise SecurityGroupEthertypeConflictWithProtocol(
            f"Invalid ethertype {wanted.ethertype} for protocol {wanted.protocol}."
        ) from None


def _span(
    wanted: NewRule, protocol: int | None, family: int
) -> tuple[int | None, int | None]:
    first = _number("port_range_min", wanted.port_range_min)
    last = _number("port_range_max", wanted.port_range_max)
    if first is None and last is None:
        return None, None
    if protocol is None:
        raise SecurityGroupProtocolRequiredWithPorts(
            "Must also specify protocol if port range is given."
        )
    if protocol == ICMP[family]:
        return _types(first, last)
    if protocol not in PORTED:
        raise SecurityGroupInvalidProtocolForPort(
            f"port_range_min, port_range_max: protocol {wanted.protocol} has no ports"
        )
    for name, port in (("port_range_min", first), ("port_range_max", last)):
        if port == 0:
            raise SecurityGroupInvalidPortValue(f"{name}: Invalid value for port 0")
    if first is None or last is None or first > last:
        raise SecurityGroupInvalidPortRange(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max"
        )
    return first, last


def _types(first: int | None, last: int | None) -> tuple[int | None, int | None]:
    for name, field, value in (
        ("port_range_min", "type", first),
        ("port_range_max", "code", last),
    ):
        if value is not None and value > 255:
            raise SecurityGroupInvalidIcmpValue(
                f"Invalid value for ICMP {field} ({name}) {value}. It must be 0 to 255."
            )
    if first is None:
        raise SecurityGroupMissingIcmpType(
            f"ICMP code (port-range-max) {last} is provided but ICMP type "
            "(port-range-min) is missing."
        )
    return first, last


def _number(name: str, value: int | str | None) -> int | None:
    if value is None or value == "" or int(value) == -1:
        return None
    number = int(value)
    if number > 65535:
        raise SecurityGroupInvalidPortValue(f"{name}: Invalid value for port {number}")
    return number


def _remote(wanted: NewRule, family: int) -> IPv4Network | IPv6Network | None:
    text = wanted.remote_ip_prefix
    if not text:
        return None
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise BadRequest(
            f"remote_ip_prefix: {text!r} is not an address or a network"
        ) from None
    if found.version != family:
        raise SecurityGroupRuleParameterConflict(
            f"Conflicting value ethertype {wanted.ethertype} for CIDR {text}"
        )
    return found
