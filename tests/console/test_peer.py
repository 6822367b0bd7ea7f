"""One connection: over TLS, and what is asked of the kernel."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.console.relay import Relay
from snf.console.websocket import WebSocketPeer
from snf.trust import verified
from tests.console.certificates import Authority
from tests.console.ends import End, joined
from tests.console.test_frames import sent


class SecureTests(TestCase):
    """A viewer by TLS."""

    timeout = 60

    def setUp(self) -> None:
        authority = Authority.new()
        key, certificate = authority.issue("127.0.0.1")
        pair = PrivateCertificate.loadPEM(key + certificate)
        self.accepts: CertificateOptions = pair.options()
        self.connects = verified("127.0.0.1", authority.pem)

    async def join(self, websocket: bool) -> tuple[End, Relay, End]:
        """Return the viewer's end, the relay, and the screen's end."""
        stream, near = await joined(self, self.accepts, self.connects)
        screen, far = await joined(self)
        viewer = WebSocketPeer(reactor, stream) if websocket else stream
        relay = Relay(viewer, screen)
        relay.start()
        return near, relay, far

    async def test_both_ways(self) -> None:
        """What either says comes to the other, unchanged, to the last."""
        near, relay, far = await self.join(websocket=False)
        up, down = os.urandom(300_000), os.urandom(3_000_000)
        near.send(up)
        far.send(down)
        self.assertEqual(down, await near.read(len(down)))
        self.assertEqual(up, await far.read(len(up)))
        far.send(b"last")
        far.transport.loseConnection()
        await near.gone()
        self.assertEqual(b"last", near.got)
        await relay.ended

    async def test_bounded(self) -> None:
        """Of what a viewer never reads, no more is kept than without TLS."""
        for websocket in (False, True):
            near, relay, far = await self.join(websocket)
            # TLS itself takes some reading, until this is through.
            near.send(sent(b"k") if websocket else b"k")
            self.assertEqual(b"k", await far.read(1))
            near.transport.pauseProducing()
            far.send(bytes(30 * 2**20))
            await deferLater(reactor, 0.7)
            stream = relay.viewer.stream if websocket else relay.viewer
            tls = stream.transport
            kept = len(tls.transport.dataBuffer) + tls.transport._tempDataLen
            kept += sum(map(len, tls._appSendBuffer)) + len(stream._early)
            self.assertLess(kept, 256 * 1024)
            self.assertGreater(kept, 0)
            # The other direction goes on.
            near.send(sent(b"key") if websocket else b"key")
            self.assertEqual(b"key", await far.read(3))
            near.transport.resumeProducing()
            await near.until(lambda near=near: len(near.got) >= 30 * 2**20)
            relay.close("enough")
            near.leave()
            await near.gone()
            await far.gone()


class SilenceTests(TestCase):
    """A peer that is gone without a word."""

    timeout = 30

    async def test_asked(self) -> None:
        """The kernel asks whether it is there, and gives up on one that takes nothing."""
        peer, _ = await joined(self)
        connection = peer.transport.getHandle()
        for level, option in (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        ):
            self.assertTrue(connection.getsockopt(level, option))
        for option, value in (
            (socket.TCP_KEEPIDLE, 60),
            (socket.TCP_KEEPINTVL, 20),
            (socket.TCP_USER_TIMEOUT, 300_000),
        ):
            self.assertEqual(value, connection.getsockopt(socket.IPPROTO_TCP, option))
