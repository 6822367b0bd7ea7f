"""A viewer by WebSocket, over loopback and with a clock of the test's own."""

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from snf.console import frames, websocket
from snf.console.relay import Relay
from snf.console.shaking import HandshakeFailed, shake
from snf.console.upgrade import BadUpgrade, accept
from snf.console.viewers import ViewerHandshake
from snf.console.websocket import WebSocketPeer
from tests.console.ends import End, joined
from tests.console.test_frames import ASKED, sent


class PeerTests(TestCase):
    """The frames of one connection."""

    timeout = 60

    async def join(self) -> tuple[End, Relay, End]:
        """Return the viewer's end, the relay, and the screen's end."""
        self.clock = Clock()
        stream, near = await joined(self)
        screen, far = await joined(self)
        self.peer = WebSocketPeer(self.clock, stream)
        self.addCleanup(self.peer._stop_timer)
        relay = Relay(self.peer, screen)
        relay.start()
        return near, relay, far

    async def frame(self, near: End) -> tuple[int, bytes]:
        """Return the next frame that the server sends."""
        head = await near.read(2)
        size = head[1]
        if size == 126:
            size = int.from_bytes(await near.read(2), "big")
        elif size == 127:
            size = int.from_bytes(await near.read(8), "big")
        return head[0] & 0xF, await near.read(size)

    async def test_both_ways(self) -> None:
        """What either says comes to the other, unchanged."""
        near, _, far = await self.join()
        up, down = os.urandom(200_000), os.urandom(2_000_000)
        near.send(sent(up[:70_000]) + sent(up[70_000:]))
        far.send(down)
        self.assertEqual(up, await far.read(len(up)))
        got = b""
        while len(got) < len(down):
            opcode, data = await self.frame(near)
            self.assertEqual(frames.BINARY, opcode)
            got += data
        self.assertEqual(down, got)

    async def test_bounded(self) -> None:
        """Of what a client never reads, no more is kept than is read at once."""
        near, relay, far = await self.join()
        near.transport.pauseProducing()
        far.send(bytes(30 * 2**20))
        await deferLater(reactor, 0.5)
        # Pings that it sends all the same are not answered one by one.
        for _ in range(200):
            near.send(sent(b"x" * 100, frames.PING))
        near.send(sent(b"key"))
        self.assertEqual(b"key", await far.read(3))
        kept = self.peer.stream.transport
        self.assertLess(
            len(kept.dataBuffer) - kept.offset + kept._tempDataLen, 256 * 1024
        )
        near.transport.resumeProducing()
        got = 0
        while got < 30 * 2**20:
            opcode, data = await self.frame(near)
            got += len(data) if opcode == frames.BINARY else 0
        relay.close("enough")

    async def test_paste(self) -> None:
        """16 MiB pasted in one frame arrive, though the screen takes them slowly."""
        near, _, far = await self.join()
        far.transport.pauseProducing()
        size = 16 * 2**20
        near.send(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4) + bytes(size))
        await deferLater(reactor, 0.3)
        stream = self.peer.stream
        self.assertLess(len(self.peer._early) + len(stream._early), 256 * 1024)
        far.transport.resumeProducing()
        self.assertEqual(size, len(await far.read(size)))

    async def test_ping(self) -> None:
        """A client's ping is answered; ours ask one that is silent."""
        near, _, far = await self.join()
        near.send(sent(b"there?", frames.PING))
        self.assertEqual((frames.PONG, b"there?"), await self.frame(near))
        self.clock.advance(25)
        self.assertEqual((frames.PING, b""), await self.frame(near))
        near.send(sent(b"", frames.PONG) + sent(b"k"))
        await far.read(1)
        self.clock.advance(25)
        self.assertEqual((frames.PING, b""), await self.frame(near))

    async def test_half_open(self) -> None:
        """A client that does not answer is taken for gone."""
        _near, relay, far = await self.join()
        self.clock.advance(25)
        self.clock.advance(25)
        self.assertEqual("the viewer does not answer any more", await relay.ended)
        await far.gone()

    async def test_client_closes(self) -> None:
        """A client that closes is answered with its code, and that is the end."""
        near, relay, far = await self.join()
        near.send(sent(b"last") + sent((1000).to_bytes(2, "big"), frames.CLOSE))
        self.assertEqual((frames.CLOSE, b"\x03\xe8"), await self.frame(near))
        self.assertEqual("the viewer closed the connection", await relay.ended)
        await far.gone()
        self.assertEqual(b"last", far.got)
        await near.gone()

    async def test_server_closes(self) -> None:
        """When the screen goes, the client is told by 1001, behind all that came."""
        near, _relay, far = await self.join()
        far.send(b"last")
        far.transport.loseConnection()
        self.assertEqual((frames.BINARY, b"last"), await self.frame(near))
        said = b"\x03\xe9the screen closed the connection"
        self.assertEqual((frames.CLOSE, said), await self.frame(near))
        near.send(sent(b"\x03\xe9", frames.CLOSE))
        await near.gone()

    async def test_no_answer(self) -> None:
        """A client that does not say good-bye too is not waited for long."""
        near, relay, _ = await self.join()
        relay.close("enough")
        self.assertEqual((frames.CLOSE, b"\x03\xe9enough"), await self.frame(near))
        self.clock.advance(2)
        await near.gone()

    async def test_violation(self) -> None:
        """A client that does what it may not is told by which code."""
        near, relay, _far = await self.join()
        near.send(sent(b"text", frames.TEXT))
        self.assertEqual((frames.CLOSE, b"\x03\xeb"), await self.frame(near))
        await near.gone()
        self.assertIn("only binary messages are taken", await relay.ended)

    async def test_handshake(self) -> None:
        """RFB's handshake is held within; what comes with its end is not lost."""
        stream, near = await joined(self)
        peer = WebSocketPeer(reactor, stream)
        near.send(sent(b"RFB 003.008\n") + sent(b"\1\1"))
        await shake(reactor, peer, ViewerHandshake(), 5)
        said = b"".join([(await self.frame(near))[1] for _ in range(2)])
        self.assertEqual(b"RFB 003.008\n\1\1" + bytes(4), said)
        screen, far = await joined(self)
        Relay(peer, screen).start()
        self.assertEqual(b"\1", await far.read(1))
        near.transport.abortConnection()
        await far.gone()

    async def test_handshake_late(self) -> None:
        """A handshake that takes too long is over."""
        stream, near = await joined(self)
        peer = WebSocketPeer(reactor, stream)
        near.send(sent(b"RFB 003"))
        with self.assertRaises(HandshakeFailed):
            await shake(reactor, peer, ViewerHandshake(), 0.1)
        self.assertIn(b"took more than 0.1 s", await near.read(100))
        near.transport.loseConnection()
        await near.gone()


class Upgrading(Resource):
    """What an HTTP server has at some path: every byte comes back."""

    isLeaf = True

    def render(self, request: Any) -> Any:
        try:
            accepted = accept(request.method.decode(), request.getHeader)
        except BadUpgrade as refusal:
            request.setResponseCode(refusal.code)
            return str(refusal).encode()
        transport, early = websocket.take_over(request)
        peer = websocket.over(reactor, transport, accepted.answer, early)
        peer.receiver = _Echo(peer)
        peer.resume()
        return NOT_DONE_YET


class _Echo:
    def __init__(self, peer: WebSocketPeer) -> None:
        self.peer = peer

    def received(self, data: bytes) -> None:
        self.peer.send(data)

    def drained(self) -> None:
        pass

    def ended(self, reason: str) -> None:
        pass


class TakeOverTests(TestCase):
    """A request of twisted.web's becomes a peer."""

    timeout = 30

    async def test_echo(self) -> None:
        """What comes right behind the request, too."""
        site = Site(Upgrading(), timeout=1)
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        end = await connectProtocol(endpoint, End())
        head = "".join(f"{a}: {b}\r\n" for a, b in ASKED.items())
        end.send(f"GET / HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + sent(b"early"))
        await end.until(lambda: b"early" in end.got)
        self.assertTrue(end.got.startswith(b"HTTP/1.1 101 "))
        end.got.clear()
        # Longer than HTTP's own timeout of silence.
        await deferLater(reactor, 1.3)
        end.send(sent(b"late"))
        self.assertEqual(b"\x82\x04late", await end.read(6))
        end.send(sent(b"", frames.CLOSE))
        await end.gone()
