"""Resizes by the real parts, with everything that can go wrong on the way."""

from typing import Any
from uuid import UUID, uuid4

from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core import steps
from snf.core.catalog import Flavor
from snf.core.naming import instance_name
from snf.core.order import Kind, Sizes
from snf.core.quota import Resource
from snf.core.resize import Phase, Resize
from snf.core.server import Life, Observed, Status
from snf.rapi.orders import request
from snf.storage import flavors, lives, orders, quotas, suspensions
from snf.testing.ganeti import Fault
from snf.testing.world import PROJECT_A, SMALL
from tests.logic.case import LogicTestCase

BIG = Flavor(uuid4(), "big", 2, 512, 2, "file")


def plan(server: int, life: Life, new: Flavor = BIG) -> Resize:
    """Return a resize from the small flavor, as the API plans it."""
    disk = max(SMALL.disk_gib, life.disk_gib or 0)
    return Resize(
        server=server,
        phase=Phase.GOING,
        old_flavor=SMALL.id,
        new_flavor=new.id,
        old=Sizes(SMALL.vcpus, SMALL.ram_mib, disk),
        new=Sizes(new.vcpus, new.ram_mib, max(disk, new.disk_gib)),
        ran=life.observed is Observed.UP,
        order=uuid4(),
    )


def store(txn: Any, server: int, cluster: int, change: Any) -> None:
    """Change a life as the API does, with what is ordered for it."""
    before = lives.load(txn, [server])
    after = change(before[server])
    for order in after.orders:
        if order not in before[server].orders:
            orders.add(txn, order, cluster, f"req-{order.id}")
    lives.save(txn, before, {server: after})


class ResizeTestCase(LogicTestCase):
    """A test with a server that is to be resized."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.database.run(flavors.add, BIG)

    async def change(self, server: int, change: Any) -> None:
        await self.database.run(store, server, self.cluster.id, change)

    async def resize(self, server: int) -> None:
        await self.change(server, lambda life: steps.begin(life, plan(server, life)))

    async def revert(self, server: int) -> None:
        await self.change(server, lambda life: steps.revert(life, uuid4()))

    def sizes(self, server: int) -> tuple[int, int, int]:
        """Return what the instance has: processors, memory, memory of its process."""
        machine = self.ganeti.machines.find(instance_name("snf", server))
        be = machine.beparams
        self.assertEqual(be["minmem"], be["maxmem"])
        return be["vcpus"], be["maxmem"], machine.live["maxmem"]

    async def flavor(self, server: int) -> UUID:
        [(flavor,)] = await self.rows(
            "SELECT flavor_id FROM server WHERE id = %s", server
        )
        return flavor

    def steps_done(self, server: int) -> list[str]:
        return [
            job.input["OP_ID"].removeprefix("OP_INSTANCE_")
            for job in self.cluster.jobs("", server)
        ][1:]


class LifeTests(ResizeTestCase):
    """All is well."""

    async def test_there_and_back(self) -> None:
        """The guest has the new sizes, then the old ones, after one restart each."""
        self.dispatch()
        self.submit()
        server = await self.active()
        await self.resize(server)
        await self.rests(server)
        self.assertIs(Status.VERIFY_RESIZE, await self.status(server))
        self.assertEqual((2, 512, 512), self.sizes(server))
        self.assertEqual(BIG.id, await self.flavor(server))
        self.assertEqual(["GROW_DISK", "SET_PARAMS", "REBOOT"], self.steps_done(server))
        await self.revert(server)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual((1, 128, 128), self.sizes(server))
        self.assertEqual(SMALL.id, await self.flavor(server))

    async def test_by_levelling_alone(self) -> None:
        """The same when no news of any job comes."""
        self.cluster.deaf = True
        self.submit()
        server = await self.ask_server()

        await self.levelled(server, Status.ACTIVE)
        await self.resize(server)
        await self.levelled(server, Status.VERIFY_RESIZE)
        self.assertEqual((2, 512, 512), self.sizes(server))
        self.assertEqual(3, len(self.steps_done(server)))

    async def test_suspended(self) -> None:
        """A server that is suspended meanwhile is off in the end, with its new sizes."""
        self.dispatch()
        self.submit()
        server = await self.active()
        await self.resize(server)
        [(uuid,)] = await self.rows("SELECT uuid FROM server WHERE id = %s", server)
        await self.database.run(suspensions.suspend, uuid, "req-1")
        await self.rests(server)
        self.clock.advance(1)
        await self.reconciler().level(await self.row())
        await self.rests(server)
        self.assertFalse(
            self.ganeti.machines.find(instance_name("snf", server)).running
        )
        self.assertEqual(BIG.id, await self.flavor(server))

    async def test_stopped(self) -> None:
        """A server that is off is changed, and stays off."""
        self.dispatch()
        self.submit()
        server = await self.active()
        await self.ask(server, Kind.STOP)
        await self.rests(server)
        await self.resize(server)
        await self.rests(server)
        life = await self.life(server)
        assert life is not None
        self.assertEqual(
            (Status.VERIFY_RESIZE, Observed.DOWN), (life.status, life.observed)
        )
        self.assertEqual((2, 512), self.sizes(server)[:2])
        self.assertNotIn("REBOOT", self.steps_done(server))

    async def test_not_enough_memory(self) -> None:
        """Where the node has too little, the guest is not even restarted."""
        self.dispatch()
        self.submit()
        server = await self.active()
        self.ganeti.machines.ram_mib = 400
        await self.resize(server)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual((1, 128, 128), self.sizes(server))
        self.assertEqual(SMALL.id, await self.flavor(server))
        [(error,)] = await self.rows("SELECT error FROM orders WHERE kind = 'modify'")
        self.assertIn("112 MB of memory missing", error)

    async def test_does_not_start(self) -> None:
        """A guest that does not come up gets its old sizes and is started with them."""
        self.dispatch()
        self.submit()
        server = await self.active()
        self.ganeti.spoil("OP_INSTANCE_REBOOT", "cannot allocate memory")
        await self.resize(server)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual((1, 128, 128), self.sizes(server))
        self.assertEqual(SMALL.id, await self.flavor(server))

    async def test_job_forgotten(self) -> None:
        """Where Ganeti no longer knows the job, the old sizes are made sure of."""
        self.cluster.deaf = True
        layers = self.submit()
        server = await self.ask_server()

        async def built() -> bool:
            return all(job.end for job in self.cluster.jobs())

        await self.reaches(server, "create", "submitted")
        await self.until(built)
        await self.level()
        await self.resize(server)
        for kind in ("grow", "modify"):
            await self.reaches(server, kind, "submitted")
            await self.until(built)
            if kind == "modify":
                self.ganeti.queue.purge()
            await self.level()
        await self.until(lambda: self.calm(server))
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual((1, 128, 128), self.sizes(server))
        self.assertEqual(SMALL.id, await self.flavor(server))
        await layers.stopService()

    async def calm(self, server: int) -> bool:
        """Level; whether nothing is open any more."""
        await self.level()
        life = await self.life(server)
        return life is not None and life.task is None

    async def test_deleted_meanwhile(self) -> None:
        """A deletion at any moment of it ends it all."""
        self.dispatch()
        self.submit()
        for moments in range(12):
            server = await self.active()
            await self.resize(server)
            for _ in range(moments):
                self.clock.advance(0.3)
                await deferLater(reactor, 0.05)
            await self.ask(server, Kind.DELETE)
            await self.rests(server)
            self.assertIs(Status.DELETED, await self.status(server))
        self.assertEqual({}, self.ganeti.machines.by_name)
        counted = await self.database.run(quotas.counted)
        self.assertNotIn((PROJECT_A.id, Resource.CORES), counted)


class CrashTests(ResizeTestCase):
    """A submitter dies at any step, before or after it has asked Ganeti."""

    async def died(self, server: int, kind: str, submitted: bool) -> None:
        """Have a submitter die over the order of a kind that is due."""

        async def taken() -> list[Any]:
            return await self.database.run(orders.claim, 666, self.cluster.id, 8, 0.0)

        [claim] = await taken()
        self.assertEqual(kind, claim.order.kind.value)
        if submitted:
            rapi = self.connections.of(await self.row())
            await rapi.submit(request(claim.order, instance_name("snf", server), 5))

    async def crashes(self, submitted: bool) -> None:
        self.dispatch()
        submitter = self.submit()
        server = await self.active()
        await submitter.stopService()
        await self.resize(server)
        for claimant, kind in enumerate(("grow", "modify", "reboot"), 10):
            self.cluster.deaf = True
            await self.died(server, kind, submitted)
            self.cluster.deaf = False
            submitter = self.submit(claimant=claimant)

            async def ended(kind: str = kind) -> bool:
                return (kind, "done") in await self.states(server)

            # One that takes over the order, and dies before the next.
            await self.reaches(server, kind, "submitted")
            await submitter.stopService()
            await self.until(ended)
        self.assertIs(Status.VERIFY_RESIZE, await self.status(server))
        self.assertEqual((2, 512, 512), self.sizes(server))
        self.assertEqual(["GROW_DISK", "SET_PARAMS", "REBOOT"], self.steps_done(server))

    async def test_before_submitting(self) -> None:
        """Each step is carried out by the next one, once."""
        await self.crashes(submitted=False)

    async def test_after_submitting(self) -> None:
        """Each step's job is found by the next one, and not asked for again."""
        await self.crashes(submitted=True)

    async def test_lost_answers(self) -> None:
        """Ganeti's answers get lost: each step is done once."""
        self.dispatch()
        self.submit()
        server = await self.active()
        for part in ("grow", "modify", "reboot"):
            self.ganeti.faults.next(Fault.LOSE, part=part)
        await self.resize(server)
        await self.rests(server)
        self.assertIs(Status.VERIFY_RESIZE, await self.status(server))
        self.assertEqual(["GROW_DISK", "SET_PARAMS", "REBOOT"], self.steps_done(server))

    async def test_a_next_step_is_stored_once(self) -> None:
        """Who sees the end of a step orders the next one; nobody else does again."""
        self.dispatch()
        self.submit()
        server = await self.active()
        await self.resize(server)

        async def over() -> bool:
            # Levelling and news see the same ends.
            await self.reconciler().level(await self.row())
            return await self.status(server) is Status.VERIFY_RESIZE

        await self.until(over)
        self.assertEqual(
            [("create",), ("grow",), ("modify",), ("reboot",)],
            await self.rows("SELECT kind FROM orders ORDER BY number"),
        )
