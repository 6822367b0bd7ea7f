"""The networks of the simulated cluster."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from attrs import define, field

from snf.testing.ganeti.failure import OpFailure

_Networks = dict[str, "Net"]


@define(eq=False)
class Net:
    """A network: what it was made with, and mode and link by node group."""

    told: dict[str, Any]
    groups: dict[str, tuple[str, str]] = field(factory=dict)


def add(networks: _Networks, op: dict[str, Any]) -> None:
    """
    Make a network.

    :raises OpFailure: There is one of that name, or the range is too small or large.
    """
    name = op["network_name"]
    if name in networks:
        text = f"Desired network name '{name}' already exists as a network (UUID: u)"
        raise OpFailure("OpPrereqError", text, "already_exists")
    if not 16 <= IPv4Network(op["network"]).prefixlen <= 30:
        text = f"Cannot create IP address pool for network '{name}': size"
        raise OpFailure("OpExecError", text)
    networks[name] = Net(op)


def change(networks: _Networks, op: dict[str, Any]) -> None:
    """
    Change what a network was made with, but for its IPv4 range.

    :raises OpFailure: There is none.
    """
    told = _find(networks, op["network_name"]).told
    told |= {name: op[name] for name in _CHANGEABLE if op[name] is not None}


_CHANGEABLE = ("gateway", "network6", "gateway6", "mac_prefix")


def tags(networks: _Networks, name: str) -> list[str]:
    """
    Return a network's tags.

    :raises OpFailure: There is no such network.
    """
    return _find(networks, name).told["tags"]


def connect(networks: _Networks, groups: Sequence[str], op: dict[str, Any]) -> None:
    """
    Connect a network to a node group; one that is connected is left as it is.

    :raises OpFailure: There is no such network or group.
    """
    network = _find(networks, op["network_name"])
    group = _group(groups, op["group_name"])
    network.groups.setdefault(group, (op["network_mode"], op["network_link"]))


def disconnect(
    networks: _Networks, groups: Sequence[str], op: dict[str, Any], used: bool
) -> None:
    """
    Disconnect a network from a node group, if it is connected to it.

    :raises OpFailure: There is no such network or group, or it is in use.
    """
    network = _find(networks, op["network_name"])
    group = _group(groups, op["group_name"])
    if used and group in network.groups:
        text = (
            "Conflicting IP addresses found;  remove/modify the corresponding network"
        )
        raise OpFailure("OpPrereqError", f"{text} interfaces", "wrong_state")
    network.groups.pop(group, None)


def remove(networks: _Networks, op: dict[str, Any]) -> None:
    """
    Remove a network.

    :raises OpFailure: There is none, or it is connected.
    """
    if _find(networks, op["network_name"]).groups:
        raise OpFailure("OpPrereqError", "Network still connected", "wrong_state")
    del networks[op["network_name"]]


def check_nic(networks: _Networks, groups: Sequence[str], nic: dict[str, Any]) -> None:
    """
    See whether a NIC can be on the network that it names, if it names one.

    :raises OpFailure: It cannot.
    """
    name = nic.get("network")
    if name is None:
        return
    network = _find(networks, name)
    if nic.get("mode") or nic.get("link"):
        text = "If network is given mode or link should not"
        raise OpFailure("OpPrereqError", text, "wrong_input")
    if not network.groups:
        text = f"No netparams found for network {name}. Probably not connected to"
        raise OpFailure("OpPrereqError", f"{text} node's nodegroup", "wrong_input")
    ip = nic.get("ip")
    if ip is not None and IPv4Address(ip) not in IPv4Network(network.told["network"]):
        text = f"IP address {ip} is not in network {name}"
        raise OpFailure("OpPrereqError", text, "resource_not_unique")


def _find(networks: _Networks, name: str) -> Net:
    if name not in networks:
        text = f"Network '{name}' not found"
        raise OpFailure("OpPrereqError", text, "unknown_entity")
    return networks[name]


def _group(groups: Sequence[str], name: str) -> str:
    if name not in groups:
        text = f"Node group '{name}' not found"
        raise OpFailure("OpPrereqError", text, "unknown_entity")
    return name
