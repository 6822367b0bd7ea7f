"""How much of the daemon one guest may have: connections, their time, and what they say."""

from collections import Counter
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

EACH_AT_MOST = 8
ALL_AT_MOST = 1000
LONGEST_S = 20.0

BODY_AT_MOST = 4096


class Bounded(WrappingFactory["Connection"]):
    """
    Lets each peer have some connections at a time, each for some time.

    :param reactor: An ``IReactorTime``.
    """

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, reactor: Any) -> None:
        super().__init__(wrapped)
        self.reactor = reactor
        self.open: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> "Connection | None":  # type: ignore[override]
        """See ``IProtocolFactory``; None has the connection closed."""
        host = getattr(addr, "host", "")
        if self.open[host] >= EACH_AT_MOST or self.open.total() >= ALL_AT_MOST:
            self._settle(host)
            return None
        protocol = self.wrappedFactory.buildProtocol(addr)
        if protocol is None:
            return None
        made = Connection(self, protocol)
        made.host = host
        return made

    def begun(self, host: str) -> None:
        """Count a connection."""
        self.open[host] += 1

    def ended(self, host: str) -> None:
        """Count it no more."""
        self.open[host] -= 1
        self._settle(host)

    def _settle(self, host: str) -> None:
        if self.open[host] <= 0:
            del self.open[host]


@implementer(IHalfCloseableProtocol)
class Connection(ProtocolWrapper):
    """
    One of them.

    Who ends what it sends is answered all the same: a shell script does so
    (``printf ... | nc``).
    """

    host = ""
    factory: Bounded

    def connectionMade(self) -> None:
        """See ``Protocol``."""
        self.factory.begun(self.host)
        self._deadline = self.factory.reactor.callLater(LONGEST_S, self.abortConnection)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See ``Protocol``."""
        if self._deadline.active():
            self._deadline.cancel()
        self.factory.ended(self.host)
        super().connectionLost(reason)

    def readConnectionLost(self) -> None:
        """See ``IHalfCloseableProtocol``: it ends with the answer, or with its time."""

    def writeConnectionLost(self) -> None:
        """See ``IHalfCloseableProtocol``."""


class OneRequest(Request):
    """A request that is small, and the only one of its connection."""

    _taken = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """See ``Request``; without a length the body comes in pieces."""
        self.channel.persistent = False
        if length is not None and length > BODY_AT_MOST:
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """See ``Request``."""
        self._taken += len(data)
        if self._taken > BODY_AT_MOST:
            if not self._refused:
                self._refuse()
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """See ``Request``."""
        if not self._refused:
            super().process()

    def _refuse(self) -> None:
        self._refused = True
        transport: Any = self.channel.transport
        transport.write(
            b"HTTP/1.1 413 Content Too Large\r\n"
            b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        )
        transport.loseConnection()
