"""The job queue of the simulated cluster: what waits for what, and how long it takes."""

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from snf.testing.ganeti.effects import EFFECTS
from snf.testing.ganeti.failure import OpFailure
from snf.testing.ganeti.job import FINAL, Entry, Op
from snf.testing.ganeti.machines import Machines

# Finished jobs beyond this many are forgotten, as by Ganeti's watcher and cleaner.
_KEPT = 10_000


@frozen
class Durations:
    """
    Seconds that the steps of a job take, as on a small real cluster with no guests.

    ``pick`` is from its arrival until a process begins with it.
    """

    pick: float = 0.2
    lock: float = 0.02
    create: float = 0.9
    start: float = 0.5
    stop: float = 0.4
    reboot: float = 0.6
    remove: float = 0.4
    grow: float = 0.4
    modify: float = 0.2
    tag: float = 0.1
    network: float = 0.1
    move: float = 2.0

    def of(self, op_id: str) -> float:
        """Return how long an opcode runs."""
        return {
            "OP_INSTANCE_CREATE": self.create,
            "OP_INSTANCE_STARTUP": self.start,
            "OP_INSTANCE_SHUTDOWN": self.stop,
            "OP_INSTANCE_REBOOT": self.reboot,
            "OP_INSTANCE_REMOVE": self.remove,
            "OP_INSTANCE_REINSTALL": self.create,
            "OP_INSTANCE_GROW_DISK": self.grow,
            "OP_INSTANCE_SET_PARAMS": self.modify,
            "OP_TAGS_SET": self.tag,
            "OP_TAGS_DEL": self.tag,
            "OP_NETWORK_ADD": self.network,
            "OP_NETWORK_REMOVE": self.network,
            "OP_NETWORK_CONNECT": self.network,
            "OP_NETWORK_SET_PARAMS": self.network,
            "OP_NETWORK_DISCONNECT": self.network,
            "OP_INSTANCE_FAILOVER": self.move,
            "OP_INSTANCE_MIGRATE": self.move,
        }[op_id]


@define(eq=False)
class JobQueue:
    """
    Runs jobs: those of one instance one after another, others side by side.

    ``changed`` is called with an entry after each change of it; ``spoiled`` are
    failures that the next jobs of an opcode end in.
    """

    clock: IReactorTime
    machines: Machines
    durations: Durations
    changed: Callable[[Entry], None]
    at_once: int = 20
    serial: int = 0
    entries: dict[int, Entry] = field(factory=dict)
    spoiled: dict[str, list[OpFailure]] = field(factory=dict)
    _queued: dict[int, Entry] = field(init=False, factory=dict)
    _busy: dict[int, Entry] = field(init=False, factory=dict)

    def submit(self, *opcodes: dict[str, Any]) -> int:
        """Take in a job and return its id."""
        self.serial += 1
        now = self.stamp()
        ops = []
        for index, opcode in enumerate(opcodes):
            summary = opcode["OP_ID"].removeprefix("OP_").lower()
            trail = [
                f"gnt:opcode:{summary}",
                f"job={self.serial};index={index}",
                self.nanoseconds(),
            ]
            ops.append(Op.of(opcode | {"reason": [*opcode["reason"], trail]}))
        entry = Entry(id=self.serial, ops=ops, received=now)
        self.entries[entry.id] = self._queued[entry.id] = entry
        self.changed(entry)
        self.clock.callLater(self.durations.pick, self._picked, entry)
        return entry.id

    def cancel(self, job: int) -> tuple[bool, str]:
        """Cancel a job that has not begun; the answer is worded as Ganeti's."""
        entry = self.entries.get(job)
        if entry is None or entry.status in FINAL:
            return False, f"Job {job} not found in queue"
        if entry.status != "queued":
            return False, "Job no longer waiting, can't cancel (informed it anyway)"
        self._finish(entry, "canceled", None)
        return True, f"Dequeued job {job}"

    def archive(self) -> None:
        """Put away what has ended, as Ganeti's watcher does after six hours."""
        for entry in self.entries.values():
            entry.archived = entry.status in FINAL

    def purge(self) -> None:
        """Forget what has ended, as Ganeti's cleaner does after three weeks."""
        ended = [job for job, entry in self.entries.items() if entry.status in FINAL]
        for job in ended:
            del self.entries[job]

    def stamp(self) -> list[int]:
        """Return the time as Ganeti writes it: seconds and microseconds."""
        now = self.clock.seconds()
        return [int(now), int(now % 1 * 1e6)]

    def nanoseconds(self) -> int:
        """Return the time as reason trails have it."""
        return int(self.clock.seconds() * 1e9)

    def _picked(self, entry: Entry) -> None:
        entry.ready = True
        self._schedule()

    def _schedule(self) -> None:
        """Begin with what can begin, oldest first."""
        for entry in list(self._queued.values()):
            if len(self._busy) >= self.at_once:
                return
            if entry.ready and entry.id in self._queued and self._may_begin(entry):
                self._wait(entry)

    def _may_begin(self, entry: Entry) -> bool:
        return all(
            job not in self.entries or self.entries[job].status in FINAL
            for job, _ in entry.input["depends"] or ()
        )

    def _wait(self, entry: Entry) -> None:
        text = self._broken(entry)
        if text is not None:
            entry.now.start = self.stamp()
            self._finish(entry, "error", ["OpExecError", [text]])
            return
        self._busy[entry.id] = self._queued.pop(entry.id)
        self._next(entry)

    def _next(self, entry: Entry) -> None:
        """Let an op wait for what it is about."""
        entry.now.start = self.stamp()
        entry.now.status = "waiting"
        self.changed(entry)
        self.clock.callLater(self.durations.lock, self._lock)

    def _broken(self, entry: Entry) -> str | None:
        """Return what is wrong with the jobs that one depends on."""
        for job, wanted in entry.input["depends"] or ():
            if job not in self.entries:
                return f"Dependency error: Job {job} not found"
            status = self.entries[job].status
            if wanted and status not in wanted:
                return (
                    f"Dependency job {job} finished with status '{status}', "
                    f"not one of '{', '.join(wanted)}' as required"
                )
        return None

    def _lock(self) -> None:
        """Run what waits for an instance that nothing else is at work on."""
        for entry in list(self._busy.values()):
            if entry.status == "waiting" and not self._held(entry.instance):
                self._run(entry)

    def _held(self, name: str | None) -> bool:
        return any(
            entry.status == "running" and entry.instance == name
            for entry in self._busy.values()
        )

    def _run(self, entry: Entry) -> None:
        entry.now.exec = self.stamp()
        entry.now.status = "running"
        self.changed(entry)
        op_id = entry.now.input["OP_ID"]
        try:
            EFFECTS[op_id].begin(self.machines, entry.now.whole)
        except OpFailure as failure:
            self._finish(entry, "error", failure.result)
            return
        half = self.durations.of(op_id) / 2
        self.clock.callLater(half, self._half, entry)
        self.clock.callLater(half * 2, self._end, entry)

    def _half(self, entry: Entry) -> None:
        op = entry.now
        effect = EFFECTS[op.input["OP_ID"]]
        effect.half(self.machines, op.whole)
        for text in effect.says:
            op.log.append([len(op.log) + 1, self.stamp(), "message", text])
            self.changed(entry)

    def _end(self, entry: Entry) -> None:
        op_id = entry.now.input["OP_ID"]
        spoiled = self.spoiled.get(op_id)
        try:
            if spoiled:
                raise spoiled.pop(0)
            result = EFFECTS[op_id].end(self.machines, entry.now.whole)
        except OpFailure as failure:
            self._finish(entry, "error", failure.result)
        else:
            self._succeed(entry, result)

    def _succeed(self, entry: Entry, result: Any) -> None:
        """End an op well; the next one of the job follows, if there is one."""
        if entry.at + 1 == len(entry.ops):
            self._finish(entry, "success", result)
            return
        op = entry.now
        op.status, op.result, op.end = "success", result, self.stamp()
        entry.at += 1
        self._next(entry)

    def _finish(self, entry: Entry, status: str, result: Any) -> None:
        op = entry.now
        op.status, op.result, op.end = status, result, self.stamp()
        for left in entry.ops[entry.at + 1 :]:
            # What was canceled has nothing to say; else Ganeti has its word for it.
            left.status, left.end = status, op.end
            if status == "error":
                left.result = ["OpExecError", ["Preceding opcode failed"]]
        self._queued.pop(entry.id, None)
        self._busy.pop(entry.id, None)
        self.changed(entry)
        self._forget()
        self._lock()
        self._schedule()

    def _forget(self) -> None:
        if len(self.entries) > _KEPT:
            oldest = next(iter(self.entries))
            if self.entries[oldest].status in FINAL:
                del self.entries[oldest]
