"""``os-getConsoleOutput``: what servers have said."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from snf.api.compute.console_logs import printable
from snf.api.compute.consoles import Consoles
from snf.core.errors import Conflict, NotFound, Unavailable
from snf.core.server import Life, Observed
from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import SERVERS, ApiTestCase, Reply


class Told:
    """What nodes tell: the same of every server, or why not."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int | None]] = []
        self.refusal: Exception | None = None
        self.pause: Deferred[None] | None = None

    async def log(self, cluster: int, server: int, lines: int | None) -> bytes:
        self.asked.append((cluster, server, lines))
        if self.pause is not None:
            await self.pause
        if self.refusal is not None:
            raise self.refusal
        return b"\x1b[0mone\r\n\ttwo \xff\n"


class ConsoleLogTests(ApiTestCase):
    """The action, over nodes that tell something."""

    def setUp(self) -> None:
        self.told = Told()
        super().setUp()
        self.id = self.server()
        self.live(self.id, Life(Observed.UP))

    def consoles(self) -> Consoles:
        """Return what tells logs."""
        return Consoles(self._new_token, logs=self.told)

    def ask(self, argument: Any, by: Any = ALICE, **more: Any) -> Reply:
        body = {"os-getConsoleOutput": argument}
        return self.call("POST", f"{SERVERS}/{self.id}/action", body, by=by, **more)

    def lines(self) -> int | None:
        """Return how many lines the node was asked for last."""
        return self.told.asked[-1][2]

    def test_all(self) -> None:
        """Without a number all of it is told, in text, without what moves cursors."""
        for argument in ({}, {"length": None}, {"length": -1}, {"length": "-1"}):
            reply = self.ask(argument)
            self.assertEqual(200, reply.code, reply.text)
            self.assertEqual({"output": "[0mone\n\ttwo \ufffd\n"}, reply.json)
            self.assertIsNone(self.lines())

    def test_lines(self) -> None:
        """So many lines as are wanted; clients send numbers as text, too."""
        for argument, lines in ((0, 0), (5, 5), ("17", 17), (0x7FFFFFFF, 0x7FFFFFFF)):
            self.assertEqual(200, self.ask({"length": argument}).code)
            self.assertEqual(lines, self.lines())

    def test_bad_input(self) -> None:
        """A length that is none, or more than a length, is a 400 that names it."""
        for length in (-2, 0x80000000, "x", "", "1.5", "9" * 11, 1.5, True, [], {}):
            reply = self.ask({"length": length})
            self.assertEqual(400, reply.code, length)
            self.assertIn("os-getConsoleOutput.length", reply.message)
        for argument in (None, 5, [], {"lines": 5}):
            reply = self.ask(argument)
            self.assertEqual(400, reply.code, argument)
            self.assertIn("os-getConsoleOutput", reply.message)
        self.assertEqual([], self.told.asked)

    def test_who(self) -> None:
        """Members of its project and admins are told; others have no such server."""
        for by, code in ((ALICE, 200), (ADMIN, 200), (READER, 403), (BOB, 404)):
            self.assertEqual(code, self.ask({}, by=by).code)

    def test_states(self) -> None:
        """It is told in every status in which Ganeti knows of an instance."""
        for observed in (Observed.DOWN, Observed.UNKNOWN, Observed.BUILD):
            self.live(self.id, Life(observed))
            self.assertEqual(200, self.ask({}).code)
        self.told.refusal = Conflict("The server is not on any node (yet)")
        self.assertEqual(409, self.ask({}).code)

    def test_away(self) -> None:
        """Where the node does not answer that is said in OpenStack's form: 503, or 404."""
        self.told.refusal = Unavailable("The node does not answer", 10)
        reply = self.ask({})
        self.assertEqual((503, "10"), (reply.code, reply.header("Retry-After")))
        self.assertEqual("The node does not answer", reply.message)
        self.assertEqual(["serviceUnavailable"], [*reply.json])
        self.told.refusal = NotFound("Guest does not have a console available.")
        self.assertEqual(404, self.ask({}).code)

    def test_slow(self) -> None:
        """Nobody else waits for a node that takes its time; no transaction is open."""
        self.told.pause = deferLater(self.clock, 5)
        body = b'{"os-getConsoleOutput": {}}'
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.99", 4))
        connection = self.site.buildProtocol(None)
        connection.makeConnection(transport)
        head = [
            f"POST {SERVERS}/{self.id}/action HTTP/1.1",
            *("Host: cloud.test", "Content-Type: application/json"),
            f"X-Auth-Token: {self.token(ALICE)}",
            f"Content-Length: {len(body)}",
        ]
        connection.dataReceived("\r\n".join([*head, "", ""]).encode() + body)
        self.assertEqual(b"", transport.value())
        self.assertEqual(200, self.call("GET", SERVERS, by=ALICE).code)
        self.clock.advance(5)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 200 "))


class NotKeptTests(ApiTestCase):
    """Where nodes cannot be asked."""

    def test_not_offered(self) -> None:
        """It is a 501 that says what the operator has to set."""
        body: dict[str, Any] = {"os-getConsoleOutput": {}}
        reply = self.call("POST", f"{SERVERS}/{self.server()}/action", body, by=ALICE)
        self.assertEqual(501, reply.code)
        self.assertIn("[nodes]", reply.message)

    def consoles(self) -> Consoles:
        """Return what tells no logs."""
        return Consoles(self._new_token)


class PrintableTests(SynchronousTestCase):
    """``printable``."""

    def setUp(self) -> None:
        self.clock = Clock()

    def begin(self, said: bytes) -> "Deferred[str]":
        return Deferred.fromCoroutine(printable(said, self.clock))

    def test_controls(self) -> None:
        """Of ASCII's control characters line feeds and tabs are left, as in Nova."""
        text = self.successResultOf(self.begin(bytes(range(33)) + b"\x7f"))
        self.assertEqual("\t\n \x7f", text)
        self.assertEqual("", self.successResultOf(self.begin(b"")))

    def test_long(self) -> None:
        """A long log leaves others their turns, and no letter is cut in two by that."""
        answer = self.begin("x€".encode() * 100_000 + b"\xe2")
        self.assertNoResult(answer)
        self.clock.pump([0] * 4)
        self.assertEqual("x€" * 100_000 + "\ufffd", self.successResultOf(answer))
