"""The reconciler's rounds: all clusters, now and then."""

from typing import Any

from attrs import astuple
from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core.errors import Unavailable
from snf.core.order import Kind
from snf.core.placement import Capacity
from snf.core.server import Status
from snf.logic.capacity import measure
from snf.logic.reconciler import Reconciler
from snf.storage import capacities, lives
from snf.testing.ganeti import Fault
from tests.logic.case import LogicTestCase


class RoundTests(LogicTestCase):
    """The service: all clusters, again and again."""

    async def reachable(self, name: str) -> bool:
        return (await self.row(name)).unreachable_since is None

    async def test_one_down(self) -> None:
        """A cluster that is down, hangs, or is misconfigured holds up no other."""
        others = [await self.play(f"ganeti{n}.test") for n in (0, 2, 3, 4)]
        down, hangs, strange, well = others
        await down.stopService()
        hangs.ganeti.faults.always = Fault.HANG
        await self.rows(
            "UPDATE cluster SET password_file = '/nowhere' WHERE id = %s", strange.id
        )
        self.cluster.deaf = well.deaf = True
        self.submit(timeout_s=0.5)
        servers = [
            await self.ask_server(cluster=played.id) for played in (self.cluster, well)
        ]
        self.connections = self.new_connections(timeout_s=1.0)
        self.start(self.reconciler(interval_s=1))
        for server in servers:
            await self.rests(server)
            self.assertIs(Status.ACTIVE, await self.status(server))

        async def noticed() -> bool:
            states = [await self.reachable(one.ganeti.name) for one in others]
            return states == [False, False, False, True]

        await self.until(noticed)

    async def test_comes_back(self) -> None:
        """A cluster that comes back is reachable after the next round."""
        self.ganeti.faults.always = Fault.AWAY
        self.start(self.reconciler(interval_s=1))
        name = self.ganeti.name

        async def away() -> bool:
            return not await self.reachable(name)

        async def back() -> bool:
            return await self.reachable(name)

        await self.until(away)
        self.ganeti.faults.always = None
        await self.until(back)

    async def capacities(self) -> dict[int, Capacity]:
        """Return what has been measured."""
        return await self.database.run(capacities.get)

    async def test_measured(self) -> None:
        """What a cluster has room for is measured, but not with every round."""
        reconciler = self.start(self.reconciler(interval_s=0.05))

        async def known() -> bool:
            return bool(await self.capacities())

        await self.until(known)
        measured = (await self.capacities())[self.cluster.id]
        self.assertEqual((1, 16, 65_536), astuple(measured)[:3])
        body = {"name": "web1", "mode": "create", "disks": [], "nics": []}
        self.ganeti.have({**body, "os": "x"}, running=True)
        await deferLater(reactor, 0.3)
        self.assertEqual(measured, (await self.capacities())[self.cluster.id])
        await self.rows(
            "UPDATE cluster_capacity SET measured = measured - interval '5 minutes'"
        )

        async def anew() -> bool:
            return (await self.capacities())[self.cluster.id].instances == 1

        await self.until(anew)
        await reconciler.stopService()

    async def test_node_away(self) -> None:
        """A node that does not answer has room for nothing."""
        self.ganeti.machines.answers = False
        rapi = self.connections.of(await self.row())
        self.assertTrue(await measure(reactor, self.database, rapi, await self.row()))
        measured = (await self.capacities())[self.cluster.id]
        self.assertEqual((0, 0), (measured.cpus, measured.ram_free_mib))
        self.assertFalse(await measure(reactor, self.database, rapi, await self.row()))

    async def test_offline(self) -> None:
        """A cluster that is set offline is not called at all."""
        await self.rows("UPDATE cluster SET offline = true")
        self.ganeti.faults.always = Fault.AWAY
        reconciler = self.start(self.reconciler(interval_s=1))
        await deferLater(reactor, 0.3)
        await reconciler.stopService()
        self.assertTrue(await self.reachable(self.ganeti.name))

    async def test_database_away(self) -> None:
        """A round that meets no database is followed by the next one."""
        failures = [Unavailable("away"), RuntimeError("a mistake")]

        class Away:
            """A database that fails now and then."""

            def __init__(self, real: Any) -> None:
                self.real = real

            async def run(self, *args: Any) -> Any:
                if failures:
                    raise failures.pop()
                return await self.real.run(*args)

        self.ganeti.faults.next(Fault.AWAY)
        reconciler = Reconciler(
            reactor,
            Away(self.database),  # type: ignore[arg-type]
            self.connections,
            "snf",
            0.05,
        )
        self.start(reconciler)

        async def away() -> bool:
            return not await self.reachable(self.ganeti.name)

        await self.until(away)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_stop_waits(self) -> None:
        """Stopping waits for the round under way."""
        self.ganeti.faults.always = Fault.HANG
        self.connections = self.new_connections(timeout_s=0.5)
        reconciler = self.reconciler()
        reconciler.startService()
        await deferLater(reactor, 0.2)
        stopped = reconciler.stopService()
        self.assertFalse(stopped.called)
        await stopped
        self.assertFalse(await self.reachable(self.ganeti.name))

    async def test_mistake_in_one(self) -> None:
        """A cluster that cannot be levelled for a mistake of ours holds up no other."""
        second = await self.play("ganeti0.test")
        await self.rows(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no'; END $$"
        )
        await self.rows(
            "CREATE TRIGGER refuse BEFORE UPDATE ON cluster FOR EACH ROW"
            f" WHEN (OLD.id = {second.id}) EXECUTE FUNCTION refuse()"
        )
        for played in (self.cluster, second):
            self.ganeti = played.ganeti
            body = {"name": "web1", "mode": "create", "disks": [], "nics": []}
            self.ganeti.have({**body, "os": "x"}, running=True)
            self.ganeti.operate("OP_INSTANCE_SHUTDOWN", "web1")
        reconciler = self.start(self.reconciler())

        async def done() -> bool:
            return (await self.row()).last_job == 1

        await self.until(done)
        await reconciler.stopService()
        self.assertEqual(1, len(self.flushLoggedErrors()))


class KnownTests(LogicTestCase):
    """Which servers should have an instance."""

    async def test_built(self) -> None:
        """Those that are built, are not in ERROR, and that nothing is done to."""
        self.dispatch()
        self.submit()
        rests = await self.active()
        busy = await self.active()
        await self.ask(busy, Kind.STOP)
        known = await self.database.run(lives.on_cluster, self.cluster.id)
        self.assertEqual({rests: True, busy: False}, known)
