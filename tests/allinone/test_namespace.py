"""What a node's own mounts hide, and what they leave."""

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.namespace import mounting


class MountingTests(SynchronousTestCase):
    """A private directory, mounted where the machine has none."""

    def setUp(self):
        self.home = Path(self.mktemp()).absolute()
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        self.private = Path(self.mktemp()).absolute()
        self.private.mkdir()
        (self.private / "key").touch()

    def seen(self, needed: list[Path]) -> set[str]:
        """Return the names of what is in the home directory with the mount."""
        target = self.home / ".ssh"
        script = mounting({str(target): self.private}, needed)
        script += f'set -e; [ -e "{target}/key" ]; ls -A "{self.home}"'
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return set(done.stdout.split())

    def test_beside_the_project(self):
        """The project is seen although it lies where a mount point is missing."""
        self.assertEqual({".ssh", "project"}, self.seen([self.project]))

    def test_nothing_left(self):
        """Where nothing is needed, no mount point is left on the machine."""
        self.assertEqual({".ssh"}, self.seen([Path("/elsewhere")]))
        self.assertEqual([self.project], list(self.home.iterdir()))
