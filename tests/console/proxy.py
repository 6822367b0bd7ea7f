"""A vncauthproxy, and screens for it, inside a test."""

import random
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from snf.console import des
from snf.console.client import ask
from snf.console.control import Control
from snf.console.forwardings import Forwardings, ForwardingSettings
from snf.console.node import NodeSettings
from snf.console.peer import StreamPeer
from snf.console.ports import Ports
from snf.console.requests import Kind, Request
from snf.console.shaking import HandshakeFailed, shake
from snf.console.viewers import ViewerHandshake
from tests.console.ends import End

V38 = b"RFB 003.008\n"
PASSWORD = "s3cret-and-longer"


class Screen(StreamPeer):
    """A screen without a password, which says again all that it is told.

    :ivar got: What that was.
    """

    def __init__(self, screens: "Screens") -> None:
        super().__init__(reactor)
        self.screens = screens
        self.got = b""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.screens.all.append(self)
        Deferred.fromCoroutine(self.serve())

    async def serve(self) -> None:
        try:
            await shake(reactor, self, ViewerHandshake(), 10)
        except HandshakeFailed:
            return
        self.receiver = self
        self.resume()

    def received(self, data: bytes) -> None:
        self.got += data
        self.send(data)

    def drained(self) -> None:
        pass

    def ended(self, reason: str) -> None:
        pass


class Screens(Factory):
    """A port where there are some.

    :ivar all: Those that have been connected to.
    """

    noisy = False

    def __init__(self) -> None:
        self.all: list[Screen] = []

    def buildProtocol(self, address: object) -> Screen:
        return Screen(self)


class ProxyTestCase(TestCase):
    """A proxy with a control socket, and screens."""

    timeout = 60
    tls: Any = None
    most = 10
    viewer_s = 10.0
    handshake_s = 10.0

    def setUp(self) -> None:
        self.screens = Screens()
        port = reactor.listenTCP(0, self.screens, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.node = port.getHost().port
        self.ports = Ports(
            reactor, *self.free_ports(), ["127.0.0.1", "::1"], random.Random(1)
        )
        self.forwardings = Forwardings(
            reactor,
            self.ports,
            ForwardingSettings(
                self.most, self.viewer_s, self.handshake_s, tls=self.tls
            ),
            NodeSettings(attempts=2, wait_s=0.01, handshake_s=5),
        )
        self.forwardings.startService()
        self.addCleanup(self.forwardings.stopService)
        self.path = f"/tmp/{self.id().split('.')[-1][:60]}-{random.randrange(10**6)}"
        self.control = Control(reactor, self.forwardings, "proxy.example.org")
        unix = reactor.listenUNIX(self.path, self.control)
        self.addCleanup(unix.stopListening)

    def free_ports(self) -> tuple[int, int]:
        """Return the ends of a range of three ports that are free."""
        while True:
            # Below those that the kernel gives to clients, such as the test's own.
            first = random.randrange(10_000, 24_000)
            if all(_is_free(first + number) for number in range(3)):
                return first, first + 2

    def request(self, **changed: Any) -> Request:
        """Return one for a screen that there is."""
        given: dict[str, Any] = {
            "destination_address": "127.0.0.1",
            "destination_port": self.node,
            "password": PASSWORD,
            **changed,
        }
        return Request(**given)

    async def forward(self, kind: Kind = Kind.VNC, **changed: Any) -> int:
        """Return a port that leads to a screen."""
        endpoint = UNIXClientEndpoint(reactor, self.path)
        answer = await ask(reactor, endpoint, self.request(kind=kind, **changed))
        self.assertEqual("proxy.example.org", answer.address)
        return answer.port

    async def come(self, port: int) -> End:
        """Return the end of a viewer's connection to a port."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        end = await connectProtocol(endpoint, End())
        self.addCleanup(end.gone)
        self.addCleanup(end.leave)
        return end

    async def let_in(self, viewer: End, password: str = PASSWORD) -> bytes:
        """Hold a viewer's handshake; return the result and what is behind it."""
        viewer.send(V38)
        self.assertEqual(V38 + b"\1\2", await viewer.read(14))
        viewer.send(b"\2")
        challenge = await viewer.read(16)
        viewer.send(des.response(password.encode(), challenge))
        return await viewer.read(4)

    async def over(self) -> None:
        """Wait until no forwarding is left."""
        while self.forwardings._open:
            [one, *_] = self.forwardings._open
            waiting: Deferred[None] = Deferred()
            one.addBoth(lambda result, waiting=waiting: waiting.callback(None))
            await waiting


def _is_free(port: int) -> bool:
    with socket.socket() as some:
        try:
            some.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
