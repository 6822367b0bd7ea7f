"""What others wrote for the console's page, and what is said where it cannot be had."""

import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone import pages
from snf.allinone.failure import Failure
from snf.allinone.progress import Progress

UI = Path(__file__).parents[2] / "ui"


class VendorTests(SynchronousTestCase):
    """``ui/vendor.py``."""

    def setUp(self) -> None:
        self.ui = Path(self.mktemp()).absolute()
        shutil.copytree(UI, self.ui, ignore=shutil.ignore_patterns("vendor*"))
        shutil.copy(UI / "vendor.py", self.ui / "vendor.py")

    def vendor(self) -> "subprocess.CompletedProcess[str]":
        """Run it where there is no npm."""
        return subprocess.run(
            [sys.executable, str(self.ui / "vendor.py")],
            env={"PATH": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_no_npm(self) -> None:
        """It is one line that says what to do, and leaves nothing behind."""
        before = sorted(self.ui.iterdir())
        done = self.vendor()
        said = "ui/vendor.py: npm is needed: apt-get install npm\n"
        self.assertEqual((1, "", said), (done.returncode, done.stdout, done.stderr))
        self.assertEqual(before, sorted(self.ui.iterdir()))

    def test_there(self) -> None:
        """What is there is fetched again only for another lock."""
        lock = self.ui / "package-lock.json"
        (self.ui / "vendor").mkdir()
        (self.ui / "vendor" / "complete").write_text(lock.read_text())
        self.assertEqual(
            (0, "ui/vendor: there\n"), (self.vendor().returncode, self.vendor().stdout)
        )
        lock.write_text(lock.read_text() + "\n")
        self.assertEqual(1, self.vendor().returncode)


class HaveTests(SynchronousTestCase):
    """What ``./cloud`` makes of it."""

    def test_failed(self) -> None:
        """A cloud comes up without a page, and says so; tests want it."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        program = directory / "vendor.py"
        program.write_text("raise SystemExit(3)\n")
        self.patch(pages, "_PROGRAM", program)
        said = StringIO()
        pages.have(directory / "log", Progress(said))
        self.assertIn("console: no page for now: ui/vendor.py failed", said.getvalue())
        self.assertRaises(
            Failure, pages.have_for_tests, directory / "log", Progress(said)
        )
