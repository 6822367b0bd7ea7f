"""What vncauthproxy is asked, and what it answers: one JSON object each.

The fields are those of the original, whose clients need not notice.
"""

import json
import re
from enum import Enum
from typing import Any

from attrs import field, frozen

# The longest request; the original reads 1,024 bytes.
LARGEST = 4096


class BadRequest(Exception):
    """A request makes no sense; the text says why."""


class Kind(Enum):
    """How a viewer speaks with the port that it is given."""

    VNC = "vnc"
    WEBSOCKET = "vnc-ws"
    SECURE_WEBSOCKET = "vnc-wss"


@frozen
class Request:
    """
    Somebody asks for a port that leads to a screen.

    :ivar source_port: The port that it is to be; 0 is any of the pool.
    :ivar password: With which the viewer is let in, once.
    :ivar user: Who asks, where he has to say so.
    """

    destination_address: str
    destination_port: int
    password: str = field(repr=False)
    source_port: int = 0
    kind: Kind = Kind.VNC
    user: str = ""
    user_password: str = field(default="", repr=False)


def parse(data: bytes, whole: bool) -> Request | None:
    """
    Return the request in some bytes; None while it is not whole.

    :param whole: That no more will come.
    :raises BadRequest: It is none.
    """
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        if whole:
            raise BadRequest("the request is no JSON object") from None
        if len(data) >= LARGEST:
            raise BadRequest(f"the request is longer than {LARGEST} bytes") from None
        return None
    if not isinstance(given, dict):
        raise BadRequest("the request is no JSON object")
    return Request(
        destination_address=_host(given, "destination_address"),
        destination_port=_port(given, "destination_port", 1),
        password=_text(given, "password", 255),
        source_port=_port(given, "source_port", 0, 0),
        kind=_kind(given),
        user=_text(given, "auth_user", 255, ""),
        user_password=_text(given, "auth_password", 1024, ""),
    )


def _text(
    given: dict[str, Any], key: str, longest: int, default: str | None = None
) -> str:
    value = given.get(key, default)
    if value is None and key not in given:
        raise BadRequest(f"{key}: is missing")
    if not isinstance(value, str) or len(value) > longest:
        raise BadRequest(f"{key}: must be a string of at most {longest} characters")
    if default is None and not value:
        raise BadRequest(f"{key}: must not be empty")
    if not _is_text(value):
        raise BadRequest(f"{key}: must be text")
    return value


def _host(given: dict[str, Any], key: str) -> str:
    value = _text(given, key, 255)
    # It is named in logs and reasons.
    if not re.fullmatch(r"[0-9A-Za-z_.:%-]+", value):
        raise BadRequest(f"{key}: must be a name or an address")
    return value


def _is_text(value: str) -> bool:
    """Whether a string has no half of a character in it, as JSON may."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _port(
    given: dict[str, Any], key: str, least: int, default: int | None = None
) -> int:
    value = given.get(key, default)
    if value is None and key not in given:
        raise BadRequest(f"{key}: is missing")
    if type(value) is not int or not least <= value <= 65_535:
        raise BadRequest(f"{key}: must be a number from {least} to 65535")
    return value


def _kind(given: dict[str, Any]) -> Kind:
    try:
        return Kind(given.get("type", Kind.VNC.value))
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise BadRequest(f"type: must be one of {known}") from None


def accepted(port: int, address: str) -> bytes:
    """Return the answer that a port has been opened."""
    return json.dumps(
        {"source_port": port, "status": "OK", "proxy_address": address}
    ).encode()


def failed(reason: str) -> bytes:
    """Return the answer that none has, and why."""
    return json.dumps(
        {
            "source_port": 0,
            "status": "FAILED",
            "proxy_address": None,
            "reason": reason,
        }
    ).encode()
