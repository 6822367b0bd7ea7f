"""A guest's serial line: QEMU's end of it, and the one who types there."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from snf.core.errors import Conflict
from snf.serial.log import Log
from snf.serial.recorder import InThread, Recorder

# For how long a peer that is to go may take what it has been sent.
_FAREWELL_S = 5.0


@implementer(IPushProducer)
@define(eq=False)
class Room:
    """
    Whether a connection has room for more; Twisted tells so whoever produces for it.

    What comes while there is none is left out: of two that talk by a line neither waits
    for the other.
    """

    there: bool = True

    def pauseProducing(self) -> None:
        """See ``IPushProducer``."""
        self.there = False

    def resumeProducing(self) -> None:
        """See ``IPushProducer``."""
        self.there = True

    def stopProducing(self) -> None:
        """See ``IPushProducer``."""
        self.there = False


@define(eq=False, slots=False)
class Line(Protocol):
    """
    The connection with QEMU.  What the guest says is written down, and told to a peer.

    A guest that says more than the disk takes has to wait for the disk, not for a peer.

    :ivar ended: Called when QEMU has closed it.
    :ivar over: Whether it is closed.
    """

    name: str
    log: Log
    in_thread: InThread
    ended: "Callable[[Line], None]"
    recorder: Recorder = field(init=False)
    peer: "Peer | None" = field(init=False, default=None)
    over: bool = field(init=False, default=False)
    _room: Room = field(init=False, factory=Room)

    def __attrs_post_init__(self) -> None:
        self.recorder = Recorder(
            self.log,
            self.in_thread,
            hold=lambda: self._transport.pauseProducing(),
            go_on=lambda: self._transport.resumeProducing(),
        )

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        """QEMU has let us in, or will when another client has gone."""
        self._transport.registerProducer(self._room, True)

    def dataReceived(self, data: bytes) -> None:
        """The guest has said something."""
        self.recorder.record(data)
        if self.peer is not None:
            self.peer.hear(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """QEMU has ended, or its line was given back to it."""
        self.over = True
        self._send_away()
        self.ended(self)

    def take(self, peer: "Peer", by_force: bool = False) -> None:
        """
        Let a peer type here and hear what the guest says; nobody else can then.

        :param by_force: Whether somebody who is there already has to leave.
        :raises Conflict: Somebody is, or the line is no more.
        """
        self.check(by_force)
        self._send_away()
        self.peer = peer

    def check(self, by_force: bool = False) -> None:
        """
        Return if a peer could take the line.

        :raises Conflict: As :meth:`take` does.
        """
        if self.over:
            raise Conflict("The guest has just ended")
        if self.peer is not None and not by_force:
            raise Conflict("Somebody else is at this serial console")

    def release(self, peer: "Peer") -> None:
        """Know that a peer is not there any more."""
        if self.peer is peer:
            self.peer = None

    def type(self, data: bytes) -> None:
        """Have the guest read something, unless it has left too much unread already."""
        if self._room.there:
            self._transport.write(data)

    async def close(self) -> None:
        """Close it; return when what was said is written."""
        self._send_away()
        if not self.over:
            self._transport.unregisterProducer()
            self._transport.loseConnection()
        await self.recorder.written()

    def _send_away(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.leave()


@define(eq=False, slots=False)
class Peer(Protocol):
    """
    Somebody at a line, by whatever connection.

    :ivar clock: An ``IReactorTime``.
    :ivar by_force: Whether who is there already has to leave.
    """

    line: Line
    clock: Any
    by_force: bool = False
    _room: Room = field(init=False, factory=Room)
    _farewell: IDelayedCall | None = field(init=False, default=None)
    _gone: bool = field(init=False, default=False)

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        """Sit down at the line; leave at once where that is not possible."""
        self._transport.registerProducer(self._room, True)
        try:
            self.line.take(self, self.by_force)
        except Conflict:
            self.leave()

    def dataReceived(self, data: bytes) -> None:
        """It types something."""
        if self.line.peer is self:
            self.line.type(data)

    def hear(self, data: bytes) -> None:
        """Tell what the guest says, unless too much waits to be sent already."""
        if self._room.there:
            self._transport.write(data)

    def leave(self) -> None:
        """Close the connection, when what was told is sent or it takes too long."""
        if self._gone or self._farewell is not None:
            return
        abort = self._transport.abortConnection
        self._farewell = self.clock.callLater(_FAREWELL_S, abort)
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It has hung up, or was made to."""
        self._gone = True
        if self._farewell is not None and self._farewell.active():
            self._farewell.cancel()
        self.line.release(self)
