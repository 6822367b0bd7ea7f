"""Servers that are taken to other nodes, on a cluster that has two."""

from typing import Any

from attrs import evolve

from snf.core.naming import instance_name
from snf.core.order import MOVES, Kind
from snf.core.server import Status
from snf.rapi.orders import request
from snf.storage import orders, suspensions
from snf.testing.ganeti import Fault
from tests.logic.case import BUILD, LogicTestCase

SHARED = evolve(BUILD, disk_template="sharedfile")
OPCODES = {
    Kind.MIGRATE: "FAILOVER",
    Kind.MIGRATE_LIVE: "MIGRATE",
    Kind.EVACUATE: "FAILOVER",
}


class MoveTestCase(LogicTestCase):
    """A test with a server that runs, on a cluster of two nodes."""

    async def setUp(self) -> None:
        await super().setUp()
        self.ganeti.machines.others = ("node2.test",)
        self.dispatch()

    async def built(self, build: Any = SHARED) -> int:
        """Return a new server that runs, while a submitter is at work."""
        server = await self.ask_server(build)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        return server

    def machine(self, server: int) -> Any:
        """Return the instance."""
        return self.ganeti.machines.by_name[instance_name("snf", server)]

    async def error(self, server: int) -> str | None:
        """Return why the last order failed."""
        [(error,)] = await self.rows(
            "SELECT error FROM orders WHERE server_id = %s"
            " ORDER BY number DESC LIMIT 1",
            server,
        )
        return error


class WayTests(MoveTestCase):
    """What comes of each way of moving."""

    async def test_running(self) -> None:
        """What runs is MIGRATING, then runs elsewhere."""
        self.submit()
        server = await self.built()
        for kind in (Kind.MIGRATE, Kind.MIGRATE_LIVE):
            before = self.machine(server).pnode
            await self.ask(server, kind)
            await self.reaches(server, kind.value, "submitted")
            self.assertIs(Status.MIGRATING, await self.status(server))
            await self.rests(server)
            self.assertIs(Status.ACTIVE, await self.status(server))
            self.assertNotEqual(before, self.machine(server).pnode)
            await self.level()
            self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_stopped(self) -> None:
        """What is stopped stays so."""
        self.submit()
        server = await self.built()
        await self.ask(server, Kind.STOP)
        await self.rests(server)
        await self.ask(server, Kind.MIGRATE)
        await self.rests(server)
        await self.level()
        self.assertIs(Status.SHUTOFF, await self.status(server))
        self.assertEqual("node2.test", self.machine(server).pnode)

    async def test_named(self) -> None:
        """It goes to the node that is named, and nowhere if there is none such."""
        self.submit()
        server = await self.built()
        await self.ask(server, Kind.MIGRATE_LIVE, node="node2")
        await self.rests(server)
        self.assertEqual("node2.test", self.machine(server).pnode)
        await self.ask(server, Kind.MIGRATE, node="node9")
        await self.rests(server)
        self.assertEqual("Node 'node9' not known", await self.error(server))
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_bound(self) -> None:
        """Where Ganeti refuses, the action fails and the server stays as it was."""
        self.submit()
        server = await self.built(BUILD)
        for kind, word in (
            (Kind.MIGRATE, "disk layout 'file' does not allow failovers"),
            (Kind.MIGRATE_LIVE, "disk layout 'file' does not allow migrations"),
        ):
            await self.ask(server, kind)
            await self.rests(server)
            self.assertIn(word, await self.error(server) or "")
            life = await self.life(server)
            assert life is not None
            self.assertEqual((Status.ACTIVE, None), (life.status, life.fault))
        self.assertTrue(self.machine(server).running)

    async def test_dead_node(self) -> None:
        """From a dead node it can only be evacuated, to a node that is named."""
        self.submit()
        server = await self.built()
        self.ganeti.machines.kill(self.machine(server).pnode)
        await self.level()
        self.assertIs(Status.UNKNOWN, await self.status(server))
        for kind, node, word in (
            (Kind.MIGRATE, "node2", "Could not shutdown"),
            (Kind.EVACUATE, None, "Can't get data for node"),
        ):
            await self.ask(server, kind, node=node)
            await self.rests(server)
            self.assertIn(word, await self.error(server) or "")
            self.assertIs(Status.UNKNOWN, await self.status(server))
        await self.ask(server, Kind.EVACUATE, node="node2")
        await self.rests(server)
        self.assertIsNone(await self.error(server))
        await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual("node2.test", self.machine(server).pnode)

    async def test_offline_node(self) -> None:
        """Of a node that is known to be dead Ganeti itself chooses another."""
        self.submit()
        server = await self.built()
        node = self.machine(server).pnode
        self.ganeti.machines.kill(node)
        self.ganeti.machines.offline.add(node)
        await self.level()
        self.assertIs(Status.UNKNOWN, await self.status(server))
        await self.ask(server, Kind.EVACUATE)
        await self.rests(server)
        self.assertIsNone(await self.error(server))
        await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_lost_news(self) -> None:
        """Without any news of it one levelling ends in the truth."""
        self.submit()
        for kind in sorted(MOVES, key=lambda kind: kind.value):
            server = await self.built()
            self.cluster.deaf = True
            await self.ask(server, kind)
            await self.reaches(server, kind.value, "submitted")
            await self.until(self.ended)
            await self.level()
            self.assertIs(Status.ACTIVE, await self.status(server))
            self.assertIn((kind.value, "done"), await self.states(server))
            self.cluster.deaf = False

    async def ended(self) -> bool:
        return all(job.end for job in self.cluster.jobs())


class OnceTests(MoveTestCase):
    """Each is carried out once, whenever a submitter dies."""

    async def once(self, server: int, kind: Kind) -> None:
        """It ends well, by one job."""
        self.submit(claimant=2)
        await self.rests(server)
        self.assertEqual(
            [("create", "done"), (kind.value, "done")], await self.states(server)
        )
        self.assertEqual(1, len(self.cluster.jobs(OPCODES[kind], server)))
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_died(self) -> None:
        """It died before Ganeti was asked, or after, with the job found by its reason."""
        layers = self.submit()
        servers = {kind: (await self.built(), await self.built()) for kind in MOVES}
        await layers.stopService()
        for kind, (unsent, sent) in servers.items():
            for server in (unsent, sent):
                await self.ask(server, kind, node="node2", force=True)
        claims = await self.database.run(orders.claim, 666, self.cluster.id, 50, 0.0)
        self.assertEqual(6, len(claims))
        rapi = self.connections.of(await self.row())
        self.cluster.deaf = True
        for claim in claims:
            server, kind = claim.order.server, claim.order.kind
            if server == servers[kind][1]:
                name = instance_name("snf", server)
                await rapi.submit(request(claim.order, name, 5))
        self.cluster.deaf = False
        for kind, pair in servers.items():
            for server in pair:
                await self.once(server, kind)
                self.assertEqual("node2.test", self.machine(server).pnode)

    async def test_lost_answers(self) -> None:
        """The answer was lost: the job is found, and no other asked for."""
        self.submit()
        for kind in MOVES:
            server = await self.built()
            path = OPCODES[kind].lower()
            self.ganeti.faults.next(Fault.LOSE, method="PUT", part=path)
            await self.ask(server, kind)
            await self.rests(server)
            self.assertIs(Status.ACTIVE, await self.status(server))
            self.assertEqual(1, len(self.cluster.jobs(OPCODES[kind], server)))

    async def test_deleted_meanwhile(self) -> None:
        """A server can be deleted while it is moved."""
        self.submit()
        for kind in MOVES:
            server = await self.built()
            await self.ask(server, kind)
            await self.reaches(server, kind.value, "submitted")
            await self.ask(server, Kind.DELETE)
            await self.rests(server)
            self.assertIs(Status.DELETED, await self.status(server))
            self.assertEqual({}, self.ganeti.machines.by_name)


class SuspendTests(MoveTestCase):
    """Suspended servers come to rest."""

    async def suspend(self, server: int) -> None:
        """Suspend a server, as the API and the operator's command do."""
        [(uuid,)] = await self.rows("SELECT uuid FROM server WHERE id = %s", server)
        await self.database.run(suspensions.suspend, uuid, "req-3")

    async def test_whatever_is_under_way(self) -> None:
        """It is stopped in the end, whatever has been asked for before."""
        self.submit()
        for first in (None, Kind.REBOOT, Kind.STOP, Kind.MIGRATE_LIVE):
            server = await self.built()
            if first is not None:
                await self.ask(server, first)
            await self.suspend(server)
            await self.rests(server)
            self.assertIs(Status.SHUTOFF, await self.status(server))
            self.assertFalse(self.machine(server).running)

    async def test_while_building(self) -> None:
        """One that is being built is stopped as soon as it has been."""
        self.submit()
        server = await self.ask_server(SHARED)
        await self.suspend(server)
        await self.rests(server)
        self.assertIs(Status.SHUTOFF, await self.status(server))

    async def test_started_behind_our_back(self) -> None:
        """What somebody starts at Ganeti is stopped by the next levelling."""
        self.submit()
        server = await self.built()
        await self.suspend(server)
        await self.rests(server)
        self.ganeti.operate("OP_INSTANCE_STARTUP", instance_name("snf", server))
        for _ in range(3):
            self.clock.advance(1)
        await self.level()
        await self.rests(server)
        self.assertIs(Status.SHUTOFF, await self.status(server))
        self.assertFalse(self.machine(server).running)
        await self.level()
        self.assertEqual(
            [], await self.rows("SELECT id FROM orders WHERE state = 'new'")
        )
