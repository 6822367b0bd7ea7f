"""The database levelled with the clusters: whatever news was lost."""

from typing import Any

from attrs import astuple
from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core.errors import Unavailable
from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.placement import Capacity
from snf.core.server import Status
from snf.logic.capacity import measure
from snf.logic.reconciler import Reconciler
from snf.rapi.errors import Unreachable
from snf.storage import capacities, lives
from snf.testing.ganeti import Fault
from tests.logic.case import LogicTestCase


class LevelTests(LogicTestCase):
    """One cluster is levelled; no news of it has come."""

    async def setUp(self) -> None:
        await super().setUp()
        self.cluster.deaf = True
        self.submitting = self.submit()

    async def all_ended(self) -> bool:
        return all(job.end for job in self.cluster.jobs())

    async def carried_out(self, server: int, kind: str) -> None:
        """Wait until Ganeti has carried out an order."""
        await self.reaches(server, kind, "submitted")
        await self.until(self.all_ended)

    async def running(self) -> int:
        """Return a server that runs."""
        server = await self.ask_server()
        await self.carried_out(server, "create")
        await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))
        return server

    async def many(self, count: int) -> list[int]:
        """Return servers that run."""
        made = [await self.ask_server() for _ in range(count)]
        for server in made:
            await self.reaches(server, "create", "submitted")
        await self.until(self.all_ended)
        await self.level()
        return made

    def operate(self, server: int, op: str, **parameters: Any) -> None:
        """Do something as an operator does on the master."""
        name = instance_name("snf", server)
        self.ganeti.operate(f"OP_INSTANCE_{op}", name, **parameters)

    async def test_created(self) -> None:
        """A server whose build has ended shows so, and its order is done."""
        server = await self.ask_server()
        await self.carried_out(server, "create")
        self.assertIs(Status.BUILD, await self.status(server))
        summary = await self.level()
        self.assertEqual((1, 1), (summary.servers, summary.changed))
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual([("create", "done")], await self.states(server))
        self.assertEqual([("ACTIVE",)], await self.rows("SELECT state FROM port"))

    async def test_nothing_new(self) -> None:
        """Levelling again changes nothing, and touches no row, nor locks one."""
        await self.running()
        marks = "SELECT xmin::text, xmax::text FROM server"
        before = await self.rows(marks)
        summary = await self.level()
        self.assertEqual(0, summary.changed)
        self.assertEqual(before, await self.rows(marks))

    async def test_stopped(self) -> None:
        """A server whose stop has ended shows so."""
        server = await self.running()
        await self.ask(server, Kind.STOP)
        await self.carried_out(server, "stop")
        await self.level()
        self.assertIs(Status.SHUTOFF, await self.status(server))

    async def test_removed(self) -> None:
        """A server whose deletion has ended is deleted, its addresses are free."""
        server = await self.running()
        await self.ask(server, Kind.DELETE)
        await self.carried_out(server, "delete")
        self.assertEqual(1, await self.addresses(server))
        await self.level()
        self.assertIs(Status.DELETED, await self.status(server))
        self.assertEqual(0, await self.addresses(server))

    async def test_failed(self) -> None:
        """A build that has failed ends in ERROR with Ganeti's words."""
        self.ganeti.spoil("OP_INSTANCE_CREATE", "the script failed")
        server = await self.ask_server()
        await self.carried_out(server, "create")
        await self.level()
        life = await self.life(server)
        assert life is not None and life.fault is not None
        self.assertEqual(
            (Status.ERROR, "the script failed"), (life.status, life.fault.message)
        )

    async def test_under_way(self) -> None:
        """While a job is under way its end decides, not what is seen meanwhile."""
        server = await self.running()
        await self.ask(server, Kind.STOP)
        await self.reaches(server, "stop", "submitted")
        self.clock.advance(0.3)
        self.clock.advance(0.1)
        summary = await self.reconciler().level(await self.row())
        self.assertEqual(0, summary.changed)
        self.assertEqual(("stop", "submitted"), (await self.states(server))[1])

    async def test_operator(self) -> None:
        """What an operator does at Ganeti shows: stop, start, remove."""
        server = await self.running()
        for op, status in (
            ("SHUTDOWN", Status.SHUTOFF),
            ("STARTUP", Status.ACTIVE),
            ("REMOVE", Status.DELETED),
        ):
            self.operate(server, op)
            await self.until(self.all_ended)
            await self.level()
            self.assertIs(status, await self.status(server))
        self.assertEqual(0, await self.addresses(server))

    async def test_crashed(self) -> None:
        """A guest that has died by itself is seen stopped."""
        server = await self.running()
        self.ganeti.crash(instance_name("snf", server))
        await self.level()
        self.assertIs(Status.SHUTOFF, await self.status(server))

    async def test_node_away(self) -> None:
        """While its node does not answer a server is UNKNOWN, then as it was."""
        server = await self.running()
        self.ganeti.machines.answers = False
        await self.level()
        self.assertIs(Status.UNKNOWN, await self.status(server))
        self.ganeti.machines.answers = True
        await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_purged(self) -> None:
        """An order whose job Ganeti has forgotten ends, and the state is as it is."""
        server = await self.running()
        await self.ask(server, Kind.STOP)
        await self.carried_out(server, "stop")
        self.ganeti.queue.purge()
        await self.level()
        self.assertIs(Status.SHUTOFF, await self.status(server))
        [_, (_, state)] = await self.states(server)
        self.assertEqual("failed", state)

    async def test_archived(self) -> None:
        """A job that has been archived is found all the same."""
        server = await self.running()
        await self.ask(server, Kind.STOP)
        await self.carried_out(server, "stop")
        self.ganeti.queue.archive()
        await self.level()
        self.assertEqual(("stop", "done"), (await self.states(server))[1])

    async def test_older(self) -> None:
        """A listing that is older than other news changes nothing."""
        server = await self.running()
        self.operate(server, "SHUTDOWN")
        await self.until(self.all_ended)
        newest = self.clock.seconds() + 100
        await self.rows("UPDATE server SET clock_time = %s", newest)
        await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.clock.advance(100)
        await self.level()
        self.assertIs(Status.SHUTOFF, await self.status(server))

    async def test_mass_disappearance(self) -> None:
        """When most instances are missing at once it is not believed, unless told to."""
        servers = await self.many(12)
        kept = dict(self.ganeti.machines.by_name)
        self.ganeti.machines.by_name.clear()
        summary = await self.level()
        self.assertEqual((12, 0), (summary.missing, summary.changed))
        for server in servers:
            self.assertIs(Status.ACTIVE, await self.status(server))
        self.ganeti.machines.by_name.update(kept)
        self.assertEqual(0, (await self.level()).missing)
        self.ganeti.machines.by_name.clear()
        summary = await self.level(trust_missing=True)
        self.assertEqual((0, 12), (summary.missing, summary.changed))
        for server in servers:
            self.assertIs(Status.DELETED, await self.status(server))

    async def test_failed_builds_are_not_missing(self) -> None:
        """Servers in ERROR, which have no instance, are no mass disappearance."""
        self.ganeti.machines.oses = frozenset({"another"})
        failed = [await self.ask_server() for _ in range(15)]
        for server in failed:
            await self.reaches(server, "create", "submitted")
        await self.until(self.all_ended)
        self.ganeti.machines.oses = None
        running = await self.running()
        for _ in range(2):
            self.assertEqual(0, (await self.level()).missing)
        self.operate(running, "REMOVE")
        await self.until(self.all_ended)
        await self.level()
        self.assertIs(Status.DELETED, await self.status(running))
        for server in failed:
            self.assertIs(Status.ERROR, await self.status(server))

    async def test_orphans(self) -> None:
        """Instances of ours that stand for no server are listed, others are not."""
        server = await self.running()
        for name in ("snf-4711", "web1"):
            body = {"name": name, "mode": "create", "disks": [], "nics": [], "os": "x"}
            self.ganeti.have(body, running=True)
        self.assertEqual(("snf-4711",), (await self.level()).orphans)
        await self.ask(server, Kind.DELETE)
        await self.carried_out(server, "delete")
        await self.level()
        self.assertEqual(("snf-4711",), (await self.level()).orphans)

    async def test_last_job(self) -> None:
        """The highest job id is remembered, also of jobs that are not ours."""
        server = await self.running()
        for _ in range(3):
            self.operate(server, "REBOOT", reboot_type="hard")
        await self.until(self.all_ended)
        await self.level()
        self.assertEqual(self.ganeti.queue.serial, (await self.row()).last_job)

    async def test_away(self) -> None:
        """A cluster that cannot be asked is no cluster without instances."""
        server = await self.running()
        self.ganeti.faults.always = Fault.AWAY
        with self.assertRaises(Unreachable):
            await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))


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
