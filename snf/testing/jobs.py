"""Job files as Ganeti writes them, for the tests of what reads them."""

import os
from pathlib import Path
from typing import Any

import orjson


def op(instance: str, opcode: str, status: str, **more: Any) -> dict[str, Any]:
    """Return an op of a job file; ``more`` replaces or adds keys."""
    return {
        "input": {
            "OP_ID": opcode,
            "instance_name": instance,
            "reason": more.pop("reason", []),
        },
        "status": status,
        "result": None,
        "log": [],
        "start_timestamp": [1384509201, 1],
        "exec_timestamp": [1384509202, 2],
        "end_timestamp": [1384509203, 3],
        "priority": 0,
        **more,
    }


def job(number: int, *ops: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a job file."""
    return {
        "id": number,
        "ops": list(ops),
        "received_timestamp": [1384509200, 0],
        "start_timestamp": [1384509201, 1],
        "end_timestamp": None,
        "livelock": None,
        "process_id": None,
    }


class QueueDirectory:
    """A job queue's directory, written as Ganeti does: under other names, by rename."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def write(self, number: int, *ops: dict[str, Any]) -> Path:
        """Replace the file of a job."""
        return self.write_bytes(number, orjson.dumps(job(number, *ops)))

    def write_bytes(self, number: int, content: bytes) -> Path:
        """Replace the file of a job with something that may be none."""
        new = self.path / f"job-{number}-{os.getpid()}-0.tmp"
        new.write_bytes(content)
        return new.replace(self.path / f"job-{number}")

    def archive(self, number: int) -> Path:
        """Move a job's file into the archive."""
        folder = self.path / "archive" / str(number // 10_000)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"job-{number}"
        return (self.path / name).replace(folder / name)
