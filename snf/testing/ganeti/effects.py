"""What opcodes do to the instances and networks of the simulated cluster."""

import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

from snf.testing.ganeti import networks
from snf.testing.ganeti.failure import OpFailure
from snf.testing.ganeti.machines import Machines


def _create_check(machines: Machines, op: dict[str, Any]) -> None:
    machines.check_new(op)


def _create_half(machines: Machines, op: dict[str, Any]) -> None:
    machines.add(op)


def _create_end(machines: Machines, op: dict[str, Any]) -> Any:
    machine = machines.find(op["instance_name"])
    if machine.up:
        machine.start()
    return [machine.pnode]


def _check_tags(machines: Machines, op: dict[str, Any]) -> None:
    there = set(_tags(machines, op))
    for tag in op["tags"]:
        if not _TAG.fullmatch(tag):
            raise OpFailure("TagError", f"Tag contains invalid characters: {tag!r}")
        if len(tag) > 128:
            raise OpFailure("TagError", "Tag too long (maximum 128 characters)")
    if op["OP_ID"] == "OP_TAGS_DEL":
        missing = ", ".join(f"'{tag}'" for tag in sorted({*op["tags"]} - there))
        if missing:
            text = f"Tag(s) {missing} not found"
            raise OpFailure("OpPrereqError", text, "unknown_entity")


def _tags(machines: Machines, op: dict[str, Any]) -> list[str]:
    if op["kind"] == "cluster":
        return sorted(machines.tags)
    if op["kind"] == "network":
        return networks.tags(machines.networks, op["name"])
    return machines.find(op["name"]).tags


def _tag(machines: Machines, op: dict[str, Any]) -> None:
    _retag(machines, op, {*_tags(machines, op), *op["tags"]})


def _untag(machines: Machines, op: dict[str, Any]) -> None:
    _retag(machines, op, {*_tags(machines, op)} - {*op["tags"]})


def _retag(machines: Machines, op: dict[str, Any], tags: set[str]) -> None:
    if op["kind"] == "cluster":
        machines.tags = tags
    elif op["kind"] == "network":
        networks.tags(machines.networks, op["name"])[:] = sorted(tags)
    else:
        machines.find(op["name"]).tags = sorted(tags)


# Ganeti lib/objects.py, TaggableObject.
_TAG = re.compile(r"[\w.+*/:@-]+", re.ASCII)


def _known(machines: Machines, op: dict[str, Any]) -> None:
    machines.find(op["instance_name"])


def _nothing(machines: Machines, op: dict[str, Any]) -> None:
    pass


def _set_up(machines: Machines, op: dict[str, Any]) -> None:
    machines.find(op["instance_name"]).up = True


def _set_down(machines: Machines, op: dict[str, Any]) -> None:
    machines.find(op["instance_name"]).up = False


def _run(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    if not machine.running:  # one that runs is left alone
        machine.start()


def _halt(machines: Machines, op: dict[str, Any]) -> None:
    machines.find(op["instance_name"]).running = False


def _check_memory(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    if not any(op[name] for name in _CHANGES):
        raise OpFailure("OpPrereqError", "No changes submitted", "wrong_input")
    machines.check_nics(op)
    wanted = op["beparams"].get("maxmem", 0)
    if op["force"] or wanted <= machine.beparams.get("maxmem", 0):
        return
    current = machine.live.get("maxmem", 0) if machine.running else 0
    missing = wanted - current - machines.ram_free_mib(machine.pnode)
    if missing > 0:
        text = (
            f"This change will prevent the instance from starting, due to {missing} MB "
            "of memory missing on its primary node"
        )
        raise OpFailure("OpPrereqError", text, "insufficient_resources")


_CHANGES = ("beparams", "hvparams", "nics", "disks", "os_name", "osparams")


def _modify(machines: Machines, op: dict[str, Any]) -> Any:
    machine = machines.find(op["instance_name"])
    machine.beparams |= op["beparams"]
    changed = [[f"be/{name}", value] for name, value in op["beparams"].items()]
    done = [*changed, *machines.change_nics(op)]
    machine.refreshed = list(machine.tags)  # by the hook, at the end of any change
    return done


def _target(machines: Machines, op: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the disk that is to grow, and its new size in MiB."""
    disks = machines.find(op["instance_name"]).disks
    if op["disk"] >= len(disks):
        text = f"Invalid disk index {op['disk']}"
        raise OpFailure("OpPrereqError", text, "wrong_input")
    disk = disks[op["disk"]]
    amount = op["amount"]
    return disk, amount if op["absolute"] else disk["size"] + amount


def _check_growth(machines: Machines, op: dict[str, Any]) -> None:
    disk, target = _target(machines, op)
    if target < disk["size"]:
        text = (
            f"Requested size ({target}M) is smaller than current disk size "
            f"({disk['size']}M)"
        )
        raise OpFailure("OpPrereqError", text, "wrong_state")


def _grow(machines: Machines, op: dict[str, Any]) -> None:
    disk, target = _target(machines, op)
    disk["size"] = max(disk["size"], target)


def _reinstall_check(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    if not machine.disks:
        text = f"Instance '{machine.name}' has no disks"
        raise OpFailure("OpPrereqError", text, "wrong_input")
    if machine.running:
        text = f"Instance {machine.name} is running, cannot reinstall"
        raise OpFailure("OpPrereqError", text, "wrong_state")
    machines.check_os(op["os_type"] or machine.os)


def _reinstall(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    machine.os = op["os_type"] or machine.os
    # What it had before is forgotten (Ganeti, LUInstanceReinstall).
    machine.osparams = dict(op["osparams"] or {})
    machine.installed.append(dict(machine.osparams))


def _failover_check(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    machines.target(op, "failovers")
    safe = op["ignore_consistency"] or machine.pnode in machines.offline
    if not machines.heard(machine) and not safe:
        raise OpFailure(
            "OpExecError",
            f"Could not shutdown instance {machine.name} on node {machine.pnode}: "
            "Error 7: Failed to connect",
        )


def _failover(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    machine.pnode = machines.target(op, "failovers")
    machine.running = machine.up


def _migrate_check(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    machines.target(op, "migrations")
    if not machines.heard(machine) or not machine.running:
        text = f"Can't migrate, please use failover: Instance {machine.name}"
        raise OpFailure("OpPrereqError", f"{text} is not running", "wrong_state")


def _migrate(machines: Machines, op: dict[str, Any]) -> None:
    machine = machines.find(op["instance_name"])
    machine.pnode = machines.target(op, "migrations")


def _remove(machines: Machines, op: dict[str, Any]) -> None:
    del machines.by_name[op["instance_name"]]


def _network_add(machines: Machines, op: dict[str, Any]) -> None:
    networks.add(machines.networks, op)


def _network_remove(machines: Machines, op: dict[str, Any]) -> None:
    networks.remove(machines.networks, op)


def _network_change(machines: Machines, op: dict[str, Any]) -> None:
    networks.change(machines.networks, op)


def _network_connect(machines: Machines, op: dict[str, Any]) -> None:
    networks.connect(machines.networks, machines.groups, op)


def _network_disconnect(machines: Machines, op: dict[str, Any]) -> None:
    used = any(
        nic["network"] == op["network_name"]
        for machine in machines.by_name.values()
        for nic in machine.nics
    )
    networks.disconnect(machines.networks, machines.groups, op, used)


@frozen
class Effect:
    """What an opcode does when it begins (or it fails there), half way, and at its end."""

    begin: Callable[[Machines, dict[str, Any]], None]
    half: Callable[[Machines, dict[str, Any]], None]
    end: Callable[[Machines, dict[str, Any]], Any]
    says: tuple[str, ...] = ()


EFFECTS: dict[str, Effect] = {
    "OP_INSTANCE_CREATE": Effect(
        _create_check,
        _create_half,
        _create_end,
        says=("* creating instance disks...", "* starting instance..."),
    ),
    "OP_TAGS_SET": Effect(_check_tags, _nothing, _tag),
    "OP_TAGS_DEL": Effect(_check_tags, _nothing, _untag),
    "OP_NETWORK_ADD": Effect(_nothing, _nothing, _network_add),
    "OP_NETWORK_REMOVE": Effect(_nothing, _nothing, _network_remove),
    "OP_NETWORK_SET_PARAMS": Effect(_nothing, _nothing, _network_change),
    "OP_NETWORK_CONNECT": Effect(_nothing, _nothing, _network_connect),
    "OP_NETWORK_DISCONNECT": Effect(_nothing, _nothing, _network_disconnect),
    "OP_INSTANCE_STARTUP": Effect(_known, _set_up, _run),
    "OP_INSTANCE_SHUTDOWN": Effect(_known, _set_down, _halt),
    "OP_INSTANCE_REBOOT": Effect(_known, _halt, _run),
    "OP_INSTANCE_REMOVE": Effect(_known, _halt, _remove),
    "OP_INSTANCE_REINSTALL": Effect(_reinstall_check, _nothing, _reinstall),
    "OP_INSTANCE_GROW_DISK": Effect(_check_growth, _nothing, _grow),
    "OP_INSTANCE_SET_PARAMS": Effect(_check_memory, _nothing, _modify),
    "OP_INSTANCE_FAILOVER": Effect(_failover_check, _halt, _failover),
    "OP_INSTANCE_MIGRATE": Effect(_migrate_check, _nothing, _migrate),
}
