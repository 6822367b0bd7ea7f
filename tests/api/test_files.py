"""Files that are sent: which part of them, and what happens when they change."""

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from snf.api.files import part
from snf.core.errors import BadRange
from snf.testing.world import ALICE
from tests.api.images import DATA, IMAGES, Client, DataTestCase

_NUMBERS = st.one_of(st.just(""), st.integers(0, 2**40).map(str))
_RANGES = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.tuples(_NUMBERS, _NUMBERS).map(lambda ends: f"bytes={ends[0]}-{ends[1]}"),
)


class PartTests(SynchronousTestCase):
    """Which part of a file is meant."""

    @given(_RANGES, st.integers(0, 2**40))
    def test_inside(self, wanted: str | None, size: int) -> None:
        """It is in the file, whatever is asked for, or refused; it says what it is."""
        try:
            what = part(wanted, size)
        except BadRange:
            return
        self.assertGreaterEqual(what.start, 0)
        self.assertLessEqual(what.start + what.length, size)
        headers = what.headers()
        self.assertEqual(str(what.length), headers["Content-Length"])
        self.assertEqual(what.is_all, "Content-Range" not in headers)

    @given(st.integers(1, 2**40), st.data())
    def test_exact(self, size: int, data: Any) -> None:
        """A range that is in the file is that range."""
        start = data.draw(st.integers(0, size - 1))
        end = data.draw(st.integers(start, size - 1))
        what = part(f"bytes={start}-{end}", size)
        self.assertEqual((start, end - start + 1), (what.start, what.length))


class Real(StringTransport):
    """A connection that may be told to go on after it was closed, as a real one may."""

    def resumeProducing(self) -> None:
        """Go on, if it is open."""
        if not self.disconnected:
            super().resumeProducing()


class ChangingTests(DataTestCase):
    """A file that changes while it is sent: no client takes a part of it for all."""

    def fetch_while(self, change: Any) -> Client:
        """Return a client that has read as long as it could."""
        image = self.full()
        reads: list[int] = []
        pread = os.pread

        def read(file: int, length: int, place: int) -> bytes:
            reads.append(place)
            if len(reads) == 2:
                change(self.store.directory)
            return pread(file, length, place)

        self.patch(os, "pread", read)
        client = Client(self.site, Real())
        token = self.token(ALICE)
        head = f"GET {IMAGES}/{image}/file HTTP/1.1\r\nX-Auth-Token: {token}\r\n\r\n"
        client.write(head.encode())
        return client

    def test_cut(self) -> None:
        """A file that is cut off ends the connection."""

        def cut(directory: Path) -> None:
            [path] = [path for path in directory.rglob("*") if path.is_file()]
            os.truncate(path, 1000)

        client = self.fetch_while(cut)
        self.assertTrue(client.transport.disconnected)
        self.assertLess(len(client.read), len(DATA))

    def test_unreadable(self) -> None:
        """So does a disk that fails; the log says so."""

        def fail(directory: Path) -> None:
            raise OSError("the disk is gone")

        client = self.fetch_while(fail)
        self.assertTrue(client.transport.disconnected)
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    def test_removed(self) -> None:
        """A file that is removed meanwhile is sent to its end all the same."""

        def remove(directory: Path) -> None:
            [path] = [path for path in directory.rglob("*") if path.is_file()]
            path.unlink()

        client = self.fetch_while(remove)
        self.assertTrue(client.read.endswith(DATA[-1000:]))
