"""From an HTTP request to a WebSocket (RFC 6455, section 4.2); no I/O."""

import base64
import binascii
from collections.abc import Callable
from hashlib import sha1

from attrs import frozen

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

BINARY = "binary"


class BadUpgrade(Exception):
    """The request asks for no WebSocket that we speak.

    :ivar code: HTTP's status for that.
    :ivar headers: What the answer has to say besides.
    """

    def __init__(self, code: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.code = code
        self.headers = headers


@frozen
class Accepted:
    """A request that has become a WebSocket.

    :ivar answer: What is to be sent, from the status line to the blank line.
    :ivar subprotocol: ``binary``, or none.
    """

    answer: bytes
    subprotocol: str | None


def accept(method: str, header: Callable[[str], str | None]) -> Accepted:
    """
    Return the answer to a request for a WebSocket; no extension is ever agreed on.

    :param header: Returns the value of a header, or None.
    :raises BadUpgrade: It is not one that we speak.
    """
    if method != "GET":
        raise BadUpgrade(405, "a WebSocket is asked for by GET", Allow="GET")
    if "websocket" not in _words(header("upgrade")) or "upgrade" not in _words(
        header("connection")
    ):
        raise BadUpgrade(
            426, "this speaks WebSocket only", Upgrade="websocket", Connection="Upgrade"
        )
    if header("sec-websocket-version") != "13":
        raise BadUpgrade(
            426, "WebSocket's version must be 13", **{"Sec-WebSocket-Version": "13"}
        )
    key = (header("sec-websocket-key") or "").strip()
    if not _is_key(key):
        raise BadUpgrade(400, "Sec-WebSocket-Key: must be 16 bytes in base64")
    offered = header("sec-websocket-protocol")
    subprotocol = None
    if offered is not None:
        if BINARY not in _words(offered):
            raise BadUpgrade(400, "Sec-WebSocket-Protocol: must be binary, or none")
        subprotocol = BINARY
    return Accepted(_answer(key, subprotocol), subprotocol)


def parsed(head: bytes) -> tuple[str, dict[str, str]]:
    """Return a request's method and headers; those that come twice are joined."""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return first.partition(" ")[0], headers


def _answer(key: str, subprotocol: str | None) -> bytes:
    proof = base64.b64encode(sha1(key.encode("ascii") + _GUID).digest())
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + proof,
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("ascii"))
    return b"\r\n".join([*lines, b"", b""])


def _words(value: str | None) -> list[str]:
    return [word.strip().lower() for word in (value or "").split(",")]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
