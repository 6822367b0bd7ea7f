"""WebSocket frames (RFC 6455, section 5), of the server's side; no I/O.

Bytes are handed on as they come, unmasked: no frame is ever put together.
"""

from attrs import define, field, frozen

CONTINUATION, TEXT, BINARY = 0x0, 0x1, 0x2
CLOSE, PING, PONG = 0x8, 0x9, 0xA

_FIN = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_LONGEST_CONTROL = 125
_LONGEST_HEAD = 14
# How many octets the length has where the seven bits say that it is longer.
_LENGTHS = {126: 2, 127: 8}

# Section 7.4.1.
NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED = 1000, 1001, 1002, 1003
TOO_BIG, INTERNAL_ERROR = 1009, 1011


class Violation(Exception):
    """The client does what it may not.

    :ivar code: What to close with.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def frame(opcode: int, data: bytes) -> bytes:
    """Return a whole frame, unmasked as a server's are."""
    return head(opcode, len(data)) + data


def head(opcode: int, size: int) -> bytes:
    """Return what comes before the bytes of such a frame."""
    if size < 126:
        return bytes((_FIN | opcode, size))
    if size < 65_536:
        return b"%c\x7e%b" % (_FIN | opcode, size.to_bytes(2, "big"))
    return b"%c\x7f%b" % (_FIN | opcode, size.to_bytes(8, "big"))


def closing(code: int, reason: str = "") -> bytes:
    """Return a frame that closes."""
    text = reason.encode("utf-8")[: _LONGEST_CONTROL - 2]
    # Cut between characters.
    text = text.decode("utf-8", "ignore").encode("utf-8")
    return frame(CLOSE, code.to_bytes(2, "big") + text)


def unmasked(data: bytes, mask: bytes, position: int) -> bytes:
    """Return bytes of a payload as they were, of which so many have come before."""
    size = len(data)
    at = position % 4
    repeated = (mask[at:] + mask[:at]) * (size // 4 + 1)
    number = int.from_bytes(data, "little") ^ int.from_bytes(repeated[:size], "little")
    return number.to_bytes(size, "little")


@frozen
class Heard:
    """What has come: the bytes of messages, and what else there was.

    :ivar ping: What the newest ping carries, which is to be sent back.
    :ivar closed: The code with which the client closes; what comes after is nothing.
    """

    data: bytes = b""
    ping: bytes | None = None
    closed: int | None = None


@define(eq=False)
class FrameReader:
    """Reads what a client sends.

    :ivar largest: How large a frame may be.
    """

    largest: int
    _head: bytes = field(default=b"", init=False)
    _opcode: int = field(default=0, init=False)
    _left: int = field(default=0, init=False)
    _mask: bytes = field(default=b"", init=False)
    _position: int = field(default=0, init=False)
    _within: bool = field(default=False, init=False)  # a message that goes on
    _control: bytes = field(default=b"", init=False)

    def heard(self, data: bytes) -> Heard:
        """
        Return what is in some more bytes.

        :raises Violation: They are not what a client sends.
        """
        pieces: list[bytes] = []
        ping = None
        at = 0
        while at < len(data) or (self._mask and not self._left):
            if not self._mask:
                at = self._begin(data, at)
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            plain = unmasked(piece, self._mask, self._position)
            self._position += len(piece)
            self._left -= len(piece)
            if self._opcode < CLOSE:
                pieces.append(plain)
            else:
                self._control += plain
            if not self._left:
                self._mask = b""
                if self._opcode == PING:
                    ping = self._control
                elif self._opcode == CLOSE:
                    return Heard(b"".join(pieces), ping, _code(self._control))
        return Heard(b"".join(pieces), ping)

    def _begin(self, data: bytes, at: int) -> int:
        """Read of a frame's head what there is; return where that ends."""
        had = len(self._head)
        came = self._head + data[at : at + _LONGEST_HEAD - had]
        if len(came) < 2:
            self._head = came
            return len(data)
        self._check(came[0], came[1])
        size = 2 + _LENGTHS.get(came[1] & 0x7F, 0) + 4
        if len(came) < size:
            self._head = came
            return len(data)
        self._left = came[1] & 0x7F
        if self._left in _LENGTHS:
            self._left = int.from_bytes(came[2 : size - 4], "big")
        if self._left > self.largest:
            raise Violation(TOO_BIG, f"a frame of more than {self.largest} bytes")
        self._head = b""
        self._mask = came[size - 4 : size]
        self._position = 0
        self._control = b""
        self._opcode = came[0] & 0xF
        if self._opcode < CLOSE:
            self._within = not came[0] & _FIN
        return at + size - had

    def _check(self, first: int, second: int) -> None:
        """Look at what begins a frame."""
        opcode = first & 0xF
        if first & _RESERVED:
            raise Violation(PROTOCOL_ERROR, "an extension that was not agreed on")
        if not second & _MASKED:
            raise Violation(PROTOCOL_ERROR, "a frame that is not masked")
        if opcode in (CLOSE, PING, PONG):
            if second & 0x7F > _LONGEST_CONTROL or not first & _FIN:
                raise Violation(PROTOCOL_ERROR, "a control frame in parts, or too long")
        elif opcode == TEXT:
            raise Violation(UNSUPPORTED, "text: only binary messages are taken")
        elif opcode not in (CONTINUATION, BINARY):
            raise Violation(PROTOCOL_ERROR, f"a frame of an unknown kind: {opcode}")
        elif (opcode == CONTINUATION) != self._within:
            raise Violation(PROTOCOL_ERROR, "a message within another one, or of none")


def _code(data: bytes) -> int:
    """Return the code of a closing frame; 1000 when it has none."""
    if not data:
        return NORMAL
    code = int.from_bytes(data[:2], "big")
    known = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    if len(data) < 2 or not (known or 3000 <= code <= 4999):
        raise Violation(PROTOCOL_ERROR, "closed with a code that means nothing")
    try:
        data[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise Violation(1007, "closed with a reason that is no text") from None
    return code
