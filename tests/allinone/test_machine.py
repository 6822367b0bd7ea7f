"""What a node's machine keeps, and what it knows of itself."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone import daemons
from snf.allinone.layout import Instance, Layout
from snf.allinone.machine import IMAGES, Machine


class MachineTests(SynchronousTestCase):
    """Two machines of one all-in-one, none of which runs."""

    def setUp(self):
        self.layout = Layout(Path(self.mktemp()))
        self.layout.create()
        instance = Instance("abc", 20, 1, 2, 3, 4, 5, node_count=2)
        self.first, self.second = (Machine(self.layout, n) for n in instance.nodes)
        for machine in (self.first, self.second):
            machine.files()

    def master_is(self, name: str):
        for machine in (self.first, self.second):
            (machine.data / "ssconf_master_node").write_text(f"{name}\n")

    def test_before_any(self):
        """The first machine is to become the master."""
        self.assertTrue(self.first.is_master)
        self.assertFalse(self.second.is_master)

    def test_another_master(self):
        """After a failover the second one is, and is to run the master's daemons."""
        self.master_is(self.second.node.name)
        self.assertFalse(self.first.is_master)
        self.assertTrue(self.second.is_master)
        self.assertNotIn("rapi", self.first.daemons)
        self.assertIn("rapi", self.second.daemons)

    def test_own_files(self):
        """Each has its own settings, at the paths where Ganeti looks for them."""
        for machine in (self.first, self.second):
            mounts = machine.namespace.mounts
            settings = mounts["/etc/default/ganeti"].read_text()
            self.assertIn(f'NODED_ARGS="-b {machine.node.address}"', settings)
            self.assertEqual(
                f"{machine.node.name}\n", mounts["/etc/hostname"].read_text()
            )

    def test_shared(self):
        """Disks that live migration needs are the same files, all others are not."""
        first, second = self.first.namespace.mounts, self.second.namespace.mounts
        same = {path for path in first if first[path] == second[path]}
        self.assertIn("/srv/ganeti/shared-file-storage", same)
        self.assertEqual(self.layout / "images", first[IMAGES])
        self.assertIn(IMAGES, same)
        for path in ("/var/lib/ganeti", "/srv/ganeti", "/var/spool/snf-eventd"):
            self.assertNotIn(path, same)

    def test_over_each_other(self):
        """What is mounted inside of another mount comes after it."""
        seen: list[str] = []
        for path in self.first.namespace.mounts:
            self.assertFalse([one for one in seen if one.startswith(f"{path}/")])
            seen.append(path)

    def test_nothing_runs(self):
        """Without namespaces no daemon runs; a pid file of before proves nothing."""
        self.assertIsNone(self.first.pid("noded"))
        self.assertIsNone(self.first.sshd.pid())
        nfdhcpd = daemons.nfdhcpd(self.layout, self.first)
        self.assertEqual((None, ()), (nfdhcpd.pid(), nfdhcpd.argv))
