"""A UNIX socket, and who was there before."""

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from snf.unix_socket import UnixSocket


class _Greeting(Protocol):
    def connectionMade(self) -> None:
        self.transport.write(b"hello")
        self.transport.loseConnection()


class UnixSocketTests(TestCase):
    """Two services, of which one may listen."""

    def setUp(self) -> None:
        # A socket's path must be short.
        folder = self.enterContext(TemporaryDirectory(prefix="snf-unix-"))
        self.path = Path(folder) / "s"

    def service(self) -> UnixSocket:
        return UnixSocket(reactor, self.path, Factory.forProtocol(_Greeting), 0o600)

    async def greeted(self) -> None:
        """See that somebody is there."""
        with socket.socket(socket.AF_UNIX) as end:
            end.setblocking(False)
            end.connect(str(self.path))
            said: Deferred[None] = Deferred()
            reactor.callLater(0.05, said.callback, None)
            await said
            self.assertEqual(b"hello", end.recv(10))

    async def test_left(self) -> None:
        """What a process has left that was killed is replaced."""
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(self.path))
        service = self.service()
        service.startService()
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)
        await self.greeted()
        await service.stopService()
        self.assertFalse(self.path.exists())

    async def test_another(self) -> None:
        """Who comes second is told so, and takes nothing from the first."""
        first, second = self.service(), self.service()
        first.startService()
        with self.assertRaisesRegex(CannotListenError, "another process listens"):
            second.startService()
        await self.greeted()
        await first.stopService()
        second.startService()
        await self.greeted()
        await second.stopService()

    def test_no_directory(self) -> None:
        """Where there is no directory the error says which."""
        self.path = self.path / "nowhere" / "s"
        with self.assertRaisesRegex(CannotListenError, "nowhere"):
            self.service().startService()
