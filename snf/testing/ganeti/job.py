"""The jobs of the simulated cluster, as its queue's files hold them."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

FINAL = frozenset({"success", "error", "canceled"})

Stamp = list[int] | None

# OS parameters that no file keeps (Ganeti lib/serializer.py, Private).
_HIDDEN = ("osparams_private", "osparams_secret")


@define(eq=False)
class Op:
    """One opcode of a job; ``hidden`` is what only who carries it out is told."""

    input: dict[str, Any]
    hidden: Mapping[str, Any] = field(factory=dict, repr=False)
    status: str = "queued"
    result: Any = None
    log: list[list[Any]] = field(factory=list)
    start: Stamp = None
    exec: Stamp = None
    end: Stamp = None

    @classmethod
    def of(cls, opcode: dict[str, Any]) -> "Op":
        """Return one of an opcode, of which the file does not hold all."""
        hidden = {name: opcode[name] for name in _HIDDEN if opcode.get(name)}
        shown = {name: dict.fromkeys(values) for name, values in hidden.items()}
        return cls(opcode | shown, hidden)

    @property
    def whole(self) -> dict[str, Any]:
        """All that it was given."""
        return {**self.input, **self.hidden}

    def file(self) -> dict[str, Any]:
        """Return what the job's file holds of it."""
        return {
            "input": self.input,
            "status": self.status,
            "result": self.result,
            "log": list(self.log),
            "start_timestamp": self.start,
            "exec_timestamp": self.exec,
            "end_timestamp": self.end,
            "priority": self.input["priority"],
        }


@define(eq=False)
class Entry:
    """One job: its opcodes one after another, until one fails."""

    id: int
    ops: list[Op]
    received: Stamp
    at: int = 0
    ready: bool = False
    archived: bool = False

    @property
    def now(self) -> Op:
        """The op that is under way, or comes next, or was the last."""
        return self.ops[self.at]

    @property
    def input(self) -> dict[str, Any]:
        """What the first op was given, which alone depends on other jobs."""
        return self.ops[0].input

    @property
    def status(self) -> str:
        """The whole job's."""
        return self.now.status

    @property
    def result(self) -> Any:
        """What the last op that was begun has left."""
        return self.now.result

    @property
    def start(self) -> Stamp:
        """When it was begun with."""
        return self.ops[0].start

    @property
    def exec(self) -> Stamp:
        """When the first op ran."""
        return self.ops[0].exec

    @property
    def end(self) -> Stamp:
        """When it ended."""
        return self.now.end if self.status in FINAL else None

    @property
    def instance(self) -> str | None:
        """The instance that it holds; None where it is about something else."""
        name: str | None = self.input.get("instance_name", self.input.get("name"))
        return name

    def file(self) -> dict[str, Any]:
        """Return what the job's file in the queue holds."""
        return {
            "id": self.id,
            "ops": [op.file() for op in self.ops],
            "received_timestamp": self.received,
            "start_timestamp": self.start,
            "end_timestamp": self.end,
        }
