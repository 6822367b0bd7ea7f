"""Bodies that are read while they come, without a site around them."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from snf.api.streams import Body, Interrupted, streamed

MIB = 1024 * 1024


class BodyTests(SynchronousTestCase):
    """A body, and its one reader."""

    def setUp(self) -> None:
        self.transport = StringTransport()
        self.body = Body(self.transport, None)

    def read(self) -> "Deferred[bytes]":
        """Read once."""
        return Deferred.fromCoroutine(self.body.read())

    def test_in_order(self) -> None:
        """All that comes is read, in its order, and then the end."""
        waiting = self.read()
        self.assertNoResult(waiting)
        self.body.take(b"ab")
        self.assertEqual(b"ab", self.successResultOf(waiting))
        self.body.take(b"c")
        self.body.take(b"d")
        self.body.end()
        self.assertEqual(b"cd", self.successResultOf(self.read()))
        self.assertEqual(b"", self.successResultOf(self.read()))

    def test_backpressure(self) -> None:
        """A client that is faster than the reader has to wait, until that has read."""
        for _ in range(15):
            self.body.take(b"x" * 65_536)
        self.assertEqual("producing", self.transport.producerState)
        self.body.take(b"x" * 65_536)
        self.assertEqual("paused", self.transport.producerState)
        self.assertEqual(MIB, len(self.successResultOf(self.read())))
        self.assertEqual("producing", self.transport.producerState)

    def test_lost(self) -> None:
        """A reader is told when the client has gone; what came before does not count."""
        waiting = self.read()
        self.body.lost()
        self.failureResultOf(waiting, Interrupted)
        other = Body(self.transport, None)
        other.take(b"x")
        other.lost()
        self.failureResultOf(Deferred.fromCoroutine(other.read()), Interrupted)

    def test_lost_after_the_end(self) -> None:
        """A client that goes when all has come has sent all."""
        self.body.take(b"x")
        self.body.end()
        self.body.lost()
        self.assertEqual(b"x", self.successResultOf(self.read()))

    def test_discarded(self) -> None:
        """What is thrown away is not held, and lets the client go on."""
        for _ in range(17):
            self.body.take(b"x" * 65_536)
        self.body.discard()
        self.assertEqual("producing", self.transport.producerState)
        self.body.take(b"x" * 10)
        self.assertEqual(17 * 65_536 + 10, self.body.discarded)

    def test_invited(self) -> None:
        """A client that waits to be told to send is told once, by the first read."""
        told: list[Any] = []
        body = Body(self.transport, 1, lambda: told.append(None))
        self.assertEqual([], told)
        waiting = Deferred.fromCoroutine(body.read())
        self.assertEqual(1, len(told))
        body.take(b"x")
        self.assertEqual(b"x", self.successResultOf(waiting))
        self.assertNoResult(Deferred.fromCoroutine(body.read()))
        self.assertEqual(1, len(told))


class WhichTests(SynchronousTestCase):
    """Whose bodies are read while they come."""

    def test_which(self) -> None:
        """Those that go to an image's file or stage, and no others."""
        for path in ("/file", "/stage", "/file/", "/file?x=1"):
            self.assertTrue(streamed(b"PUT", b"/image/v2/images/i" + path.encode()))
        for method, path in (
            (b"GET", b"/image/v2/images/i/file"),
            (b"POST", b"/image/v2/images/i/file"),
            (b"PUT", b"/image/v2/images/i/tags/file"),
            (b"PUT", b"/image/v2/images/i?/file"),
            (b"PUT", b"/compute/v2.1/images/i/file"),
            (b"PUT", b"/image/v2/images/i/f%69le"),
        ):
            self.assertFalse(streamed(method, path), path)
