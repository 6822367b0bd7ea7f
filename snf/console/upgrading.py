"""A viewer who has come to a port of his own to speak WebSocket there."""

from http import HTTPStatus

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from snf.console.peer import StreamPeer
from snf.console.shaking import HandshakeFailed
from snf.console.upgrade import BadUpgrade, accept, parsed
from snf.console.websocket import WebSocketPeer

_LARGEST_HEAD = 16_384
_END = b"\r\n\r\n"


@define(eq=False)
class _Head:
    """The receiver of a request's head."""

    stream: StreamPeer
    result: "Deferred[bytes]"
    came: bytes = b""

    def received(self, data: bytes) -> None:
        self.came += data
        head, end, rest = self.came.partition(_END)
        if end:
            self.stream.pause()
            self.stream.receiver = None
            self.stream.put_back(rest)
            self.result.callback(head)
        elif len(self.came) > _LARGEST_HEAD:
            self.fail("sent a head that is too long")

    def drained(self) -> None:
        """There is never more to send than an answer."""

    def ended(self, reason: str) -> None:
        self.fail(reason)

    def fail(self, reason: str) -> None:
        self.stream.receiver = None
        self.stream.close(reason)
        self.result.errback(HandshakeFailed(reason))


async def upgraded(
    clock: IReactorTime, stream: StreamPeer, timeout_s: float
) -> WebSocketPeer:
    """
    Return the peer of a viewer, paused, who asks for a WebSocket.

    :raises HandshakeFailed: He does not, and the connection is being closed.
    """
    head = await _head(clock, stream, timeout_s)
    method, headers = parsed(head)
    try:
        accepted = accept(method, headers.get)
    except BadUpgrade as refusal:
        stream.send(_refusal(refusal))
        stream.close(str(refusal))
        raise HandshakeFailed(f"did not ask for a WebSocket: {refusal}") from None
    stream.send(accepted.answer)
    return WebSocketPeer(clock, stream)


async def _head(clock: IReactorTime, stream: StreamPeer, timeout_s: float) -> bytes:
    result: Deferred[bytes] = Deferred(lambda _: stream.abort())
    head = _Head(stream, result)
    stream.receiver = head
    timeout = clock.callLater(
        timeout_s, head.fail, f"took more than {timeout_s:g} s to ask for a WebSocket"
    )
    stream.resume()
    try:
        return await result
    except CancelledError:
        stream.receiver = None
        raise
    finally:
        if timeout.active():
            timeout.cancel()


def _refusal(refusal: BadUpgrade) -> bytes:
    text = f"{refusal}\n".encode()
    lines = [
        f"HTTP/1.1 {refusal.code} {HTTPStatus(refusal.code).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        *(f"{name}: {value}" for name, value in refusal.headers.items()),
    ]
    if "Connection" not in refusal.headers:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + text
