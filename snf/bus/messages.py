"""The words that Ganeti masters and the cloud exchange, read and written.

Both generations are understood: the original one of 2012 (no times, no cluster) and
its successors (``event_time``, ``cluster``, ``result`` ...).  Nothing here trusts what
came over the wire: whatever the bytes, the answer is a report, None or ``Malformed``,
and every text and number of a report fits into a database column.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import orjson
from attrs import frozen

from snf.bus import diagnostics
from snf.bus.topology import OP, routing_key
from snf.core.naming import server_id
from snf.core.report import (
    DiagnosticReport,
    JobReport,
    JobStatus,
    Nic,
    NicReport,
    ProgressReport,
    Report,
)

OP_STATUS = "ganeti-op-status"
NET_STATUS = "ganeti-net-status"

# Known, and of no concern to servers.
_IGNORED = frozenset(
    {
        "ganeti-network-status",
        "ganeti-cluster-status",
        "eventd-heartbeat",
    }
)

_LONGEST_TEXT = 4000
_LATEST_S = 253_402_300_799  # the end of the year 9999: all that databases can hold
_LARGEST_JOB = 2**63 - 1
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_OPCODE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_ERROR_CODE = re.compile(r"[a-z][a-z_]{0,63}")


class Malformed(Exception):
    """A message that nobody can make sense of; the text says why, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason[:200])

    @property
    def reason(self) -> str:
        """What is wrong with it."""
        return str(self)


@frozen
class OpStatus:
    """What eventd tells about one op of a job.

    ``time`` is Ganeti's pair of seconds and microseconds since the epoch; ``status``
    and ``job_status`` are Ganeti's own words.  ``result`` is what a failed op left;
    ``hotplugged`` is whether a running guest has got what one that succeeded changed.
    """

    instance: str
    operation: str
    job: int
    status: str
    job_status: str
    time: tuple[int, int]
    cluster: str
    log: str | None = None
    order: UUID | None = None
    result: Any = None
    hotplugged: bool = False


def op_status(news: OpStatus, prefix: str) -> tuple[str, bytes]:
    """Return the routing key and the body of the message that tells it."""
    text, code = failure(news.result)
    message = {
        "type": OP_STATUS,
        "instance": news.instance,
        "operation": news.operation,
        "jobId": news.job,
        "status": news.status,
        "logmsg": news.log,
        "event_time": news.time,
        "cluster": news.cluster,
        "order": str(news.order) if news.order else None,
        "job_status": news.job_status,
        "result": text,
        "error_code": code,
    }
    if news.hotplugged:
        message["hotplugged"] = True
    return routing_key(prefix, OP), orjson.dumps(message)


def failure(result: Any) -> tuple[str | None, str | None]:
    """
    Return the text and the error code of a failed op's result.

    Ganeti stores an exception as ``[class name, [text, code]]`` (lib/errors.py,
    EncodeException); the code is there for some classes only, and some paths leave a
    plain text.  None stands for what is not there.
    """
    match result:
        case [str(), [str(text), str(code), *_]] if _ERROR_CODE.fullmatch(code):
            return _clean(text), code
        case [str(), [str(text), *_]] | [str(), str(text)] | str(text):
            return _clean(text) or None, None
        case [str(name), [*_]]:
            return _clean(name) or None, None
        case _:
            return None, None


def parse(body: bytes, prefix: str, now: float) -> Report | None:
    """
    Return what a message says; None when it does not concern our servers.

    A message about a job that carries no time is taken to be of ``now``.  One about
    NICs or progress that carries none has ``time`` None.

    :raises Malformed: It is not JSON, of an unknown type, lacks a key, or has one with
        a value that makes no sense.
    """
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Malformed(f"not JSON: {problem}") from None
    if not isinstance(message, dict):
        raise Malformed("not a JSON object")
    kind = _text(message, "type")
    if kind in _IGNORED:
        return None
    read = _READERS.get(kind)
    if read is None:
        raise Malformed("type: not known")
    server = server_id(prefix, _text(message, "instance"))
    return None if server is None else read(message, server, now)


def _job(message: Mapping[str, Any], server: int, now: float) -> JobReport:
    status = _status(message, "status")
    whole = _status(message, "job_status") if message.get("job_status") else status
    error = code = None
    if status in (JobStatus.ERROR, JobStatus.CANCELED):
        error, code = failure(message.get("result"))
        error = error or "Ganeti gave no reason"
        code = _error_code(message) or code
    time = _time(message)
    return JobReport(
        server=server,
        job=_job_id(message),
        opcode=_matching(message, "operation", _OPCODE),
        status=status,
        time=now if time is None else time,
        ends_job=whole.final,
        order=_order(message),
        error=error,
        error_code=code,
        hotplugged=message.get("hotplugged") is True,
    )


def _nics(message: Mapping[str, Any], server: int, now: float) -> NicReport:
    nics = message.get("nics")
    if not isinstance(nics, list):
        raise Malformed("nics: must be a list")
    return NicReport(server, tuple(_nic(nic) for nic in nics), _time(message))


def _nic(nic: Any) -> Nic:
    if not isinstance(nic, dict):
        raise Malformed("nics: must be a list of objects")
    mac = _text(nic, "mac").lower()
    if not _MAC.fullmatch(mac):
        raise Malformed("mac: is none")
    return Nic(
        mac=mac,
        name=_optional_text(nic, "name"),
        ip=_ip(nic),
        link=_optional_text(nic, "link"),
        network=_optional_text(nic, "network"),
    )


def _diagnostic(
    message: Mapping[str, Any], server: int, now: float
) -> DiagnosticReport:
    return diagnostics.read(message, server, _time(message))


def _progress(key: str) -> Callable[[Mapping[str, Any], int, float], ProgressReport]:
    def read(message: Mapping[str, Any], server: int, now: float) -> ProgressReport:
        percent = _number(message.get(key), key)
        # More than 100 is seen: it is computed from bytes read, metadata included.
        return ProgressReport(
            server, int(min(100.0, max(0.0, percent))), _time(message)
        )

    return read


_READERS: Mapping[str, Callable[[Mapping[str, Any], int, float], Report]] = {
    OP_STATUS: _job,
    NET_STATUS: _nics,
    "ganeti-create-progress": _progress("rprogress"),
    "image-copy-progress": _progress("progress"),
    **dict.fromkeys(diagnostics.KINDS, _diagnostic),
}


def _text(message: Mapping[str, Any], key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise Malformed(f"{key}: must be a string")
    return _clean(value)


def _optional_text(message: Mapping[str, Any], key: str) -> str | None:
    if message.get(key) is None:
        return None
    return _text(message, key) or None


def _matching(message: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = _text(message, key)
    if not form.fullmatch(value):
        raise Malformed(f"{key}: not of the form {form.pattern}")
    return value


def _clean(text: str) -> str:
    # PostgreSQL's text cannot hold NUL.
    return text.replace("\0", "")[:_LONGEST_TEXT]


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{key}: must be a number")
    return float(value)


def _time(message: Mapping[str, Any]) -> float | None:
    match message.get("event_time"):
        case None:
            return None
        case [seconds, microseconds]:
            time = (
                _number(seconds, "event_time")
                + _number(microseconds, "event_time") / 1e6
            )
        case seconds:
            time = _number(seconds, "event_time")
    if not 0 <= time <= _LATEST_S:
        raise Malformed("event_time: out of range")
    return time


def _status(message: Mapping[str, Any], key: str) -> JobStatus:
    try:
        return JobStatus(_text(message, key))
    except ValueError:
        raise Malformed(f"{key}: not known") from None


def _job_id(message: Mapping[str, Any]) -> int:
    # A string before Ganeti 2.7, a number since.
    value = message.get("jobId")
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed("jobId: must be a whole number")
    if not 0 <= value <= _LARGEST_JOB:
        raise Malformed("jobId: out of range")
    return value


def _order(message: Mapping[str, Any]) -> UUID | None:
    if message.get("order") is None:
        return None
    try:
        return UUID(_text(message, "order"))
    except ValueError:
        raise Malformed("order: must be a UUID") from None


def _error_code(message: Mapping[str, Any]) -> str | None:
    if message.get("error_code") is None:
        return None
    return _matching(message, "error_code", _ERROR_CODE)


def _ip(nic: Mapping[str, Any]) -> str | None:
    text = _optional_text(nic, "ip")
    if text is None:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        raise Malformed("ip: is none") from None
    if "%" in text:
        raise Malformed("ip: has a zone")
    return str(address)
