"""What the lines of guests do, real ones and simulated ones."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from attrs import frozen
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from snf.core.errors import Conflict
from snf.serial.line import Line, Peer
from snf.serial.web import Lines


@frozen
class Subject:
    """
    A guest that says again what is typed.

    :ivar clock: An ``IReactorTime`` that runs.
    :ivar name: Of its instance, which runs.
    :ivar end: Has it end.
    """

    lines: Lines
    clock: Any
    name: str
    end: Callable[[], None]


class Wire(StringTransport):
    """A connection that can be cut."""

    def abortConnection(self) -> None:
        """See ``ITCPTransport``."""
        self.loseConnection()


class _SerialTests(TestCase):
    """The lines of guests."""

    timeout = 60
    create: "ClassVar[Callable[[Any], Awaitable[Subject]]]"

    async def setUp(self) -> None:  # type: ignore[override]
        self.subject = await type(self).create(self)
        self.addCleanup(self.subject.end)
        self.lines, self.name = self.subject.lines, self.subject.name
        await self.said(b"\n")

    @property
    def line(self) -> Line:
        found = self.lines.line(self.name)
        assert found is not None
        return found

    async def said(self, text: bytes) -> bytes:
        """Return the log when a text is in it."""
        while text not in (found := await self.lines.tail(self.name, None) or b""):
            await deferLater(self.subject.clock, 0.01)
        return found

    async def test_log(self) -> None:
        """What is typed is said again, and is at the end of the log."""
        self.line.type(b"one\ntwo\nthree")
        whole = await self.said(b"three")
        self.assertTrue(whole.endswith(b"\none\ntwo\nthree"), whole)
        self.assertEqual(b"two\nthree", await self.lines.tail(self.name, 2))
        self.assertEqual(b"", await self.lines.tail(self.name, 0))
        self.assertEqual(whole, await self.lines.tail(self.name, 1000))

    async def test_peer(self) -> None:
        """A peer types and hears; there is one at a time."""
        wire = Wire()
        peer = Peer(self.line, self.subject.clock)
        peer.makeConnection(wire)
        peer.dataReceived(b"typed")
        await self.said(b"typed")
        self.assertIn(b"typed", wire.value())
        self.assertRaises(Conflict, self.line.check)
        peer.connectionLost()
        self.line.check()

    async def test_end(self) -> None:
        """When a guest ends, its peer has to leave; what it has said is kept."""
        whole = await self.said(b"\n")
        line, wire = self.line, Wire()
        peer = Peer(line, self.subject.clock)
        peer.makeConnection(wire)
        self.subject.end()
        while self.lines.line(self.name) is not None:
            await deferLater(self.subject.clock, 0.01)
        self.assertTrue(line.over)
        self.assertTrue(wire.disconnecting)
        peer.connectionLost()
        self.assertEqual(whole, await self.lines.tail(self.name, None))

    async def test_nobody(self) -> None:
        """Of an instance that there is not, nothing is known."""
        self.assertIsNone(self.lines.line("snf-999"))
        self.assertIsNone(await self.lines.tail("snf-999", None))
        self.assertTrue(self.lines.is_ours("snf-999"))
        self.assertFalse(self.lines.is_ours("their-machine"))


def serial_tests(create: "Callable[[Any], Awaitable[Subject]]") -> type[TestCase]:
    """
    Return the tests that any lines must pass.

    :param create: Makes a subject for a test.
    """

    class SerialTests(_SerialTests):
        """The lines of guests."""

    SerialTests.create = staticmethod(create)  # type: ignore[assignment]
    return SerialTests
