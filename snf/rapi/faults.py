"""What went wrong with a call, told from its answer."""

from html import unescape
from typing import Any

import orjson

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
