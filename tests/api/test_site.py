"""The site: what is read from a client, and how answers are written."""

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher

from snf.testing.world import ALICE
from tests.api.case import SERVERS, TOKENS, ApiTestCase


class SizeTests(ApiTestCase):
    """Bodies that are too large."""

    max_body_bytes = 2048

    def chunked(self, path: str, chunks: list[bytes]) -> bytes:
        """Return a request whose length is not told beforehand."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {self.token(ALICE)}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        return head.encode() + body + b"0\r\n\r\n"

    def test_told_beforehand(self) -> None:
        """A 413 in the service's shape, with the limit in it."""
        for path, shape in ((SERVERS, "overLimit"), (TOKENS, "error")):
            reply = self.call("POST", path, by=ALICE, data=b" " * 2049)
            self.assertEqual(413, reply.code, reply.text)
            self.assertEqual(413, reply.json[shape]["code"])
            self.assertIn("2048", reply.message)

    def test_chunked(self) -> None:
        """So it is when it turns out only while reading."""
        for chunks in ([b" " * 2049], [b" " * 1000] * 3, [b" "] * 2049):
            reply = self.send(self.chunked(SERVERS, chunks))
            self.assertEqual(413, reply.code, reply.text)
            self.assertIn("overLimit", reply.json)

    def test_just_fits(self) -> None:
        """A body of just the limit is read."""
        body = b'{"server": {"x": 1}}'.ljust(2048)
        reply = self.call("POST", SERVERS, by=ALICE, data=body)
        self.assertEqual(400, reply.code)
        reply = self.send(self.chunked(SERVERS, [body[:1000], body[1000:]]))
        self.assertEqual(400, reply.code)

    def test_strangers(self) -> None:
        """Who has no token is not told the limit."""
        reply = self.call("POST", SERVERS, data=b" " * 5000)
        self.assertEqual(401, reply.code)

    def test_endless(self) -> None:
        """One who sends far more than the limit is cut off."""
        transport = StringTransport()
        connection = self.site.buildProtocol(None)
        connection.makeConnection(transport)
        head = (
            f"POST {SERVERS} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
        )
        connection.dataReceived(head.encode())
        for _ in range(40):
            if transport.disconnecting or transport.disconnected:
                break
            connection.dataReceived(b"x" * 1024)
        self.assertTrue(transport.disconnecting or transport.disconnected)

    def test_not_a_length(self) -> None:
        """A length that is none is a 400."""
        for length in ("x", "-1", "1e3", "0x10"):
            reply = self.call(
                "POST", SERVERS, data=b"{}", headers={"Content-Length": length}
            )
            self.assertEqual(400, reply.code)
            self.assertNotIn(b"<", reply.text)


class AnswerTests(ApiTestCase):
    """How answers are written."""

    def test_length(self) -> None:
        """Every answer tells its length, so that connections can be kept."""
        server = self.server()
        for method, path in (("GET", SERVERS), ("GET", "/nope"), ("PATCH", SERVERS)):
            reply = self.call(method, path, by=ALICE)
            self.assertEqual(str(len(reply.text)), reply.header("Content-Length"))
        reply = self.call("DELETE", f"{SERVERS}/{server}", by=ALICE)
        self.assertEqual(204, reply.code)
        self.assertIsNone(reply.header("Content-Length"))

    def test_empty(self) -> None:
        """An answer without a body has no type either."""
        server = self.server()
        self.sql("UPDATE server SET observed = 'up', status = 'ACTIVE', task = NULL")
        self.sql("DELETE FROM orders")
        reply = self.act(server, {"os-stop": None})
        self.assertEqual((202, b""), (reply.code, reply.text))
        self.assertEqual("0", reply.header("Content-Length"))
        self.assertIsNone(reply.header("Content-Type"))

    def test_one_after_another(self) -> None:
        """Several requests on one connection are answered in their order."""
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.9", 1))
        connection = self.site.buildProtocol(None)
        connection.makeConnection(transport)
        statuses = []
        for path in ("/identity/v3", "/nope", "/compute"):
            connection.dataReceived(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            statuses.append(transport.value().split()[1])
            transport.clear()
        self.assertEqual([b"200", b"404", b"200"], statuses)

    def test_names_no_software(self) -> None:
        """The server's name gives no versions away."""
        for path in ("/", "/nope", SERVERS):
            self.assertEqual("Cyclades", self.call("GET", path).header("Server"))


class LogTests(ApiTestCase):
    """The line that each request leaves in the log."""

    def test_line(self) -> None:
        """It has the caller, the path without the query, the status and the id."""
        self.token(ALICE)
        events: list[dict] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        reply = self.call("GET", f"{SERVERS}?name=secret", by=ALICE)
        [event] = [event for event in events if "request_id" in event]
        self.assertEqual(
            ("192.0.2.99", "GET", SERVERS, 200, reply.header("x-compute-request-id")),
            tuple(
                event[name]
                for name in ("client", "method", "path", "code", "request_id")
            ),
        )
        self.assertNotIn("secret", str(event))
        self.assertNotIn(self.token(ALICE), str(events))
