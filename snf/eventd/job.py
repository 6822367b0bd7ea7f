"""A job file of Ganeti, and the messages that it is worth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from snf.bus.messages import OpStatus, op_status
from snf.core.naming import order_id, osparams_order, server_id
from snf.core.report import decisive, hotplugged

_LONGEST_LOG = 4000


class Unreadable(Exception):
    """The file is not a whole job; the text says why."""


def messages(
    job: int, content: bytes, cluster: str, prefix: str
) -> list[tuple[str, bytes]]:
    """
    Return the routing keys and bodies for all ops that concern one of our instances.

    An op with no instance or with several says nothing about a server.

    :param job: The number in the file's name.
    :raises Unreadable: It is not JSON, or not what Ganeti writes (lib/jqueue,
        ``_QueuedJob.Serialize``).
    """
    try:
        file = orjson.loads(content)
        return [op_status(news, prefix) for news in _news(job, file, cluster, prefix)]
    except orjson.JSONDecodeError as problem:
        raise Unreadable(f"not JSON: {problem}") from None
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as problem:
        raise Unreadable(f"not a job: {problem!r}") from None


def _news(
    job: int, file: Mapping[str, Any], cluster: str, prefix: str
) -> Iterator[OpStatus]:
    ops = file["ops"]
    statuses = [op["status"] for op in ops]
    whole, last = job_status(statuses), decisive(statuses)
    orders = (_order(op["input"]) for op in ops)
    order = next((order for order in orders if order is not None), None)
    for at, op in enumerate(ops):
        given = op["input"]
        instance = _instance(given)
        if instance is None or server_id(prefix, instance) is None:
            continue
        status = op["status"]
        failed = status in ("error", "canceled")
        yield OpStatus(
            instance=instance,
            operation=given["OP_ID"],
            job=job,
            status=status,
            # One op alone ends the job.
            job_status=whole if at == last else _going_on(whole),
            time=_time(file, op, status),
            cluster=cluster,
            log=_last_line(op.get("log")),
            order=order,
            result=op.get("result") if failed else None,
            hotplugged=status == "success" and hotplugged(op.get("result")),
        )


def job_status(ops: Sequence[str]) -> str:
    """
    Return the status of a whole job from those of its ops.

    The source is Ganeti's own rule (lib/jqueue, ``_QueuedJob.CalcStatus``): the last
    word is that of the op that is under way, and one that failed decides.
    """
    if all(status == "success" for status in ops):
        return "success"
    whole = "queued"
    for status in ops:
        if status in ("waiting", "running"):
            whole = status
        elif status in ("canceling", "error", "canceled"):
            return status
    return whole


def _going_on(whole: str) -> str:
    return "running" if whole in ("success", "error", "canceled") else whole


def _instance(given: Mapping[str, Any]) -> str | None:
    name = given.get("instance_name")
    if isinstance(name, str):
        return name
    match given.get("instances"):
        case [str(name)]:
            return name
        case _:
            return None


def _time(
    file: Mapping[str, Any], op: Mapping[str, Any], status: str
) -> tuple[int, int]:
    """Return when the op came to its status."""
    end, begun, start = (
        op.get(f"{word}_timestamp") for word in ("end", "exec", "start")
    )
    received = file.get("received_timestamp")
    if status == "queued":
        times = [received]
    elif status in ("waiting", "canceling"):
        times = [start, received]
    elif status == "running":
        times = [begun, start, received]
    else:
        # What was canceled while it waited may have no time of its own.
        times = [end, file.get("end_timestamp"), begun, start, received]
    seconds, microseconds = next(time for time in [*times, [0, 0]] if time)
    return int(seconds), int(microseconds)


def _last_line(log: Any) -> str | None:
    match log:
        case [*_, [*_, str(line)]]:
            return line[:_LONGEST_LOG]
        case _:
            return None


def _order(given: Mapping[str, Any]) -> UUID | None:
    """Return the order that asked for an op.

    It is named in the reason trail (entries of source, text, time), or else in the OS
    parameters.
    """
    for entry in given.get("reason") or ():
        order = order_id(entry[1])
        if order is not None:
            return order
    return osparams_order(given.get("osparams"))
