"""One end of a console: a connection that never has more to send than it can get rid of."""

import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Protocol

from OpenSSL import SSL
from twisted.internet import error, tcp
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

# How long a connection that is closed has to take what is on its way to it.
_FLUSH_S = 10.0

# A peer that is not there any more is noticed: after a minute of silence it is asked
# each 20 seconds, and five minutes without an answer, or without taking anything, end it.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class Receiver(Protocol):
    """Who is told what happens at a peer."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""

    def drained(self) -> None:
        """What was sent is gone: more may be sent."""

    def ended(self, reason: str) -> None:
        """The connection is over; called once, and nothing after it."""


class Peer(ABC):
    """
    A connection of which bytes come, and to which bytes are sent.

    It reads only while it has a receiver and is not paused.

    :ivar receiver: Who is told; None until somebody is there who wants to be.
    """

    receiver: Receiver | None

    @abstractmethod
    def send(self, data: bytes) -> bool:
        """Send bytes; False when no more should be sent before it has drained."""

    @abstractmethod
    def pause(self) -> None:
        """Read no more for now."""

    @abstractmethod
    def resume(self) -> None:
        """Read on; what had been read already comes first."""

    @abstractmethod
    def put_back(self, data: bytes) -> None:
        """Have bytes come again, before all others, when it reads on."""

    @abstractmethod
    def close(self, reason: str) -> None:
        """Close it when what was sent is gone, or after some seconds."""

    @abstractmethod
    def abort(self) -> None:
        """Close it at once."""


@implementer(IPushProducer)
class StreamPeer(TwistedProtocol, Peer):
    """
    Plain bytes over TCP, or TLS over it.

    On TCP each piece is handed to the kernel at once, and only what that does not take
    is kept: not more than one piece, since its sender stops then.
    """

    transport: Any

    def __init__(self, clock: IReactorTime, receiver: Receiver | None = None) -> None:
        self.clock = clock
        self.receiver = receiver
        self._early = b""
        self._paused = receiver is None
        self._blocked = False
        self._direct = False
        self._closing: IDelayedCall | None = None

    # What the transport calls.

    def connectionMade(self) -> None:
        """Take the connection over, from whoever has had it."""
        _hand_over(self.transport, self)
        self._direct = _is_plain(self.transport)
        _keep_alive(self.transport)
        if not self._direct:
            self.transport.registerProducer(self, True)
        if self._paused:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        """Hand on what has come."""
        if self._paused or self.receiver is None:
            # TLS has more in its hands than it has read last.
            self._early += data
        else:
            self.receiver.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell that it is over."""
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        receiver, self.receiver = self.receiver, None
        self._early = b""
        self.transport = None
        if receiver is not None:
            receiver.ended(_why(reason))

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._blocked = True

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        if not self._blocked:
            return
        self._blocked = False
        if self._direct:
            self.transport.unregisterProducer()
        if self.receiver is not None:
            self.receiver.drained()

    def stopProducing(self) -> None:
        """The connection is lost; that is told elsewhere."""
        self._blocked = False

    # What whoever has it calls.

    def send(self, data: bytes, head: bytes = b"") -> bool:
        """
        Send bytes; False when no more should be sent before it has drained.

        :param head: What comes before them; to put it there would be to copy them.
        """
        if self.transport is None:
            return True  # that it is over has been told
        if not self._direct or self._blocked:
            self.transport.write(head + data)
            return not self._blocked
        try:
            sent = self.transport.getHandle().sendmsg((head, data))
        except OSError:
            # None of it now; if it never can, writing it ends the connection.
            sent = 0
        if sent == len(head) + len(data):
            return True
        self.transport.write((head + data)[sent:])
        self._queue()
        return False

    def queue_up(self) -> None:
        """Let what somebody else may have written to the transport go first."""
        if self._direct and not self._blocked:
            self._queue()
            self.transport.startWriting()

    def _queue(self) -> None:
        """Have all that is sent wait until the transport has nothing left."""
        # It says at once that it would like to have more, which it is not asked.
        self.transport.registerProducer(self, False)
        self._blocked = True

    def pause(self) -> None:
        """Read no more for now."""
        if not self._paused:
            self._paused = True
            if self.transport is not None:
                self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on; what had been read already comes first."""
        if not self._paused:
            return
        self._paused = False
        if self._early and self.receiver is not None:
            early, self._early = self._early, b""
            self.receiver.received(early)
        if not self._paused and self.transport is not None:
            self.transport.resumeProducing()

    def put_back(self, data: bytes) -> None:
        """Have bytes come again, before all others, when it reads on."""
        self._early = data + self._early

    def read_at_most(self, size: int) -> None:
        """Read so many bytes at once, and no more."""
        connection = _tcp(self.transport)
        if connection is not None:
            connection.bufferSize = size

    def start_tls(self, context: Any) -> None:
        """Begin TLS as a client; what is sent from now on is encrypted."""
        self.transport.startTLS(context)
        self._direct = False
        self.transport.registerProducer(self, True)

    def close(self, reason: str) -> None:
        """Close it when what was sent is gone, or after some seconds."""
        if self._closing is None and self.transport is not None:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self._closing = self.clock.callLater(_FLUSH_S, self.abort)

    def abort(self) -> None:
        """Close it at once."""
        if self.transport is not None:
            self.transport.abortConnection()


def _is_plain(transport: Any) -> bool:
    return isinstance(transport, tcp.Connection) and not transport.TLS


def _hand_over(transport: Any, protocol: StreamPeer) -> None:
    """Have a transport tell its new protocol what happens."""
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    elif isinstance(transport, tcp.Connection) and not transport.TLS:
        transport.protocol = protocol


def _tcp(transport: Any) -> Any:
    """Return the TCP connection under TLS, or None."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport if isinstance(transport, tcp.Connection) else None


def _keep_alive(transport: Any) -> None:
    connection = _tcp(transport)
    if connection is not None:
        with suppress(OSError):  # what is not TCP has none of these
            for level, option, value in _KEEPALIVE:
                connection.socket.setsockopt(level, option, value)


def _why(failure: Failure) -> str:
    """Return what has ended a connection, in a few words."""
    if failure.check(error.ConnectionDone):
        return "closed the connection"
    if failure.check(error.ConnectionAborted):
        return "was cut off"
    if failure.check(SSL.Error):
        return f"failed at TLS: {_of_tls(failure.value)}"
    return "lost the connection"


def _of_tls(failure: BaseException | None) -> str:
    """Return what OpenSSL says."""
    try:
        return str(failure.args[0][0][2])  # type: ignore[union-attr]
    except LookupError:
        return "broken off"
