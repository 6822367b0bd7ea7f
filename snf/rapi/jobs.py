"""Ganeti's jobs, as its remote API tells of them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.core.naming import order_id, osparams_order, server_id
from snf.core.report import JobReport, JobStatus, decisive, hotplugged

# What a job query has to ask for; see ``parse``.
FIELDS = (
    "id",
    "status",
    "ops",
    "opstatus",
    "opresult",
    "opstart",
    "opexec",
    "opend",
    "received_ts",
)


@frozen
class Op:
    """
    One operation of a job.

    ``opcode`` is Ganeti's ``OP_ID``; ``instance`` the name of the one it is about;
    ``order`` the order that asked for it.  ``time`` is when it reached its status, in
    seconds since the epoch on the master's clock.
    """

    opcode: str
    instance: str | None
    status: JobStatus
    time: float
    order: UUID | None = None
    error: str | None = None
    error_code: str | None = None
    hotplugged: bool = False


@frozen
class Job:
    """One job of Ganeti's queue or archive."""

    id: int
    status: JobStatus
    ops: tuple[Op, ...]

    @property
    def order(self) -> UUID | None:
        """The order that asked for it, where one did."""
        return next((op.order for op in self.ops if op.order is not None), None)


def reports(job: Job, prefix: str) -> tuple[JobReport, ...]:
    """Return what a job says of the servers whose instances carry a prefix."""
    found = []
    last = decisive([op.status.value for op in job.ops])
    for at, op in enumerate(job.ops):
        server = server_id(prefix, op.instance) if op.instance else None
        if server is not None:
            found.append(
                JobReport(
                    server=server,
                    job=job.id,
                    opcode=op.opcode,
                    status=op.status,
                    time=op.time,
                    ends_job=job.status.final and at == last,
                    order=job.order,
                    error=op.error,
                    error_code=op.error_code,
                    hotplugged=op.hotplugged,
                )
            )
    return tuple(found)


def parse(values: Mapping[str, Any]) -> Job | None:
    """
    Return the job that the values of ``FIELDS`` make; None for one that does not exist.

    :raises LookupError, TypeError, ValueError, AttributeError: They make none.
    """
    # A job asked for by an id that never was, or whose file has been cleaned away, is
    # answered with this id and nothing else.
    if values["status"] is None:
        return None
    received = values["received_ts"]
    ops = zip(
        values["ops"],
        values["opstatus"],
        values["opresult"],
        values["opstart"],
        values["opexec"],
        values["opend"],
        strict=True,
    )
    return Job(
        id=int(values["id"]),
        status=JobStatus(values["status"]),
        ops=tuple(
            _op(given, JobStatus(status), result, (received, *stamps))
            for given, status, result, *stamps in ops
        ),
    )


def _op(given: Any, status: JobStatus, result: Any, stamps: tuple[Any, ...]) -> Op:
    error, code = None, None
    if status in (JobStatus.ERROR, JobStatus.CANCELED):
        error, code = _error(result, status)
    name = given.get("instance_name")
    return Op(
        opcode=str(given["OP_ID"]),
        instance=name if isinstance(name, str) else None,
        status=status,
        time=_reached(status, *stamps),
        order=_order(given.get("reason")) or osparams_order(given.get("osparams")),
        error=error,
        error_code=code,
        hotplugged=status is JobStatus.SUCCESS and hotplugged(result),
    )


def _reached(
    status: JobStatus, received: Any, start: Any, execution: Any, end: Any
) -> float:
    """Return when an op came to its status, chosen as in the messages of eventd."""
    stamp = {
        JobStatus.QUEUED: received,
        JobStatus.WAITING: start,
        JobStatus.CANCELING: start,
        JobStatus.RUNNING: execution,
    }.get(status, end)
    # An op that waited for another job's end never gets a start.
    seconds, microseconds = stamp or execution or start or received
    return float(seconds) + float(microseconds) / 1e6


def _order(trail: Any) -> UUID | None:
    """Return the order named in a reason trail: [[source, reason, nanoseconds], ...]."""
    for _, reason, _ in trail or ():
        found = order_id(reason)
        if found is not None:
            return found
    return None


def _error(result: Any, status: JobStatus) -> tuple[str, str | None]:
    """Take apart Ganeti's encoded exception: [class, [text, code]] or [class, [text]]."""
    match result:
        case [str(), [str(text), str(code)]]:
            return text, code
        case [str(), [str(text), *_]]:
            return text, None
        case str(text) if text:
            return text, None
        case None if status is JobStatus.CANCELED:
            return "the job was canceled", None
        case _:
            return f"Ganeti gives no reason: {result!r}"[:500], None
