"""What operators do with a cluster's nodes, and what becomes of the nodes: no news."""

from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from snf.allinone.failure import Failure
from snf.allinone.machine import Machine
from snf.eventd.mark import MarkFile
from tests.live.cloud import LiveTestCase, eventually, kill, serial


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


class MoveTests(NodesTestCase):
    """A guest on its way from node to node."""

    async def test_migrated(self) -> None:
        """A guest that is migrated runs on, and is ACTIVE all the time."""
        server, name = await self.booted()
        await serial(self.cloud, name, "KEEPING", typed="KEPT=yes; echo KEEP''ING\n")
        target = self.other_than(await self.machine_of(name))
        seen: set[tuple[str, str | None]] = set()
        job = ensureDeferred(self.inside("gnt-instance", "migrate", "-f", name))

        async def ended() -> bool:
            shown = await self.user.show(server)
            assert shown is not None
            seen.add((shown["status"], shown["OS-EXT-STS:task_state"]))
            return bool(job.called)

        await eventually(ended, "the migration ends", 60, 0.2)
        await job
        await self.runs(server, name, target)
        self.assertEqual({("ACTIVE", None)}, seen)
        # Its memory has come along: a guest that was started again would not know.
        await serial(self.cloud, name, "KEPT=yes", typed="echo KEPT''=$KEPT\n")

    async def test_failed_over(self) -> None:
        """A guest that is shut down here and started there ends ACTIVE."""
        server, name = await self.booted()
        target = self.other_than(await self.machine_of(name))
        await self.inside("gnt-instance", "failover", "-f", name)
        await self.user.until(server, "ACTIVE")
        await self.runs(server, name, target)


class PowerCutTests(NodesTestCase):
    """A node that is gone."""

    async def test_evacuated(self) -> None:
        """Its guests are started elsewhere; it comes back, and guests can go to it."""
        master = self.ganeti.master
        victim = self.other_than(master)
        server, name = await self.booted()
        if await self.machine_of(name) == master:
            await self.inside("gnt-instance", "migrate", "-f", name)
        await self.runs(server, name, victim)

        self.addCleanup(lambda: ensureDeferred(self.restart_daemons()))
        for pid in victim.namespace.pids():
            kill(pid)
        victim.namespace.bridge.remove()
        node = victim.node.name
        await self.inside("gnt-node", "modify", "--offline=yes", node)
        await self.inside("gnt-node", "failover", "-f", node)
        # Levelling may have seen it dead in the meantime.
        await self.user.until(server, "ACTIVE", 90)
        await self.runs(server, name, master)

        await self.restart_daemons()
        await eventually(partial(self.added, node), "the node is back", 60, 2)
        await self.inside("gnt-node", "migrate", "-f", master.node.name)
        await self.runs(server, name, victim)
        await self.user.until(server, "ACTIVE")
        await serial(self.cloud, name, "AWAKE", typed="echo AWA''KE\n")

    async def added(self, node: str) -> bool:
        """Return whether a node could be added again: its daemons take a moment."""
        try:
            await self.inside("gnt-node", "add", "--readd", "--no-ssh-key-check", node)
        except Failure:
            return False
        return True


class MasterTests(NodesTestCase):
    """Another master; it stays so, which no other test minds."""

    async def test_failover(self) -> None:
        """The cloud finds the new master, whose eventd is the one that tells it news."""
        old = self.ganeti.master
        new = self.other_than(old)
        command = ["gnt-cluster", "master-failover"]
        await deferToThread(new.namespace.run, command[0], command, 120)
        self.assertEqual(new, self.ganeti.master)

        asked = reactor.seconds()
        server = await self.made()
        await self.user.until(server, "ACTIVE", 120)

        async def told() -> bool:
            return self._told_until(new) > asked

        await eventually(told, "the new master's eventd has told all", 30)
        self.assertLess(self._told_until(old), asked)

    def _told_until(self, machine: Machine) -> float:
        """Return up to which time an eventd has told everything."""
        path = self.cloud.layout / f"eventd{machine.node.suffix}" / "mark"
        return MarkFile(path).read() or 0.0
