"""Whose a tap is, by files that come and go."""

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.noded.taps import Tap, Taps, parsed


class ParsedTests(SynchronousTestCase):
    """``parsed``."""

    def test_nonsense(self) -> None:
        """A file that makes no sense says nothing."""
        self.assertEqual(
            Tap("t", 3, "snf-1"), parsed("t", "NUMBER=3\nINSTANCE=snf-1\n")
        )
        for text in ("", "NUMBER=3\n", "INSTANCE=x\n", "NUMBER=x\nINSTANCE=y\n", "a\n"):
            self.assertRaises(ValueError, parsed, "t", text)


class TapsTests(SynchronousTestCase):
    """``Taps``."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.numbers = {"tap0": 5, "tap1": 6}
        self.taps = Taps(Clock(), self.folder, lambda name: self.numbers.get(name, 0))

    def write(self, tap: str, number: int, instance: str) -> None:
        """Write the file of a tap, and have that be heard of."""
        new = self.folder / f".{tap}.new"
        new.write_text(f"NUMBER={number}\nINSTANCE={instance}\n")
        os.rename(new, self.folder / tap)
        self.taps.take(new.name)
        self.taps.take(tap)

    def who(self, number: int) -> str | None:
        """Return whose the tap of a number is."""
        tap = self.taps.of(number)
        return None if tap is None else tap.instance

    def test_changes(self) -> None:
        """What is written, written anew or removed is followed."""
        self.write("tap0", 5, "snf-1")
        self.assertEqual("snf-1", self.who(5))
        self.write("tap0", 5, "snf-2")
        self.assertEqual("snf-2", self.who(5))
        (self.folder / "tap0").unlink()
        self.taps.take("tap0")
        self.assertIsNone(self.who(5))

    def test_tap_gone(self) -> None:
        """A number whose tap has gone, or has another number now, is nobody's."""
        self.write("tap0", 5, "snf-1")
        self.numbers["tap0"] = 9
        self.assertIsNone(self.who(5))
        self.assertIsNone(self.who(9))
        del self.numbers["tap0"]
        self.assertIsNone(self.who(5))

    def test_missed(self) -> None:
        """What was missed is there after the whole directory was read."""
        self.write("tap0", 5, "snf-1")
        (self.folder / "tap0").unlink()
        (self.folder / "tap1").write_text("NUMBER=6\nINSTANCE=snf-2\n")
        (self.folder / "tap2").write_text("nonsense")
        (self.folder / "tap3").mkdir()
        self.taps.read_all()
        self.assertEqual((None, "snf-2"), (self.who(5), self.who(6)))
