"""What the OS provider tells of its work, as messages (snf-image, ``image-*``)."""

from collections.abc import Mapping
from typing import Any

import orjson

from snf.core.report import DiagnosticReport, Level

_LEVELS = {
    "image-info": Level.INFO,
    "image-warning": Level.WARNING,
    "image-error": Level.ERROR,
}

# What is told by the part that works inside of the image.
_SUBTYPES = {
    "task-start": Level.DEBUG,
    "task-end": Level.DEBUG,
    "info": Level.INFO,
    "warning": Level.WARNING,
    "error": Level.ERROR,
}

KINDS = frozenset({*_LEVELS, "image-helper"})

_LONGEST = 255
_DETAILS_BYTES = 4096


def read(
    message: Mapping[str, Any], server: int, time: float | None
) -> DiagnosticReport:
    """
    Return what a message of one of :data:`KINDS` tells.

    Nothing of it is refused: what is not as expected is told as it is.
    """
    source = str(message["type"])
    level = _LEVELS.get(source, Level.DEBUG)
    text = _words(message.get("messages")) or _words(message.get("stderr"))
    if source == "image-helper":
        subtype = _words(message.get("subtype"))
        level = _SUBTYPES.get(subtype, Level.DEBUG)
        source = f"image-helper-{subtype}" if subtype in _SUBTYPES else source
        text = text or _words(message.get("task"))
    return DiagnosticReport(
        server=server,
        level=level,
        source=source,
        message=_clean(text)[:_LONGEST],
        details=_details(message),
        time=time,
    )


def _words(value: Any) -> str:
    match value:
        case str():
            return value
        case [*lines]:
            return "\n".join(line for line in lines if isinstance(line, str))
        case _:
            return ""


def _details(message: Mapping[str, Any]) -> str:
    """Return the whole message as JSON, unless it is more than can be kept."""
    try:
        text = orjson.dumps(message)
    except orjson.JSONEncodeError:  # it is too deep
        return "{}"
    # PostgreSQL's jsonb cannot hold NUL either.
    kept = len(text) <= _DETAILS_BYTES and b"\\u0000" not in text
    return text.decode() if kept else "{}"


def _clean(text: str) -> str:
    # PostgreSQL's text cannot hold NUL.
    return text.replace("\0", "")
