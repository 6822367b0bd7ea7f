"""Who is master, and how far the queue was told."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.eventd.mark import MarkFile
from snf.eventd.master import Master


class MasterTests(SynchronousTestCase):
    """``Master``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.master = Master(self.directory, "node1.test")
        self.ssconf("cluster_name", "c.test")

    def ssconf(self, key: str, value: str) -> None:
        new = self.directory / "new"
        new.write_text(f"{value}\n")
        new.replace(self.directory / f"ssconf_{key}")

    def test_master(self) -> None:
        """The node that the file names is the master."""
        self.ssconf("master_node", "node1.test")
        self.assertTrue(self.master.refresh())
        self.assertEqual("c.test", self.master.cluster)

    def test_failover(self) -> None:
        """A change of the file is seen the next time, in both directions."""
        self.ssconf("master_node", "node2.test")
        self.assertFalse(self.master.refresh())
        self.ssconf("master_node", "node1.test")
        self.assertTrue(self.master.refresh())
        self.ssconf("master_node", "node2.test")
        self.assertFalse(self.master.refresh())

    def test_no_cluster(self) -> None:
        """Where there is no cluster nobody is its master, whatever the node's name."""
        self.assertFalse(self.master.refresh())
        self.assertFalse(Master(self.directory, "").refresh())

    def test_cluster_is_gone(self) -> None:
        """A master whose cluster is destroyed is none any more."""
        self.ssconf("master_node", "node1.test")
        self.master.refresh()
        os.unlink(self.directory / "ssconf_master_node")
        self.assertFalse(self.master.refresh())


class MarkFileTests(SynchronousTestCase):
    """``MarkFile``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.mark = MarkFile(self.directory / "mark")

    def test_read_back(self) -> None:
        """What was written last is read, to the microsecond."""
        self.mark.write(1.5)
        self.mark.write(1384509200.120034)
        self.assertAlmostEqual(1384509200.120034, self.mark.read(), 5)
        self.assertEqual(["mark"], os.listdir(self.directory))

    def test_none(self) -> None:
        """Without a file, or with one that holds no time, there is no mark."""
        self.assertIsNone(self.mark.read())
        self.mark.path.write_bytes(b"yesterday")
        self.assertIsNone(self.mark.read())
