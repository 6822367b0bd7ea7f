"""The opcodes that the simulated cluster knows, and what they take.

After Ganeti 3.0 ``lib/opcodes.py``, as its own classes list their parameters; those
that no remote client of ours sends are left out.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

_Check = Callable[[Any], bool]
_Parameters = dict[str, tuple[Any, _Check]]


class Unfit(Exception):
    """Parameters that an opcode does not take; the text is what Ganeti says."""


def opcode(op_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return an opcode as job files hold it, with what was not given filled in.

    :raises Unfit: A parameter is not known, missing, or of a wrong kind.
    """
    parameters = OPCODES[op_id] | _COMMON
    for name in given:
        if name not in parameters:
            raise Unfit(
                f"Object {_class(op_id)} doesn't support the parameter '{name}'"
            )
    filled = {"OP_ID": op_id}
    for name, (default, allowed) in parameters.items():
        filled[name] = given.get(name, default)
        if not allowed(filled[name]):
            text = f"Parameter '{op_id}.{name}' fails validation"
            raise Unfit(str((text, "wrong_input")))
    return filled


def _class(op_id: str) -> str:
    """``OP_INSTANCE_CREATE`` -> ``OpInstanceCreate``."""
    return "".join(word.capitalize() for word in op_id.split("_"))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _one_of(*words: Any) -> _Check:
    return lambda value: value in words


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _each(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


_NIC_KEYS = frozenset(
    {"bridge", "name", "link", "ip", "vlan", "mac", "network", "mode"}
)


def _nic(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= _NIC_KEYS
        and all(item is None or isinstance(item, str) for item in value.values())
    )


def _disk(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_word, value))


def _dependency(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], int)
        and _each(_one_of("success", "error", "canceled"))(value[1])
    )


def _network(version: int) -> _Check:
    return lambda value: _parses(ip_network, value, version)


def _address(version: int) -> _Check:
    return lambda value: _parses(ip_address, value, version)


def _parses(parse: Callable[[str], Any], value: Any, version: int) -> bool:
    try:
        return isinstance(value, str) and parse(value).version == version
    except ValueError:
        return False


_TEMPLATES = (
    "blockdev",
    "diskless",
    "drbd",
    "ext",
    "file",
    "gluster",
    "plain",
    "rbd",
    "sharedfile",
)

_COMMON: _Parameters = {
    "dry_run": (False, _flag),
    "debug_level": (0, _count),
    "priority": (0, _one_of(-10, 0, 10)),
    "depends": (None, _or_none(_each(_dependency))),
    "comment": (None, _or_none(_text)),
    "reason": ([], _each(lambda value: True)),
}

OPCODES: dict[str, _Parameters] = {
    "OP_INSTANCE_CREATE": {
        "instance_name": (None, _text),
        "force_variant": (False, _flag),
        "wait_for_sync": (True, _flag),
        "name_check": (True, _flag),
        "ignore_ipolicy": (False, _flag),
        "opportunistic_locking": (False, _flag),
        "beparams": ({}, _mapping),
        "disks": (None, _each(_disk)),
        "disk_template": (None, _or_none(_one_of(*_TEMPLATES))),
        "hvparams": ({}, _mapping),
        "hypervisor": (None, _or_none(_one_of("fake", "kvm", "lxc", "chroot"))),
        "iallocator": (None, _or_none(_word)),
        "ip_check": (True, _flag),
        "conflicts_check": (True, _flag),
        "mode": (None, _one_of("create")),
        "nics": (None, _each(_nic)),
        "no_install": (None, _or_none(_flag)),
        "osparams": ({}, _mapping),
        "osparams_private": (None, _or_none(_mapping)),
        "osparams_secret": (None, _or_none(_mapping)),
        "os_type": (None, _or_none(_word)),
        "pnode": (None, _or_none(_word)),
        "start": (True, _flag),
        "tags": ([], _each(_word)),
    },
    "OP_NETWORK_ADD": {
        "network_name": (None, _word),
        "network": (None, _network(4)),
        "gateway": (None, _or_none(_address(4))),
        "network6": (None, _or_none(_network(6))),
        "gateway6": (None, _or_none(_address(6))),
        "mac_prefix": (None, _or_none(_text)),
        "add_reserved_ips": (None, _or_none(_each(_address(4)))),
        "conflicts_check": (True, _flag),
        "tags": ([], _each(_word)),
    },
    "OP_NETWORK_REMOVE": {
        "network_name": (None, _word),
        "force": (False, _flag),
    },
    "OP_NETWORK_SET_PARAMS": {
        "network_name": (None, _word),
        "gateway": (None, _or_none(_address(4))),
        "network6": (None, _or_none(_network(6))),
        "gateway6": (None, _or_none(_address(6))),
        "mac_prefix": (None, _or_none(_text)),
        "add_reserved_ips": (None, _or_none(_each(_address(4)))),
        "remove_reserved_ips": (None, _or_none(_each(_address(4)))),
    },
    "OP_NETWORK_CONNECT": {
        "group_name": (None, _word),
        "network_name": (None, _word),
        "network_mode": (None, _one_of("bridged", "openvswitch", "routed")),
        "network_link": (None, _word),
        "network_vlan": ("", _text),
        "conflicts_check": (True, _flag),
    },
    "OP_NETWORK_DISCONNECT": {
        "group_name": (None, _word),
        "network_name": (None, _word),
    },
    "OP_TAGS_SET": {
        "kind": (None, _one_of("cluster", "instance", "network")),
        "name": (None, _or_none(_text)),
        "tags": (None, _each(_word)),
    },
    "OP_TAGS_DEL": {
        "kind": (None, _one_of("cluster", "instance", "network")),
        "name": (None, _or_none(_text)),
        "tags": (None, _each(_word)),
    },
    "OP_INSTANCE_STARTUP": {
        "instance_name": (None, _text),
        "force": (False, _flag),
        "no_remember": (False, _flag),
        "hvparams": ({}, _mapping),
        "beparams": ({}, _mapping),
        "startup_paused": (False, _flag),
        "shutdown_timeout": (120, _count),
    },
    "OP_INSTANCE_SHUTDOWN": {
        "instance_name": (None, _text),
        "force": (False, _flag),
        "timeout": (120, _count),
        "no_remember": (False, _flag),
        "admin_state_source": ("admin", _one_of("admin", "user")),
    },
    "OP_INSTANCE_REBOOT": {
        "instance_name": (None, _text),
        "shutdown_timeout": (120, _count),
        "ignore_secondaries": (False, _flag),
        "reboot_type": (None, _one_of("full", "hard", "soft")),
    },
    "OP_INSTANCE_SET_PARAMS": {
        "instance_name": (None, _text),
        "force": (False, _flag),
        "force_variant": (False, _flag),
        "ignore_ipolicy": (False, _flag),
        "nics": ([], _each(lambda value: True)),
        "disks": ([], _each(lambda value: True)),
        "beparams": ({}, _mapping),
        "runtime_mem": (None, _or_none(_count)),
        "hvparams": ({}, _mapping),
        "osparams": ({}, _mapping),
        "os_name": (None, _or_none(_word)),
        "offline": (None, _or_none(_flag)),
        "hotplug": (False, _flag),
        "hotplug_if_possible": (False, _flag),
    },
    "OP_INSTANCE_GROW_DISK": {
        "instance_name": (None, _text),
        "wait_for_sync": (True, _flag),
        "disk": (None, _count),
        "amount": (None, _count),
        "absolute": (False, _flag),
        "ignore_ipolicy": (False, _flag),
    },
    "OP_INSTANCE_REINSTALL": {
        "instance_name": (None, _text),
        "force_variant": (False, _flag),
        "os_type": (None, _or_none(_text)),
        "osparams": (None, _or_none(_mapping)),
        "osparams_private": (None, _or_none(_mapping)),
        "osparams_secret": (None, _or_none(_mapping)),
    },
    "OP_INSTANCE_REMOVE": {
        "instance_name": (None, _text),
        "shutdown_timeout": (120, _count),
        "ignore_failures": (False, _flag),
    },
    "OP_INSTANCE_FAILOVER": {
        "instance_name": (None, _text),
        "shutdown_timeout": (120, _count),
        "ignore_consistency": (False, _flag),
        "target_node": (None, _or_none(_word)),
        "ignore_ipolicy": (False, _flag),
        "cleanup": (False, _flag),
        "iallocator": (None, _or_none(_word)),
    },
    "OP_INSTANCE_MIGRATE": {
        "instance_name": (None, _text),
        "mode": (None, _or_none(_one_of("live", "non-live"))),
        "live": (None, _or_none(_flag)),
        "target_node": (None, _or_none(_word)),
        "allow_runtime_changes": (True, _flag),
        "ignore_ipolicy": (False, _flag),
        "cleanup": (False, _flag),
        "iallocator": (None, _or_none(_word)),
        "allow_failover": (False, _flag),
        "ignore_hvversions": (False, _flag),
    },
}
