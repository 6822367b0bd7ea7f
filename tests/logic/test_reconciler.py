"""The database levelled with the clusters: whatever news was lost."""

from typing import Any
from uuid import uuid4

from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.server import Status
from snf.rapi.errors import Unreachable
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

    async def test_made_anew(self) -> None:
        """Jobs of a cluster that has been made anew are not taken for the old one's."""
        server = await self.running()
        await self.rows("UPDATE cluster SET last_job = 4711")
        await self.level()
        self.assertEqual(4711, (await self.row()).last_job)
        await self.submitting.stopService()
        await self.ask(server, Kind.STOP)
        await self.rows(
            "UPDATE orders SET state = 'submitted', job = 1, job_floor = 4711"
            " WHERE kind = 'stop'"
        )
        later = await self.ask(server, Kind.START)
        await self.rows(
            "UPDATE orders SET state = 'new', job_floor = 4711 WHERE kind = 'start'"
        )
        self.ganeti.uuid = str(uuid4())
        await self.level()
        self.assertEqual(self.ganeti.queue.serial, (await self.row()).last_job)
        states = dict(await self.states(server))
        self.assertEqual(("failed", "new"), (states["stop"], states["start"]))
        rows = await self.rows("SELECT job_floor FROM orders WHERE kind = 'start'")
        self.assertEqual([(0,)], rows, later)

    async def test_away(self) -> None:
        """A cluster that cannot be asked is no cluster without instances."""
        server = await self.running()
        self.ganeti.faults.always = Fault.AWAY
        with self.assertRaises(Unreachable):
            await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))
