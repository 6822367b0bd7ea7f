"""What went wrong with a call, told from how it ended."""

from html import unescape
from typing import Any

import orjson
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.web.client import (
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
)

from snf.rapi.errors import RapiError, Refused, Trouble, Unreachable, WrongCredentials

_CREDENTIALS = frozenset({401, 403})
# A proxy's "too slow" and "too many"; Ganeti's "the queue is full" and "luxid is away".
_LATER = frozenset({408, 429, 502, 503, 504})
_NOT_IMPLEMENTED = 501
# A value of a wrong type in a place where only luxid looks: a 502, but for good.
_UNREADABLE = "Failed to parse request"


def refusal(call: str, status: int, content: bytes) -> RapiError:
    """Return the error that a status other than 200 stands for."""
    explanation = _explanation(content)
    text = f"{call}: {status} {explanation or ''}".rstrip()
    if status in _CREDENTIALS:
        return WrongCredentials(text)
    if explanation and explanation.startswith(_UNREADABLE):
        return Refused(text, status)
    if status in _LATER or (explanation and "drained" in explanation.lower()):
        # An operator who drains the queue (gnt-cluster queue drain) wants no new jobs
        # for a while.  Ganeti 3.0 says 500 then, although it means to say 503.
        return Unreachable(text)
    # Without an explanation it was not Ganeti that answered.
    if explanation and (400 <= status < 500 or status == _NOT_IMPLEMENTED):
        return Refused(text, status)
    return Trouble(text)


def unanswered(failure: BaseException) -> str | None:
    """
    Return why there was no answer; None when the exception is not of the network.

    :raises CancelledError: Whoever waits for the answer gave it up.
    """
    cause = _cause(failure)
    if isinstance(cause, CancelledError | error.ConnectingCancelledError):
        raise CancelledError
    if isinstance(cause, SSL.Error):
        return f"TLS failed: {_openssl(cause)}"
    for kind, text in _REASONS.items():
        if isinstance(cause, kind):
            return text
    return None


# The first that fits; one that wraps others comes after what it may be.
_REASONS: dict[type[BaseException], str] = {
    VerificationError: "its certificate is for another name",
    error.ConnectionRefusedError: "connection refused",
    error.TimeoutError: "no connection in time",
    error.DNSLookupError: "there is no such host",
    error.NoRouteError: "no route to host",
    error.ConnectError: "no connection",
    error.ConnectionClosed: "the connection was closed before the answer",
    ResponseFailed: "the connection was closed before the answer",
    RequestTransmissionFailed: "the connection was closed before the request",
    RequestNotSent: "the connection was closed before the request",
}


def _cause(failure: BaseException) -> BaseException:
    """Return what an exception of Twisted's HTTP client stands for."""
    reasons = getattr(failure, "reasons", None)
    return _cause(reasons[0].value) if reasons else failure


def _openssl(failure: SSL.Error) -> str:
    """Return OpenSSL's reasons: ``certificate verify failed``."""
    try:
        return ", ".join(reason for _, _, reason in failure.args[0]) or "no reason"
    except (IndexError, TypeError, ValueError):
        return "connection closed"


def _explanation(content: bytes) -> str | None:
    """
    Return the text of an answer of Ganeti's kind: {"code", "message", "explain"}.

    None when it is not one.  Ganeti escapes it for HTML.
    """
    try:
        answer: Any = orjson.loads(content)
        return unescape(str(answer["message"]))[:2000] if "code" in answer else None
    except (LookupError, TypeError, ValueError):
        return None
