"""The client that the all-in-one brings along."""

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.client import link, search_path


def shell(script: str, path: str) -> str:
    """Return what a script prints that a plain shell runs with a search path."""
    return subprocess.run(
        ["/bin/sh", "-euc", script],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


class SearchPathTests(SynchronousTestCase):
    """The line of ``./cloud env`` that lets a shell find the client."""

    def setUp(self) -> None:
        self.ours = Path(self.mktemp()).absolute() / "it's $HOME"
        self.ours.mkdir(parents=True)
        self._program(self.ours, "ours")

    def _program(self, directory: Path, says: str) -> None:
        program = directory / "openstack"
        program.write_text(f"#!/bin/sh\necho {says}\n")
        program.chmod(0o755)

    def test_no_client(self):
        """A shell without a client finds ours, in a directory of any name."""
        said = shell(search_path(self.ours) + "openstack", "/nowhere")
        self.assertEqual("ours\n", said)

    def test_own_client(self):
        """The user's own client is found before ours."""
        own = Path(self.mktemp()).absolute()
        own.mkdir()
        self._program(own, "own")
        said = shell(search_path(self.ours) + "openstack", str(own))
        self.assertEqual("own\n", said)

    def test_twice(self):
        """What is read twice adds the directory once."""
        script = search_path(self.ours) * 2 + 'printf "%s" "$PATH"'
        self.assertEqual(f"/nowhere:{self.ours}", shell(script, "/nowhere"))


class LinkTests(SynchronousTestCase):
    """The directory for the search path."""

    def test_nothing_else(self):
        """It holds a link to the client and nothing else, however often it is made."""
        directory = Path(self.mktemp())
        link(directory)
        link(directory)
        [entry] = directory.iterdir()
        self.assertEqual("openstack", entry.name)
        self.assertTrue(entry.is_symlink())

    def test_moved_checkout(self):
        """A link to where another checkout's client was is replaced."""
        directory = Path(self.mktemp())
        link(directory)
        right = (directory / "openstack").readlink()
        (directory / "openstack").unlink()
        (directory / "openstack").symlink_to("/elsewhere/openstack")
        link(directory)
        self.assertEqual(right, (directory / "openstack").readlink())
