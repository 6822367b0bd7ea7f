"""The log of a guest, and who writes it down."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.serial.log import Log, last_lines
from snf.serial.recorder import Recorder
from snf.testing.log import said

LINES = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r\n"])).map(b"".join)


class LastLinesTests(SynchronousTestCase):
    """``last_lines``."""

    @given(LINES, st.integers(0, 12))
    def test_lines(self, said: bytes, lines: int) -> None:
        """They are the last ones, whole; one that has not ended yet counts."""
        every = said.split(b"\n")
        whole = [line + b"\n" for line in every[:-1]] + (
            [every[-1]] if every[-1] else []
        )
        self.assertEqual(
            b"".join(whole[-lines:] if lines else []), last_lines(said, lines)
        )


class LogTests(SynchronousTestCase):
    """``Log``."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.log = Log(folder / "x.log", 100)

    @given(st.lists(st.binary(max_size=120)))
    def test_end(self, pieces: list[bytes]) -> None:
        """What is kept is the end of what was said, half of the room at least, all at most."""
        self.log.remove()
        for piece in pieces:
            self.log.append(piece)
        whole, kept = b"".join(pieces), self.log.tail()
        self.assertLessEqual(len(kept), 100)
        self.assertTrue(whole.endswith(kept))
        longest = max(map(len, pieces), default=0)
        if longest <= 25:
            self.assertGreaterEqual(len(kept), min(len(whole), 25))

    def test_nothing(self) -> None:
        """Where nothing was said there is nothing, and no log."""
        self.assertEqual((b"", False), (self.log.tail(), self.log.exists()))
        self.log.append(b"x")
        self.assertTrue(self.log.exists())
        self.log.remove()
        self.assertFalse(self.log.exists())


class RecorderTests(SynchronousTestCase):
    """``Recorder``, with a disk that takes its time."""

    def setUp(self) -> None:
        self.written: list[bytes] = []
        self.disk: list[Deferred[None]] = []
        self.held: list[bool] = []
        self.recorder = Recorder(
            Log(Path("/nowhere/x.log"), 100),
            self.in_thread,
            hold=lambda: self.held.append(True),
            go_on=lambda: self.held.append(False),
        )

    def in_thread(self, function: Any, piece: bytes) -> "Deferred[None]":
        self.written.append(piece)
        self.disk.append(Deferred())
        return self.disk[-1]

    def test_waits(self) -> None:
        """A guest that says more than the disk takes is held, until the disk has it."""
        self.recorder.record(b"first")
        self.recorder.record(b"x" * 100_000)
        self.assertEqual([], self.held)
        self.recorder.record(b"y" * 100_000)
        self.recorder.record(b"z")
        self.assertEqual([True], self.held)
        done = Deferred.fromCoroutine(self.recorder.written())
        self.disk[0].callback(None)
        self.assertEqual(
            [b"first", b"x" * 100_000 + b"y" * 100_000 + b"z"], self.written
        )
        self.assertNoResult(done)
        self.assertEqual([True], self.held)
        self.disk[1].callback(None)
        self.successResultOf(done)
        self.assertEqual([True, False], self.held)

    def test_fails(self) -> None:
        """A disk that is full is complained of once, and written to when it is not."""
        lines = said(self)
        for _ in range(3):
            self.recorder.record(b"lost")
            self.disk[-1].errback(OSError(28, "No space left on device"))
        self.recorder.record(b"kept")
        self.disk[-1].callback(None)
        self.assertEqual(b"kept", self.written[-1])
        path = self.recorder.log.path
        self.assertEqual([f"{path} cannot be written: No space left on device"], lines)
        self.successResultOf(Deferred.fromCoroutine(self.recorder.written()))
