"""What guests are answered over their connections, as bytes."""

from pathlib import Path

from treq.testing import StubTreq
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from snf.core.signing import Signer
from snf.noded.api import Api
from snf.noded.bounds import EACH_AT_MOST, LONGEST_S
from snf.noded.metadata import Answers, page
from snf.noded.taps import Taps
from snf.noded.told import Told
from tests.noded.test_told import Played

TAP = 5
PEER = "240.0.0.5"
PASSWORD = "/openstack/latest/password"


class MetadataTestCase(SynchronousTestCase):
    """The service, with one tap: that of server 7."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.played = Played()
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "tap0").write_text(f"NUMBER={TAP}\nINSTANCE=snf-7\n")
        taps = Taps(self.clock, folder, lambda name: TAP)
        taps.read_all()
        stub = StubTreq(self.played)
        signer = Signer(b"k" * 32)
        api = Api(("http://api",), stub, signer, self.clock, lambda: 1.8e9, 5.0)  # type: ignore[arg-type]
        told = Told(api, self.clock, "snf", 5.0, bytes)
        self.factory = page(Answers(taps, told), self.clock)

    def connect(self, peer: str = PEER) -> tuple:
        """Return a connection and its transport; None if it is refused."""
        address = IPv4Address("TCP", peer, 1234)
        protocol = self.factory.buildProtocol(address)
        if protocol is None:
            return None, None
        transport = StringTransport(peerAddress=address)
        transport.abortConnection = transport.loseConnection
        protocol.makeConnection(transport)
        # Its idleness is the reactor's to count, which other tests want to be clean.
        self.addCleanup(protocol.wrappedProtocol._channel.setTimeout, None)
        return protocol, transport

    def send(self, text: bytes, peer: str = PEER) -> bytes:
        """Return what is answered to what a guest sends."""
        protocol, transport = self.connect(peer)
        protocol.dataReceived(text)
        return transport.value()

    def ask(
        self, path: str, method: str = "GET", body: bytes = b""
    ) -> tuple[int, bytes]:
        """Return the status and body of an answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        answer = self.send(head.encode() + b"\r\n" + body)
        first, _, rest = answer.partition(b"\r\n")
        return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]


class AnswerTests(MetadataTestCase):
    """Requests and their answers."""

    def test_found(self) -> None:
        """A guest is told its own, or that there is no such thing."""
        self.assertEqual((200, b"web-1"), self.ask("/latest/meta-data/hostname"))
        self.assertEqual((200, b"web-1"), self.ask("/latest/meta-data/hostname?x=1"))
        self.assertEqual(404, self.ask("/latest/meta-data/nothing")[0])
        self.assertEqual((200, b""), self.ask("/latest/meta-data/hostname", "HEAD"))
        self.assertEqual(405, self.ask("/latest/meta-data/hostname", "PUT")[0])

    def test_who(self) -> None:
        """Who asks is said by the tap; nobody else is told anything, whatever they claim."""
        asked = b"GET /latest/meta-data/hostname HTTP/1.1\r\nHost: x\r\n"
        claims = b"X-Forwarded-For: 240.0.0.5\r\nX-Instance-ID: snf-7\r\n\r\n"
        for peer in ("240.0.0.6", "10.0.0.7", "240.0.0.0"):
            self.assertIn(b" 404 ", self.send(asked + claims, peer), peer)
        self.assertEqual([], self.played.asked)

    def test_away(self) -> None:
        """While the API is away that is said, for the guest to ask again."""
        self.played.status = 500
        answer = self.send(b"GET /latest HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b" 503 ", answer)
        self.assertIn(b"Retry-After: 5", answer)

    def test_password(self) -> None:
        """A password is told once: 200, then 409; and read by whoever is in the guest."""
        self.assertEqual((200, b""), self.ask(PASSWORD))
        self.assertEqual(200, self.ask(PASSWORD, "POST", b"c2VjcmV0")[0])
        self.assertEqual((200, b"c2VjcmV0"), self.ask(PASSWORD))
        self.assertEqual(409, self.ask(PASSWORD, "POST", b"other")[0])
        self.assertEqual((200, b"c2VjcmV0"), self.ask(PASSWORD))

    def test_no_password(self) -> None:
        """What is too long, empty, or no text is refused, and asked of nobody."""
        for body in (b"", b"x" * 1021, b"\x00", "\u00e9".encode()):
            self.assertEqual(400, self.ask(PASSWORD, "POST", body)[0], body)
        self.assertEqual(405, self.ask("/latest/user-data", "POST", b"x")[0])
        self.assertEqual([], self.played.asked)

    def test_nonsense(self) -> None:
        """What is no HTTP is an error or nothing, and the next is answered."""
        for text in (
            b"\x00\xff" * 100,
            b"GET\r\n\r\n",
            b"GET \xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        ):
            answer = self.send(text)
            self.assertTrue(answer == b"" or b" 40" in answer[:16], text[:20])
        self.assertEqual(200, self.ask("/latest")[0])


class BoundTests(MetadataTestCase):
    """How much one guest may have."""

    def test_connections(self) -> None:
        """A guest has some connections at a time, and takes none from others."""
        mine = [self.connect()[0] for _ in range(EACH_AT_MOST)]
        self.assertNotIn(None, mine)
        self.assertEqual((None, None), self.connect())
        self.assertIsNotNone(self.connect("240.0.0.6")[0])
        mine[0].connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.connect()[0])

    def test_time(self) -> None:
        """A connection ends, whether or not something goes on in it."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"GET / HTTP/1.1\r\n")
        for _ in range(int(LONGEST_S)):
            protocol.dataReceived(b"A: b\r\n")
            self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_large(self) -> None:
        """A body that is too large is refused, whether or not its length is said."""
        head = f"POST {PASSWORD} HTTP/1.1\r\nHost: x\r\n".encode()
        said = self.send(head + b"Content-Length: 99999999999\r\n\r\n")
        self.assertIn(b" 413 ", said)
        piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        unsaid = self.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + piece * 3)
        self.assertEqual(1, unsaid.count(b" 413 "))
        self.assertEqual([], self.played.asked)

    def test_one(self) -> None:
        """There is one request a connection, so no more than a tap may begin of these."""
        request = b"GET /latest HTTP/1.1\r\nHost: x\r\n\r\n"
        protocol, transport = self.connect()
        protocol.dataReceived(request * 50)
        self.assertEqual(1, transport.value().count(b"HTTP/1.1 200"))
        self.assertTrue(transport.disconnecting)
