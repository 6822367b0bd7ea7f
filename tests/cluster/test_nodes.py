"""What operators do with a cluster's nodes, and what becomes of the nodes: no news."""

from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from snf.allinone.failure import Failure
from snf.allinone.machine import Machine
from snf.eventd.mark import MarkFile
from tests.live.cloud import eventually, kill, serial
from tests.live.nodes import NodesTestCase


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
