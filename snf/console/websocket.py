"""A viewer who has come by WebSocket: a peer whose bytes travel in binary frames."""

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from snf.console import frames
from snf.console.frames import FrameReader, Violation
from snf.console.peer import Peer, Receiver, StreamPeer

# No frame is put together here, so this bounds nothing but nonsense.
_LARGEST_FRAME = 64 * 2**20
# Reverse proxies take a connection for dead that is silent for a minute.
_PING_S = 25.0
# Reads are small: a piece may be thousands of tiny frames, and each takes its time.
_READ_BYTES = 8192
# How long a client may take to answer that it is over.
_ANSWER_S = 2.0


class WebSocketPeer(Peer):
    """
    Bytes over a WebSocket that has been agreed on.

    It asks whether the client is still there when that has been silent for a while, and
    ends when there is no answer.

    :param stream: The connection; nothing of it has been read but what was put back.
    """

    def __init__(self, clock: IReactorTime, stream: StreamPeer) -> None:
        self.clock = clock
        self.stream = stream
        self.receiver: Receiver | None = None
        self._reader = FrameReader(_LARGEST_FRAME)
        self._early = b""
        self._paused = True
        self._blocked = False
        self._closed = False
        self._pong: bytes | None = None
        self._heard = True
        self._timer: IDelayedCall | None = clock.callLater(_PING_S, self._ask)
        stream.read_at_most(_READ_BYTES)
        stream.receiver = self

    # What the connection calls.

    def received(self, data: bytes) -> None:
        """Frames have come, or parts of such."""
        self._heard = True
        try:
            heard = self._reader.heard(data)
        except Violation as violation:
            self._leave(violation.code, f"sent {violation}")
            return
        if self._closed:
            if heard.closed is not None:
                self.stream.close("both have said so")
            return
        if heard.ping is not None:
            self._pong = heard.ping
            self._answer()
        if heard.data:
            self._hand_on(heard.data)
        if heard.closed is not None:
            self._leave(heard.closed, "closed the connection")

    def drained(self) -> None:
        """What was sent is gone: more may be sent."""
        self._blocked = False
        self._answer()
        if not self._blocked and self.receiver is not None:
            self.receiver.drained()

    def ended(self, reason: str) -> None:
        """The connection is over."""
        self._closed = True
        self._stop_timer()
        self._tell(reason)

    # What whoever has it calls.

    def send(self, data: bytes) -> bool:
        """Send bytes; False when no more should be sent before it has drained."""
        if self._closed:
            return True
        head = frames.head(frames.BINARY, len(data))
        if not self.stream.send(data, head):
            self._blocked = True
        return not self._blocked

    def pause(self) -> None:
        """Read no more for now."""
        self._paused = True
        self.stream.pause()

    def resume(self) -> None:
        """Read on; what had been read already comes first."""
        self._paused = False
        if self._early and self.receiver is not None:
            early, self._early = self._early, b""
            self.receiver.received(early)
        if not self._paused:
            self.stream.resume()

    def put_back(self, data: bytes) -> None:
        """Have bytes come again, before all others, when it reads on."""
        self._early = data + self._early

    def close(self, reason: str) -> None:
        """Tell the client that it is over, and wait for its answer, but not long."""
        if self._closed:
            return
        self._closed = True
        self._stop_timer()
        self.stream.send(frames.closing(frames.GOING_AWAY, reason))
        self._timer = self.clock.callLater(_ANSWER_S, self.stream.close, reason)
        self.stream.resume()

    def abort(self) -> None:
        """Close it at once."""
        self.stream.abort()

    def _hand_on(self, data: bytes) -> None:
        if self._paused or self.receiver is None:
            self._early += data
        else:
            self.receiver.received(data)

    def _answer(self) -> None:
        """Send the newest ping back, as soon as that would not have to wait."""
        if self._pong is not None and not self._blocked:
            pong, self._pong = self._pong, None
            self._blocked = not self.stream.send(frames.frame(frames.PONG, pong))

    def _leave(self, code: int, reason: str) -> None:
        """The client has closed, or what it does makes no sense."""
        if not self._closed:
            self._closed = True
            self.stream.send(frames.closing(code))
            self._stop_timer()
        self.stream.close(reason)
        self._tell(reason)

    def _tell(self, reason: str) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.ended(reason)

    def _ask(self) -> None:
        """Ask a client that has been silent whether it is there."""
        self._timer = None
        # Of one that is not read from, or does not read, nothing can be heard; the
        # connection itself notices whether somebody is there.
        deaf = self._paused or self._blocked
        if not self._heard and not deaf:
            self._leave(frames.GOING_AWAY, "does not answer any more")
            return
        self._heard = deaf
        if not deaf:
            self._blocked = not self.stream.send(frames.frame(frames.PING, b""))
        self._timer = self.clock.callLater(_PING_S, self._ask)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def over(
    clock: IReactorTime, transport: Any, answer: bytes, early: bytes = b""
) -> WebSocketPeer:
    """
    Return the peer of a connection on which a WebSocket is just agreed on; it is paused.

    :param transport: A connection over TCP or TLS, which is nobody else's any more.
    :param answer: To the request, which is sent first.
    :param early: What has been read of it already.
    """
    stream = StreamPeer(clock)
    stream.makeConnection(transport)
    stream.queue_up()
    stream.send(answer)
    stream.put_back(early)
    return WebSocketPeer(clock, stream)


def take_over(request: Any) -> tuple[Any, bytes]:
    """
    Return a request's connection, and what of it has been read after the request.

    It is no longer the HTTP server's: nothing is to be written to the request, nor is
    it to be finished.
    """
    channel = request.channel
    transport = channel.transport
    channel.setTimeout(None)
    transport.unregisterProducer()
    # What has come behind the request is in the one while that is being read, and in
    # the other afterwards.
    early = b"".join([*channel._dataBuffer, channel._buffer])
    channel._dataBuffer, channel._buffer = [], b""
    return transport, early
