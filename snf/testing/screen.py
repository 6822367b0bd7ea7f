"""The screen of a simulated guest: a picture that changes with each key (RFC 6143)."""

from collections.abc import Callable, Generator
from struct import unpack
from typing import Any

from attrs import define, field
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

WIDTH, HEIGHT = 320, 200
_NAME = b"simulated"
# 32 bits, 24 of them used, red in the lowest.
_FORMAT = bytes([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0])
# How long viewers' messages are behind their type: SetPixelFormat, PointerEvent.
_SIZES = {0: 19, 5: 5}
_COLORS = (b"\xff\0\0\xff", b"\0\xff\0\xff", b"\0\0\xff\xff", b"\xff\xff\0\xff")

_Reads = Generator[int, bytes, None]


@define(eq=False, slots=False)
class Screen(Protocol):
    """
    A VNC server without a password.

    :ivar pressed: Is told each key, and whether it is pressed.
    :ivar lost: Whether nobody looks any more.
    """

    pressed: Callable[[int, bool], None] = lambda keysym, down: None
    transport: Any = field(init=False, default=None)
    lost: bool = field(init=False, default=False)
    _early: bytes = field(init=False, default=b"")
    _wants: int = field(init=False, default=0)
    _talk: _Reads = field(init=False)
    _color: int = field(init=False, default=0)
    _drawn: bool = field(init=False, default=False)
    _asked: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._talk = self._conversation()

    def connectionMade(self) -> None:
        """Begin."""
        self._wants = next(self._talk)

    def dataReceived(self, data: bytes) -> None:
        """Go on as far as that leads."""
        self._early += data
        while len(self._early) >= self._wants:
            taken, self._early = self._early[: self._wants], self._early[self._wants :]
            self._wants = self._talk.send(taken)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Be looked at no more."""
        self.lost = True

    def _conversation(self) -> _Reads:
        self.transport.write(b"RFB 003.008\n")
        yield 12
        self.transport.write(b"\1\1")
        yield 1
        self.transport.write(bytes(4))
        yield from self.looked_at()

    def looked_at(self) -> _Reads:
        """Be looked at by a viewer that has been let in."""
        yield 1
        head = WIDTH.to_bytes(2, "big") + HEIGHT.to_bytes(2, "big") + _FORMAT
        self.transport.write(head + len(_NAME).to_bytes(4, "big") + _NAME)
        while True:
            kind = (yield 1)[0]
            if kind == 2:
                yield 4 * int.from_bytes((yield 3)[1:], "big")
            elif kind == 3:
                yield 9
                self._asked = True
                self._draw()
            elif kind == 4:
                self._press(*unpack(">BxxI", (yield 7)))
            elif kind == 6:
                yield int.from_bytes((yield 7)[3:], "big")
            elif kind in _SIZES:
                yield _SIZES[kind]
            else:
                self.transport.loseConnection()
                yield 2**62

    def _press(self, down: int, keysym: int) -> None:
        self.pressed(keysym, bool(down))
        if down:
            self._color = (self._color + 1) % len(_COLORS)
            self._drawn = False
            self._draw()

    def _draw(self) -> None:
        """Send the picture, once it has changed and the viewer asks."""
        if self._drawn or not self._asked:
            return
        self._drawn, self._asked = True, False
        half = WIDTH * HEIGHT // 2
        raw = _COLORS[self._color] * half + b"\x20\x20\x20\xff" * half
        place = b"".join(n.to_bytes(2, "big") for n in (0, 0, WIDTH, HEIGHT))
        self.transport.write(b"\0\0\0\1" + place + bytes(4) + raw)


class Screens(Factory):
    """Makes a screen of each connection."""

    noisy = False

    def buildProtocol(self, address: object) -> Screen:
        return Screen()
