"""What the API asks of a node's serial lines: real QEMUs, a real socket, signed URLs."""

from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
)
from twisted.internet.testing import StringTransport

from snf.core.signing import SERIAL_LINE_PATH, SERIAL_LOG_PATH, Signer
from snf.noded.door import Door, site
from snf.serial.line import Line, Peer
from snf.serial.web import Serial
from tests.serial.qemu import Talk, until
from tests.serial.test_lines import NAME, SAID, LinesTestCase

HEAD = b"HTTP/1.1 101 Switching Protocols\r\n"


class WebTestCase(LinesTestCase):
    """A node that listens."""

    async def setUp(self) -> None:  # type: ignore[override]
        super().setUp()
        self.signer = Signer(b"k" * 32)
        door = Door(self.signer, reactor.seconds)
        self.serial = Serial(self.lines, reactor)
        door.offer("serial", self.serial)
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        listening = await endpoint.listen(site(door))
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.start(self.lines)

    def signed(self, path: str) -> str:
        query = self.signer.query("GET", path, int(reactor.seconds()) + 60)
        return f"{path}?{query}"

    async def log(self, name: str = NAME, more: str = "") -> tuple[int, bytes]:
        target = self.signed(SERIAL_LOG_PATH.format(name)) + more
        answer = await treq.get(
            f"http://127.0.0.1:{self.port}{target}", persistent=False
        )
        return answer.code, await answer.content()

    async def stream(self, upgrade: str = "cyclades-serial") -> Talk:
        """Ask for the line; return the connection when the head of the answer is there."""
        talk = Talk()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        await connectProtocol(endpoint, talk)
        target = self.signed(SERIAL_LINE_PATH.format(NAME))
        talk.transport.write(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            f"Upgrade: {upgrade}\r\n\r\n".encode()
        )
        await talk.until(b"\r\n\r\n")
        return talk


class LogTests(WebTestCase):
    """``.../log``."""

    async def test_lines(self) -> None:
        """The log is answered as it is, or the last lines of it."""
        qemu = self.qemu()
        await self.listened()
        self.assertEqual((200, b""), await self.log())
        await qemu.go()
        await self.said(SAID)
        self.lines.line(NAME).type(b"one\ntwo\nthree")
        await self.said(b"three")
        self.assertEqual((200, SAID + b"one\ntwo\nthree"), await self.log())
        self.assertEqual((200, b"two\nthree"), await self.log(more="&lines=2"))
        self.assertEqual((200, b""), await self.log(more="&lines=0"))
        qemu.end()
        await until(lambda: self.lines.line(NAME) is None)
        self.assertEqual((200, b"three"), await self.log(more="&lines=1"))

    async def test_refused(self) -> None:
        """No guest of that name, no name, no number: said with its status."""
        self.assertEqual(404, (await self.log())[0])
        self.assertEqual(404, (await self.log("other"))[0])
        self.assertEqual(400, (await self.log(more="&lines=x"))[0])
        self.assertEqual(400, (await self.log(more="&lines=" + "9" * 11))[0])

    async def test_unsigned(self) -> None:
        """Without a signature for this very log there is no answer."""
        right = self.signed(SERIAL_LOG_PATH.format(NAME))
        for wrong in (
            right.partition("?")[0],
            right.replace(NAME, "snf-8"),
            right.replace("/log", "/line"),
        ):
            answer = await treq.get(
                f"http://127.0.0.1:{self.port}{wrong}", persistent=False
            )
            self.assertEqual((403, b""), (answer.code, await answer.content()))

    async def test_many(self) -> None:
        """Only so many are read at a time."""
        self.serial.reading.now = 16
        self.assertEqual(503, (await self.log())[0])

    async def test_unreadable(self) -> None:
        """A log that cannot be read is an error of the node, with the reason in its log."""
        (self.home / "logs" / f"{NAME}.log").mkdir()
        self.assertEqual(500, (await self.log())[0])
        self.assertEqual(1, len(self.flushLoggedErrors(IsADirectoryError)))
        self.assertEqual(0, self.serial.reading.now)


class LineTests(WebTestCase):
    """``.../line``."""

    async def test_types_and_hears(self) -> None:
        """The connection is the line, until the guest ends."""
        qemu = self.qemu()
        await self.listened()
        stream = await self.stream()
        self.assertTrue(stream.heard.startswith(HEAD), stream.heard)
        await qemu.go()
        await stream.until(SAID)
        stream.transport.write(b"typed")
        await stream.until(b"typed")
        qemu.end()
        await stream.closed

    async def test_one_at_a_time(self) -> None:
        """A second one is refused with the reason; it gets in when the first is gone."""
        self.qemu()
        await self.listened()
        first = await self.stream()
        second = await self.stream()
        await second.until(b"Somebody else is at this serial console")
        self.assertIn(b"409 Conflict", second.heard)
        second.transport.loseConnection()
        first.transport.abortConnection()
        await until(lambda: self.lines.line(NAME).peer is None)
        third = await self.stream()
        self.assertTrue(third.heard.startswith(HEAD))
        third.transport.loseConnection()

    async def test_operator(self) -> None:
        """Whoever comes at the node itself has the line, and the stream ends."""
        qemu = self.qemu()
        await self.listened()
        stream = await self.stream()
        console = await self.console()
        await stream.closed
        await qemu.go()
        await console.until(SAID)
        refused = await self.stream()
        self.assertIn(b"409", refused.heard)
        for talk in (console, refused):
            talk.transport.loseConnection()

    async def test_stopped_daemon(self) -> None:
        """A daemon that stops ends its streams; the guest goes on."""
        self.qemu()
        await self.listened()
        stream = await self.stream()
        await self.lines.stopService()
        await stream.closed

    async def test_no_upgrade(self) -> None:
        """What asks for no upgrade, or another one, is told which."""
        self.qemu()
        await self.listened()
        for talk in (await self.stream("websocket"), await self.stream("x")):
            self.assertIn(b"426", talk.heard)
            self.assertIn(b"Upgrade: cyclades-serial", talk.heard)
            talk.transport.loseConnection()

    async def test_no_guest(self) -> None:
        """A guest that does not run here is a 404."""
        talk = await self.stream()
        self.assertIn(b"404", talk.heard)
        talk.transport.loseConnection()


class Wire(StringTransport):
    """A connection whose abrupt end is remembered."""

    aborted = False

    def abortConnection(self) -> None:
        """See ``ITCPTransport``."""
        self.aborted = True


class PeerTests(LinesTestCase):
    """A peer, without a guest."""

    def setUp(self) -> None:
        super().setUp()
        log = self.lines.places.log(NAME)
        self.ended: list[Line] = []
        self.line = Line(NAME, log, self.in_thread, self.ended.append)
        self.qemu_end = StringTransport()
        self.line.makeConnection(self.qemu_end)

    async def in_thread(self, function: Any, *given: Any) -> None:
        """Do nothing."""

    def peer(self) -> tuple[Peer, Wire]:
        peer, wire = Peer(self.line, reactor), Wire()
        peer.makeConnection(wire)
        return peer, wire

    def test_deaf_guest(self) -> None:
        """What is typed for a guest that reads nothing is left out, and costs nothing."""
        peer, _ = self.peer()
        self.qemu_end.producer.pauseProducing()
        peer.dataReceived(b"lost")
        self.qemu_end.producer.resumeProducing()
        peer.dataReceived(b"heard")
        self.assertEqual(b"heard", self.qemu_end.value())

    def test_slow_peer(self) -> None:
        """What a peer does not take is left out."""
        _, wire = self.peer()
        wire.producer.pauseProducing()
        self.line.dataReceived(b"lost")
        wire.producer.resumeProducing()
        self.line.dataReceived(b"heard")
        self.assertEqual(b"heard", wire.value())

    def test_sent_away(self) -> None:
        """A peer that has to leave types no more, and is heard of no more."""
        peer, wire = self.peer()
        self.line.connectionLost()
        self.assertEqual([self.line], self.ended)
        self.assertTrue(wire.disconnecting)
        peer.dataReceived(b"too late")
        self.assertEqual(b"", self.qemu_end.value())
        peer.connectionLost()
        late, its_wire = self.peer()
        self.assertTrue(its_wire.disconnecting)
        late.connectionLost()
