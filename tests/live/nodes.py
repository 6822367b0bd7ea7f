"""What tests of several nodes stand on."""

from twisted.trial.unittest import SkipTest

from snf.allinone.machine import Machine
from tests.live.cloud import LiveTestCase


class NodesTestCase(LiveTestCase):
    """A test with a cluster of several nodes."""

    timeout = 300

    def setUp(self) -> None:
        super().setUp()
        self.ganeti = self.cloud.ganeti
        if len(self.ganeti.machines) < 2:
            raise SkipTest("this cloud has one node: ./cloud up --nodes 2")

    async def machine_of(self, name: str) -> Machine:
        """Return where an instance is."""
        out = await self.inside("gnt-instance", "list", "--no-headers", "-opnode", name)
        [found] = [one for one in self.ganeti.machines if one.node.name == out.strip()]
        return found

    def other_than(self, machine: Machine) -> Machine:
        """Return another machine."""
        return next(one for one in self.ganeti.machines if one != machine)

    async def runs(self, server: str, name: str, machine: Machine) -> None:
        """Assert that a guest runs on a machine, and the cloud shows it where it was."""
        self.assertEqual(machine, await self.machine_of(name))
        self.assertEqual("running", (await self.instances())[name])
        pid_file = machine.namespace.path(f"/run/ganeti/kvm-hypervisor/pid/{name}")
        self.assertTrue(machine.namespace.holds(int(pid_file.read_text())))
        shown = await self.admin.show(server)
        assert shown is not None
        # To clients a cluster is a host, whichever of its nodes it is.
        for key in ("host", "hypervisor_hostname"):
            self.assertEqual(
                self.cloud.instance.cluster_name, shown[f"OS-EXT-SRV-ATTR:{key}"]
            )
