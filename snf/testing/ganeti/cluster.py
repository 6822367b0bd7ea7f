"""The simulated cluster itself: what its remote API does, and what tests do to it."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from snf.testing.ganeti import views
from snf.testing.ganeti.failure import OpFailure
from snf.testing.ganeti.job import Entry
from snf.testing.ganeti.machines import Machines
from snf.testing.ganeti.opcodes import Unfit, opcode
from snf.testing.ganeti.queue import Durations, JobQueue
from snf.testing.ganeti.web import Call, Failed, Faults, Front

_Route = tuple[str, str, Callable[..., Any]]


def _ignore(job: dict[str, Any]) -> None:
    """Do nothing with a changed job."""


@define(eq=False)
class FakeGaneti:
    """
    A cluster with the shapes, the rules and the pace of a real one.

    :param on_change: Called with what a job's file holds after each change of it, as
        the watcher of a real queue directory would find it.
    :param oses: The OS definitions there are; None is any.
    :param nodes: How many nodes there are; instances are made on the first.
    """

    clock: IReactorTime
    name: str = "ganeti.test"
    uuid: str = "00000000-0000-4000-8000-00000000fa4e"
    user: str = "cyclades"
    password: str = field(default="simulated", repr=False)
    durations: Durations = field(factory=Durations)
    on_change: Callable[[dict[str, Any]], None] = _ignore
    oses: frozenset[str] | None = None
    nodes: int = 1
    drained: bool = False
    faults: Faults = field(factory=Faults)
    machines: Machines = field(init=False)
    queue: JobQueue = field(init=False)

    def __attrs_post_init__(self) -> None:
        node, *others = (f"node{n}.{self.name}" for n in range(1, self.nodes + 1))
        self.machines = Machines(
            self.clock, node, "kvm", self.oses, others=tuple(others)
        )
        self.queue = JobQueue(self.clock, self.machines, self.durations, self._changed)

    def resource(self) -> IResource:
        """Return the remote API, to be served at the root of a site."""
        return Front(
            self.faults,
            f"{self.user}:{self.password}",
            self.clock.seconds,
            self._answer,
        )

    def have(self, body: dict[str, Any], running: bool) -> None:
        """Have an instance already, as after a POST with this body long ago."""
        filled = opcode("OP_INSTANCE_CREATE", _creation(body))
        self.machines.add(filled)
        machine = self.machines.find(filled["instance_name"])
        if running:
            machine.start()
        else:
            machine.up = False

    def operate(self, op_id: str, instance: str, **parameters: Any) -> int:
        """Submit a job as an operator's command on the master does; return its id."""
        given = {"instance_name": instance, **parameters}
        trail = ["gnt:client:gnt-instance", "", self.queue.nanoseconds()]
        return self.queue.submit(opcode(op_id, given | {"reason": [trail]}))

    def spoil(self, op_id: str, text: str) -> None:
        """Let the next job of an opcode fail at its end, like an OS script that does."""
        failure = OpFailure("OpExecError", text)
        self.queue.spoiled.setdefault(op_id, []).append(failure)

    def cold(self, instance: str) -> None:
        """Let changes of an instance's NICs not reach its running guest."""
        self.machines.find(instance).hotplugs = False

    def crash(self, instance: str) -> None:
        """Let a guest die by itself."""
        self.machines.find(instance).running = False

    def _changed(self, entry: Entry) -> None:
        self.on_change(entry.file())

    def _answer(self, call: Call) -> Any:
        allowed = []
        for method, pattern, function in _ROUTES:
            match = re.fullmatch(pattern, call.path)
            if match and method == call.method:
                return function(self, call, *match.groups())
            if match:
                allowed.append(method)
        if allowed:
            raise Failed(
                501, f"Method {call.method} is unsupported for path {call.path}"
            )
        raise Failed(404)

    def _info(self, call: Call) -> Any:
        return {
            "software_version": "3.0.2",
            "name": self.name,
            "master": self.machines.node,
            "uuid": self.uuid,
            "default_hypervisor": self.machines.default_hypervisor,
            "enabled_hypervisors": ["kvm", "fake"],
            "enabled_disk_templates": ["file", "sharedfile", "diskless"],
            "max_running_jobs": self.queue.at_once,
            "max_tracked_jobs": 25,
        }

    def _submit(
        self, op_id: str, call: Call, name: str, static: dict[str, Any], body: Any
    ) -> int:
        if body is not None and not isinstance(body, dict):
            kind = type(body).__name__
            raise Failed(
                400, f"Body contents: Type is '{kind}', but 'dict' is expected"
            )
        fixed = {
            **static,
            "reason": self._trail(call, name),
            "dry_run": call.query.get("dry-run", "0") != "0",
        }
        overwritten = fixed.keys() & (body or {}).keys()
        if overwritten:
            raise Failed(400, f"Can't overwrite static parameters {overwritten!r}")
        try:
            filled = opcode(op_id, {**(body or {}), **fixed})
        except Unfit as failure:
            raise Failed(400, f"Invalid body parameters: {failure}") from None
        if self.drained:
            raise Failed(500, "Queue drained")
        if not call.query.get("reason", "").isascii():
            self.queue.serial += 1
            raise Failed(500, "commitBuffer: invalid argument (invalid character)")
        return self.queue.submit(filled)

    def _trail(self, call: Call, name: str) -> list[list[Any]]:
        now = self.queue.nanoseconds()
        user = call.query.get("reason")
        given = [["gnt:user", user, now]] if user else []
        return [*given, [f"gnt:library:rlib2:{name}", "", now]]

    def _create(self, call: Call) -> int:
        body = call.body
        if isinstance(body, dict):
            if body.get("__version__", 0) != 1:
                text = "Instance creation request version 0 is no longer supported"
                raise Failed(400, text)
            body = _creation(body)
            _parse_sizes(body)
        return self._submit("OP_INSTANCE_CREATE", call, "instances", {}, body)

    def _start(self, call: Call, instance: str) -> int:
        # Ganeti reads nothing else of this body.
        depends = call.body.get("depends") if isinstance(call.body, dict) else None
        return self._submit(
            "OP_INSTANCE_STARTUP",
            call,
            "instances_name_startup",
            {"instance_name": instance},
            {"depends": depends} if depends else {},
        )

    def _stop(self, call: Call, instance: str) -> int:
        static = {"instance_name": instance}
        name = "instances_name_shutdown"
        return self._submit("OP_INSTANCE_SHUTDOWN", call, name, static, call.body)

    def _reboot(self, call: Call, instance: str) -> int:
        static = {
            "instance_name": instance,
            "reboot_type": call.query.get("type", "hard"),
        }
        name = "instances_name_reboot"
        return self._submit("OP_INSTANCE_REBOOT", call, name, static, call.body)

    def _modify(self, call: Call, instance: str) -> int:
        static = {"instance_name": instance}
        name = "instances_name_modify"
        return self._submit("OP_INSTANCE_SET_PARAMS", call, name, static, call.body)

    def _grow(self, call: Call, instance: str, disk: str) -> int:
        static = {"instance_name": instance, "disk": int(disk)}
        name = "instances_name_disk_grow"
        return self._submit("OP_INSTANCE_GROW_DISK", call, name, static, call.body)

    def _reinstall(self, call: Call, instance: str) -> int:
        if call.body is not None and not isinstance(call.body, dict):
            raise Failed(400, "Invalid body contents, not a dictionary")
        if call.body and call.query:
            raise Failed(400, "Can't combine query and body parameters")
        body = call.body or {}
        # Ganeti reads nothing else of this body, and takes no reason.
        new = {"os_type": body.get("os"), "osparams": body.get("osparams")}
        steps: list[tuple[str, dict[str, Any]]] = [
            ("OP_INSTANCE_SHUTDOWN", {}),
            ("OP_INSTANCE_REINSTALL", new),
        ]
        if body.get("start", True):
            steps.append(("OP_INSTANCE_STARTUP", {}))
        try:
            ops = [
                opcode(op_id, {"instance_name": instance, **given})
                for op_id, given in steps
            ]
        except Unfit as failure:
            raise Failed(400, f"Invalid body parameters: {failure}") from None
        if self.drained:
            raise Failed(500, "Queue drained")
        return self.queue.submit(*ops)

    def _remove(self, call: Call, instance: str) -> int:
        static = {"instance_name": instance}
        return self._submit(
            "OP_INSTANCE_REMOVE", call, "instances_name", static, call.body
        )

    def _tags(self, call: Call) -> Any:
        return sorted(self.machines.tags)

    def _add_tags(self, call: Call) -> int:
        return self._retag("OP_TAGS_SET", call, None)

    def _instance_tags(self, call: Call, name: str) -> int:
        op_id = "OP_TAGS_SET" if call.method == "PUT" else "OP_TAGS_DEL"
        return self._retag(op_id, call, name)

    def _network_tags(self, call: Call, network: str) -> int:
        op_id = "OP_TAGS_SET" if call.method == "PUT" else "OP_TAGS_DEL"
        return self._retag(op_id, call, network, "network")

    def _retag(
        self, op_id: str, call: Call, name: str | None, kind: str = "instance"
    ) -> int:
        static = {
            "kind": kind if name else "cluster",
            "name": name,
            "tags": call.tags,
        }
        # Ganeti reads nothing else of this body.
        depends = call.body.get("depends") if isinstance(call.body, dict) else None
        where = f"{kind}s_name_tags" if name else "tags"
        body = {"depends": depends} if depends else None
        return self._submit(op_id, call, where, static, body)

    def _groups(self, call: Call) -> Any:
        return [
            {"name": name, "uri": f"/2/groups/{name}"} for name in self.machines.groups
        ]

    def _network_add(self, call: Call) -> int:
        return self._submit("OP_NETWORK_ADD", call, "networks", {}, call.body)

    def _network_remove(self, call: Call, network: str) -> int:
        static = {"network_name": network}
        name = "networks_name"
        return self._submit("OP_NETWORK_REMOVE", call, name, static, call.body)

    def _network_connect(self, call: Call, network: str) -> int:
        static = {"network_name": network}
        name = "networks_name_connect"
        return self._submit("OP_NETWORK_CONNECT", call, name, static, call.body)

    def _network_disconnect(self, call: Call, network: str) -> int:
        static = {"network_name": network}
        name = "networks_name_disconnect"
        return self._submit("OP_NETWORK_DISCONNECT", call, name, static, call.body)

    def _network_modify(self, call: Call, network: str) -> int:
        static = {"network_name": network}
        name = "networks_name_modify"
        return self._submit("OP_NETWORK_SET_PARAMS", call, name, static, call.body)

    def _network(self, call: Call, name: str) -> Any:
        if name not in self.machines.networks:
            raise Failed(404)
        return views.network(self.machines.networks[name])

    def _failover(self, call: Call, instance: str) -> int:
        static = {"instance_name": instance}
        name = "instances_name_failover"
        return self._submit("OP_INSTANCE_FAILOVER", call, name, static, call.body)

    def _migrate(self, call: Call, instance: str) -> int:
        static = {"instance_name": instance}
        name = "instances_name_migrate"
        return self._submit("OP_INSTANCE_MIGRATE", call, name, static, call.body)

    def _instances(self, call: Call) -> Any:
        rows = self._instance_rows()
        if call.query.get("bulk", "0") != "0":
            return rows
        return [
            {"id": row["name"], "uri": f"/2/instances/{row['name']}"} for row in rows
        ]

    def _instance(self, call: Call, name: str) -> Any:
        if name not in self.machines.by_name:
            raise Failed(404)
        machine = self.machines.by_name[name]
        return views.instance(machine, self.machines.heard(machine))

    def _instance_rows(self) -> list[dict[str, Any]]:
        names = sorted(self.machines.by_name)
        machines = [self.machines.by_name[name] for name in names]
        return [views.instance(one, self.machines.heard(one)) for one in machines]

    def _job(self, call: Call, number: str) -> Any:
        entry = self.queue.entries.get(int(number))
        if entry is None or entry.archived:
            # Not a 404: that is what Ganeti answers.
            return dict.fromkeys(views.JOB_FIELDS) | {"id": int(number)}
        row = views.job(entry)
        return {name: row[name] for name in views.JOB_FIELDS}

    def _cancel(self, call: Call, number: str) -> Any:
        return self.queue.cancel(int(number))

    def _query(self, call: Call, resource: str) -> Any:
        body = call.body
        if not isinstance(body, dict):
            kind = type(body).__name__
            raise Failed(
                400, f"Body contents: Type is '{kind}', but 'dict' is expected"
            )
        wanted = body.get("qfilter")
        try:
            return self._found(resource, body["fields"], wanted)
        except views.UnknownOperator as failure:
            raise Failed(502, f"Failed to parse request: {failure}") from None

    def _found(self, resource: str, fields: list[str], wanted: Any) -> Any:
        if resource == "job":
            asked = views.named(wanted, "id")
            jobs = [
                views.job(entry)
                for entry in self._candidates(wanted, asked)
                # Naming the field is what makes Ganeti look into the archive.
                if not entry.archived or "archived" in fields
            ]
            return views.found(jobs, fields, wanted, asked)
        if resource == "node":
            machines = self.machines
            nodes = (machines.node, *machines.others)
            rows = [views.node(machines, name) for name in nodes]
            return views.found(rows, fields, wanted)
        for name in views.named(wanted, "name"):
            if name not in self.machines.by_name:
                text = f"Instance name {name} not found"
                raise Failed(500, str((text, "unknown_entity")))
        return views.found(self._instance_rows(), fields, wanted)

    def _candidates(self, wanted: Any, asked: list[int]) -> Iterable[Entry]:
        """Return the jobs that a filter may want, without looking at thousands."""
        entries = self.queue.entries
        match wanted:
            case [">", "id", int(last)]:
                asked = [*range(max(last, 0) + 1, self.queue.serial + 1)]
            case _ if not asked:
                return entries.values()
        return [entries[number] for number in asked if number in entries]


def _creation(body: dict[str, Any]) -> dict[str, Any]:
    """Return the opcode's parameters in a request's body."""
    renamed = {"os": "os_type", "name": "instance_name"}
    return {
        renamed.get(key, key): value
        for key, value in body.items()
        if key != "__version__"
    }


def _parse_sizes(body: dict[str, Any]) -> None:
    """
    Refuse a disk's size that is not a number, as luxid does with a 502.

    :raises Failed: There is one.
    """
    disks = body.get("disks")
    for disk in disks if isinstance(disks, list) else ():
        size = disk.get("size") if isinstance(disk, dict) else None
        if isinstance(size, str) and not size.isdigit():
            text = f"Can't parse value for 'disks': Can't parse string '{size}'"
            raise Failed(502, f"Failed to parse request: SubmitJob: {text}")


_NAME = "([^/]+)"
_NUMBER = "([0-9]+)"
_ROUTES: tuple[_Route, ...] = (
    ("GET", "/version", lambda cluster, call: 2),
    ("GET", "/2/info", FakeGaneti._info),
    ("GET", "/2/tags", FakeGaneti._tags),
    ("PUT", "/2/tags", FakeGaneti._add_tags),
    ("GET", "/2/instances", FakeGaneti._instances),
    ("POST", "/2/instances", FakeGaneti._create),
    ("GET", f"/2/instances/{_NAME}", FakeGaneti._instance),
    ("DELETE", f"/2/instances/{_NAME}", FakeGaneti._remove),
    ("PUT", f"/2/instances/{_NAME}/startup", FakeGaneti._start),
    ("PUT", f"/2/instances/{_NAME}/shutdown", FakeGaneti._stop),
    ("POST", f"/2/instances/{_NAME}/reboot", FakeGaneti._reboot),
    ("PUT", f"/2/instances/{_NAME}/modify", FakeGaneti._modify),
    ("POST", f"/2/instances/{_NAME}/reinstall", FakeGaneti._reinstall),
    ("PUT", f"/2/instances/{_NAME}/tags", FakeGaneti._instance_tags),
    ("DELETE", f"/2/instances/{_NAME}/tags", FakeGaneti._instance_tags),
    ("POST", f"/2/instances/{_NAME}/disk/{_NUMBER}/grow", FakeGaneti._grow),
    ("PUT", f"/2/instances/{_NAME}/failover", FakeGaneti._failover),
    ("PUT", f"/2/instances/{_NAME}/migrate", FakeGaneti._migrate),
    ("GET", f"/2/jobs/{_NUMBER}", FakeGaneti._job),
    ("DELETE", f"/2/jobs/{_NUMBER}", FakeGaneti._cancel),
    ("GET", "/2/groups", FakeGaneti._groups),
    ("POST", "/2/networks", FakeGaneti._network_add),
    ("GET", f"/2/networks/{_NAME}", FakeGaneti._network),
    ("DELETE", f"/2/networks/{_NAME}", FakeGaneti._network_remove),
    ("PUT", f"/2/networks/{_NAME}/connect", FakeGaneti._network_connect),
    ("PUT", f"/2/networks/{_NAME}/disconnect", FakeGaneti._network_disconnect),
    ("PUT", f"/2/networks/{_NAME}/modify", FakeGaneti._network_modify),
    ("PUT", f"/2/networks/{_NAME}/tags", FakeGaneti._network_tags),
    ("DELETE", f"/2/networks/{_NAME}/tags", FakeGaneti._network_tags),
    ("PUT", "/2/query/(job|instance|node)", FakeGaneti._query),
)
