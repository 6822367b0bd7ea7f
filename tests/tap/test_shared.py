"""Several processes that listen on one port."""

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from snf.tap.shared import SharedEndpoint, endpoint

_HERE = "127.0.0.1"


class _Greeter(Protocol):
    """Says who it is, and hangs up."""

    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(self.factory.name)
        self.transport.loseConnection()


def _greeter(name: bytes) -> Any:
    factory: Any = Factory.forProtocol(_Greeter)
    factory.name = name
    return factory


def _greeting(port: int) -> bytes:
    with socket.create_connection((_HERE, port), 30) as connection:
        return connection.recv(100)


class SharedTests(TestCase):
    """One port, two who listen."""

    timeout = 60

    async def _listen(self, name: bytes, port: int = 0) -> Any:
        where = SharedEndpoint(reactor, port, _HERE)
        listening: Any = await where.listen(_greeter(name))
        self.addCleanup(listening.stopListening)
        return listening

    async def test_both_answer(self) -> None:
        """Each gets some of the connections, and none is lost."""
        first = await self._listen(b"first")
        port = first.getHost().port
        await self._listen(b"second", port)
        heard = {await deferToThread(_greeting, port) for _ in range(100)}
        self.assertEqual({b"first", b"second"}, heard)

    async def test_one_leaves(self) -> None:
        """When one stops, the other one gets all."""
        first = await self._listen(b"first")
        port = first.getHost().port
        await self._listen(b"second", port)
        await first.stopListening()
        heard = {await deferToThread(_greeting, port) for _ in range(20)}
        self.assertEqual({b"second"}, heard)

    async def test_taken(self) -> None:
        """A port that somebody has alone cannot be shared."""
        alone: Any = await TCP4ServerEndpoint(reactor, 0, interface=_HERE).listen(
            _greeter(b"alone")
        )
        self.addCleanup(alone.stopListening)
        with self.assertRaises(CannotListenError):
            await self._listen(b"second", alone.getHost().port)


class DescriptionTests(SynchronousTestCase):
    """``[api] listen``."""

    def test_shared(self):
        """Port and address, the latter as Twisted writes it or as everybody does."""
        for text, port, interface in (
            ("shared:8774", 8774, ""),
            ("shared:8774:interface=127.0.0.1", 8774, "127.0.0.1"),
            ("shared:8774:interface=::1", 8774, "::1"),
            (r"shared:8774:interface=\:\:1", 8774, "::1"),
        ):
            self.assertEqual(
                SharedEndpoint(reactor, port, interface), endpoint(reactor, text)
            )

    def test_others(self):
        """All else is Twisted's."""
        found = endpoint(reactor, "tcp:8774:interface=127.0.0.1")
        self.assertIsInstance(found, TCP4ServerEndpoint)

    def test_malformed(self):
        """What is neither is refused."""
        for text in ("shared:", "shared:x", "shared:70000", "shared:1:address=::1"):
            with self.assertRaises(ValueError):
                endpoint(reactor, text)
