"""The far ends of connections, as tests have them in their hands."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from snf.console.peer import StreamPeer


class End(Protocol):
    """One that keeps all that it gets.

    :ivar got: That.
    :ivar lost: Whether the connection is over.
    """

    transport: Any

    def __init__(self) -> None:
        self.got = bytearray()
        self.lost = False
        self._waiting: list[tuple[Any, Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.got += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        self._look()

    def _look(self) -> None:
        for wanted, waiting in list(self._waiting):
            if wanted():
                self._waiting.remove((wanted, waiting))
                waiting.callback(None)

    async def until(self, wanted: Any) -> None:
        """Wait until something is so; the test's own timeout ends it."""
        if not wanted():
            waiting: Deferred[None] = Deferred()
            self._waiting.append((wanted, waiting))
            await waiting

    async def read(self, size: int) -> bytes:
        """Return the next so many bytes."""
        await self.until(lambda: len(self.got) >= size or self.lost)
        data = bytes(self.got[:size])
        del self.got[:size]
        return data

    async def gone(self) -> None:
        """Wait until the connection is over."""
        await self.until(lambda: self.lost)

    def leave(self) -> None:
        """Break off, if it is not over."""
        if not self.lost:
            self.transport.abortConnection()

    def send(self, data: bytes) -> None:
        """Send something."""
        self.transport.write(data)


async def joined(
    case: TestCase, accepts: Any = None, connects: Any = None
) -> tuple[StreamPeer, End]:
    """
    Return a peer, and the other end of its connection over loopback.

    :param accepts: What accepts TLS there.
    :param connects: What makes such connections.
    """
    accepted: Deferred[StreamPeer] = Deferred()

    class Accepting(Factory):
        noisy = False

        def buildProtocol(self, address: object) -> StreamPeer:
            peer = StreamPeer(reactor)
            made = peer.connectionMade

            def tell() -> None:
                made()
                accepted.callback(peer)

            peer.connectionMade = tell  # type: ignore[method-assign]
            return peer

    factory: Any = Accepting()
    if accepts is not None:
        factory = TLSMemoryBIOFactory(accepts, False, factory)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    if connects is not None:
        endpoint = wrapClientTLS(connects, endpoint)
    end = await connectProtocol(endpoint, End())
    peer = await accepted
    await port.stopListening()
    case.addCleanup(end.gone)
    case.addCleanup(end.leave)
    case.addCleanup(peer.abort)
    return peer, end
