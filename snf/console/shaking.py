"""A handshake and the peer that it is held with."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from snf.console.peer import Peer
from snf.console.rfb import Handshake


class HandshakeFailed(Exception):
    """No handshake came about; the text says why, as what follows the peer's name."""


@define(eq=False)
class _Shaking:
    """The peer's receiver while the handshake goes on."""

    peer: Peer
    handshake: Handshake
    start_tls: Callable[[], None] | None
    result: "Deferred[None]"
    timeout: IDelayedCall | None = field(default=None, init=False)

    def received(self, data: bytes) -> None:
        self.proceed(self.handshake.received(data))

    def proceed(self, answer: bytes) -> None:
        """Send an answer, and look how far it has come."""
        if answer:
            self.peer.send(answer)
        if self.handshake.wants_tls and not self.handshake.over:
            assert self.start_tls is not None
            self.start_tls()
            self.handshake.secured()
        if self.handshake.failed is not None:
            self.fail(self.handshake.failed)
        elif self.handshake.done:
            self.peer.pause()
            self.let_go()
            self.peer.put_back(self.handshake.rest)
            self.result.callback(None)

    def drained(self) -> None:
        """There is never more to send than an answer."""

    def ended(self, reason: str) -> None:
        self.fail(reason)

    def fail(self, reason: str) -> None:
        """It has failed: what is to be said about it has been."""
        self.let_go()
        self.peer.close(reason)
        self.result.errback(HandshakeFailed(reason))

    def let_go(self) -> None:
        self.peer.receiver = None
        if self.timeout is not None and self.timeout.active():
            self.timeout.cancel()


async def shake(
    clock: IReactorTime,
    peer: Peer,
    handshake: Handshake,
    timeout_s: float,
    start_tls: Callable[[], None] | None = None,
) -> None:
    """
    Hold a handshake with a peer, which is paused afterwards.

    :param start_tls: Begins TLS with it, where the handshake may come to that.
    :raises HandshakeFailed: It failed, and the peer is being closed.
    """
    result: Deferred[None] = Deferred(lambda _: peer.abort())
    shaking = _Shaking(peer, handshake, start_tls, result)
    peer.receiver = shaking
    # Whole handshakes are timed, not pauses: a drop at a time does not prolong it.
    shaking.timeout = clock.callLater(
        timeout_s, shaking.fail, f"took more than {timeout_s:g} s for the handshake"
    )
    shaking.proceed(handshake.begin())
    if not handshake.over:
        peer.resume()
    try:
        await result
    except CancelledError:
        shaking.let_go()
        raise
