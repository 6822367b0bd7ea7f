"""What both ends of an RFB handshake have in common (RFC 6143, section 7.1).

A handshake does no I/O: it is told what has come and says what is to be sent.
"""

import re
from collections.abc import Generator
from enum import IntEnum

from attrs import define, field

# The newest version, with which each handshake begins.
NEWEST = b"RFB 003.008\n"
OK = b"\0\0\0\0"
FAILED = b"\0\0\0\1"

_VERSION = re.compile(rb"RFB ([0-9]{3})\.([0-9]{3})\n")
# What is believed of the length of somebody's reason.
_LONGEST_REASON = 1024


class Security(IntEnum):
    """The security types that are spoken here."""

    INVALID = 0
    NONE = 1
    VNC = 2
    VENCRYPT = 19


class Version(IntEnum):
    """The minor number of the versions whose handshakes differ."""

    V3_3 = 3
    V3_7 = 7
    V3_8 = 8


class Refused(Exception):
    """The handshake has failed; the text says why."""


# A conversation yields how many octets it wants next, and is sent them.
Conversation = Generator[int, bytes, None]


@define(eq=False)
class Handshake:
    """
    One side of a handshake.

    It is over when it has ``failed`` or is ``done``; what has come after its end is in
    ``rest``, but for one that failed.

    :ivar failed: Why it failed.
    :ivar wants_tls: TLS is to be begun before anything else is sent or received, and
        ``secured`` called.
    """

    done: bool = field(default=False, init=False)
    failed: str | None = field(default=None, init=False)
    wants_tls: bool = field(default=False, init=False)
    rest: bytes = field(default=b"", init=False)
    _talk: Conversation | None = field(init=False, default=None)
    _wanted: int = field(init=False, default=0)
    _came: bytearray = field(init=False, factory=bytearray)
    _says: bytearray = field(init=False, factory=bytearray)

    def conversation(self) -> Conversation:
        """Hold it; :raises Refused: It has failed."""
        raise NotImplementedError

    @property
    def over(self) -> bool:
        """Whether nothing of it is to come."""
        return self.done or self.failed is not None

    def begin(self) -> bytes:
        """Return what is to be sent before anything has come."""
        self._talk = self.conversation()
        return self._go_on(None)

    def received(self, data: bytes) -> bytes:
        """Take in what has come; return what is to be sent."""
        if self.over:
            self.rest += data if self.done else b""
            return b""
        self._came += data
        return self._go_on(b"")

    def secured(self) -> bytes:
        """TLS is there: go on; return what is to be sent."""
        self.wants_tls = False
        return self._go_on(b"")

    def say(self, data: bytes) -> None:
        """Have something sent."""
        self._says += data

    def _go_on(self, piece: bytes | None) -> bytes:
        assert self._talk is not None
        try:
            if piece is None:
                self._wanted = next(self._talk)
            while not self.wants_tls and len(self._came) >= self._wanted:
                piece = bytes(self._came[: self._wanted])
                del self._came[: self._wanted]
                self._wanted = self._talk.send(piece)
        except StopIteration:
            self.done, self.rest = True, bytes(self._came)
            self._let_go()
        except Refused as refusal:
            return self._end(str(refusal))
        if self.wants_tls and self._came:
            # Nobody knows whose it is.
            return self._end("sends something before TLS has begun")
        return self._said()

    def _end(self, reason: str) -> bytes:
        self.failed = reason
        self._let_go()
        return self._said()

    def _let_go(self) -> None:
        self._talk = None
        self._came = bytearray()

    def _said(self) -> bytes:
        said = bytes(self._says)
        self._says.clear()
        return said


def version(line: bytes) -> Version:
    """
    Return whose handshake a peer speaks that has sent this version.

    Newer ones than 3.8 are of products that speak as 3.8 does; the RFC has all other
    unknown ones speak as 3.3.

    :raises Refused: It is no version.
    """
    match = _VERSION.fullmatch(line)
    if match is None:
        raise Refused("does not speak RFB")
    number = int(match[1]), int(match[2])
    if number >= (3, 8):
        return Version.V3_8
    return Version.V3_7 if number == (3, 7) else Version.V3_3


def greeting(spoken: Version) -> bytes:
    """Return the line that says a version."""
    return b"RFB 003.%03d\n" % spoken


def reason(text: str) -> bytes:
    """Return a reason as it is sent."""
    data = text.encode("utf-8")
    return len(data).to_bytes(4, "big") + data


def hear_reason() -> Generator[int, bytes, str]:
    """Return the reason that a peer gives, made fit to be shown."""
    size = int.from_bytes((yield 4), "big")
    text = (yield min(size, _LONGEST_REASON)).decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in text).strip()
