"""What the simulated cluster tells of jobs and instances, and how it is searched."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from snf.testing.ganeti.job import Entry
from snf.testing.ganeti.machines import Machine, Machines
from snf.testing.ganeti.networks import Net

_Row = Mapping[str, Any]

# Query field definitions differ in more, which nothing reads.
_NORMAL, _UNKNOWN, _ABSENT_JOB = 0, 1, 3


class UnknownOperator(Exception):
    """A filter that Ganeti does not know."""


def job(entry: Entry) -> dict[str, Any]:
    """Return all fields of a job."""
    ops = entry.ops
    return {
        "id": entry.id,
        "ops": [op.input for op in ops],
        "status": entry.status,
        "summary": [_summary(op.input) for op in ops],
        "opstatus": [op.status for op in ops],
        "opresult": [op.result for op in ops],
        "oplog": [list(op.log) for op in ops],
        "opstart": [op.start for op in ops],
        "opexec": [op.exec for op in ops],
        "opend": [op.end for op in ops],
        "received_ts": entry.received,
        "start_ts": entry.start,
        "end_ts": entry.end,
        "archived": entry.archived,
    }


def _summary(given: _Row) -> str:
    name = given["OP_ID"].removeprefix("OP_")
    return f"{name}({given.get('instance_name', 'cluster')})"


# GET /2/jobs/ID answers these, in this order.
JOB_FIELDS = (
    "id",
    "ops",
    "status",
    "summary",
    "opstatus",
    "received_ts",
    "start_ts",
    "end_ts",
    "oplog",
    "opresult",
)


def instance(machine: Machine, answers: bool) -> dict[str, Any]:
    """Return all fields of an instance, as the bulk listing has them."""
    nics = machine.nics
    return {
        "name": machine.name,
        "admin_state": "up" if machine.up else "down",
        "os": machine.os,
        "pnode": machine.pnode,
        "snodes": [],
        "disk_template": machine.disk_template,
        "nic.ips": [nic["ip"] for nic in nics],
        "nic.macs": [nic["mac"] for nic in nics],
        "nic.modes": [nic["mode"] for nic in nics],
        "nic.uuids": [nic["uuid"] for nic in nics],
        "nic.names": [nic["name"] for nic in nics],
        "nic.links": [nic["link"] for nic in nics],
        "nic.networks": [
            nic["network"] and f"uuid of {nic['network']}" for nic in nics
        ],
        "nic.networks.names": [nic["network"] for nic in nics],
        "network_port": machine.network_port,
        "disk.sizes": [disk["size"] for disk in machine.disks],
        "beparams": machine.beparams | {"memory": machine.beparams.get("maxmem")},
        "hvparams": {"vnc_bind_address": "0.0.0.0"} | machine.hvparams,
        "hv/vnc_bind_address": machine.hvparams.get("vnc_bind_address", "0.0.0.0"),
        "oper_state": machine.running if answers else None,
        "oper_ram": machine.live.get("maxmem") if machine.running else None,
        "oper_vcpus": machine.live.get("vcpus") if machine.running else None,
        "status": machine.status(answers),
        "custom_hvparams": machine.hvparams,
        "custom_beparams": machine.beparams,
        "ctime": machine.ctime,
        "mtime": machine.ctime,
        "uuid": machine.uuid,
        "serial_no": 1,
        "tags": machine.tags,
    }


def network(network: Net) -> dict[str, Any]:
    """Return what a network's own page tells."""
    told = network.told
    names = ("network", "gateway", "network6", "gateway6", "mac_prefix", "tags")
    groups = [[group, *link, ""] for group, link in network.groups.items()]
    return {
        "name": told["network_name"],
        **{name: told[name] for name in names},
        "group_list": groups,
    }


def node(machines: Machines, name: str) -> dict[str, Any]:
    """Return what a query of a node tells: its memory, 1 TiB and 16 processors."""
    there = machines.on(name)
    disk = sum(part["size"] for one in there for part in one.disks)
    live: dict[str, Any] = {
        "mtotal": machines.ram_mib,
        "mfree": machines.ram_free_mib(name),
        "sptotal": _NODE_DISK_MIB,
        "spfree": _NODE_DISK_MIB - disk,
        "ctotal": 16,
    }
    answers = machines.answers and name not in machines.dead
    return {
        "name": name,
        "pip": "127.0.0.1",
        "offline": False,
        "drained": False,
        "vm_capable": True,
        # There is no volume group.
        "dtotal": None,
        "dfree": None,
        "pinst_cnt": len(there),
        **(live if answers else dict.fromkeys(live)),
    }


_NODE_DISK_MIB = 1_048_576


def found(
    rows: Iterable[_Row], fields: Sequence[str], wanted: Any, asked: Iterable[int] = ()
) -> dict[str, Any]:
    """
    Return the answer of a query: each value behind a number that says how it was got.

    :param asked: Job ids that the filter names one by one: those that do not exist are
        answered too, with nothing but the id.
    :raises UnknownOperator: The filter makes no sense.
    """
    fit = _test(wanted)
    data = [[_value(row, name) for name in fields] for row in rows if fit(row)]
    known = {row["id"] for row in rows} if asked else set()
    for number in asked:
        if number not in known:
            data.append(
                [
                    [_NORMAL, number] if n == "id" else [_ABSENT_JOB, None]
                    for n in fields
                ]
            )
    return {"data": data, "fields": [{"name": name} for name in fields]}


def named(wanted: Any, field: str) -> list[Any]:
    """Return the values that a filter names one by one: ``=`` and ``|`` of those."""
    match wanted:
        case ["=", name, value] if name == field:
            return [value]
        case ["|", *parts] if all(named(part, field) for part in parts):
            return [value for part in parts for value in named(part, field)]
    return []


def _value(row: _Row, name: str) -> list[Any]:
    if name not in row:
        return [_UNKNOWN, None]
    return [_NORMAL, row[name]]


def _test(wanted: Any) -> Callable[[_Row], bool]:
    match wanted:
        case None:
            return lambda row: True
        case ["&", *parts]:
            every = [_test(part) for part in parts]
            return lambda row: all(test(row) for test in every)
        case ["|", *parts]:
            some = [_test(part) for part in parts]
            return lambda row: any(test(row) for test in some)
        case ["!", part]:
            test = _test(part)
            return lambda row: not test(row)
        case ["?", str(name)]:
            return lambda row: bool(row[name])
        case [str(operator), str(name), value] if operator in _COMPARISONS:
            compare = _COMPARISONS[operator]
            return lambda row: compare(row[name], value)
    raise UnknownOperator(f"Unknown filter operand '{wanted}'")


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    "=[]": lambda left, right: right in left,
}
