"""Deleting a server, whatever its build has come to."""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.server import Status
from snf.testing.ganeti import Fault
from tests.logic.case import LogicTestCase


class DeletionTests(LogicTestCase):
    """Deleting, whatever the build has come to."""

    async def goes(self, server: int) -> None:
        """It goes, its addresses not before its instance."""
        name = instance_name("snf", server)

        async def gone() -> bool:
            there = name in self.ganeti.machines.by_name
            if there:
                self.assertEqual(1, await self.addresses(server))
            return await self.life(server) is None

        await self.until(gone)
        await self.rests(server)
        self.assertEqual(0, await self.addresses(server))
        self.assertNotIn(name, self.ganeti.machines.by_name)

    async def test_unsubmitted(self) -> None:
        """A build that nobody has tried is called off at once, and never submitted."""
        server = await self.ask_server()
        await self.ask(server, Kind.DELETE)
        self.assertIs(Status.DELETED, await self.status(server))
        self.assertEqual(0, await self.addresses(server))
        self.submit()
        await deferLater(reactor, 0.5)
        self.assertEqual([], self.cluster.jobs())

    async def test_queued(self) -> None:
        """A build that Ganeti has not begun with is canceled."""
        self.dispatch()
        self.submit()
        server = await self.ask_server()
        await self.reaches(server, "create", "submitted")
        await self.ask(server, Kind.DELETE)
        await self.reaches(server, "delete", "submitted")
        self.assertEqual("canceled", self.cluster.jobs("CREATE")[0].status)
        self.assertEqual(1, await self.addresses(server))
        await self.goes(server)

    async def test_running(self) -> None:
        """A build that runs is waited for, then undone."""
        self.dispatch()
        self.submit()
        server = await self.ask_server()
        await self.reaches(server, "create", "submitted")

        async def runs() -> bool:
            return self.cluster.jobs("CREATE")[0].status == "running"

        await self.until(runs)
        await self.ask(server, Kind.DELETE)
        await self.reaches(server, "delete", "submitted")
        await self.goes(server)
        [creation] = self.cluster.jobs("CREATE")
        [removal] = self.cluster.jobs("REMOVE")
        self.assertEqual("success", creation.status)
        self.assertLessEqual(creation.end, removal.start)

    async def test_unknown(self) -> None:
        """A build that may or may not have been submitted is settled first."""
        self.ganeti.faults.next(Fault.LOSE, method="POST")
        self.cluster.deaf = True
        server = await self.ask_server()
        self.submit()

        async def tried() -> bool:
            return bool(
                await self.rows(
                    "SELECT 1 FROM orders WHERE attempts > 0 AND error <> ''"
                )
            )

        await self.until(tried, works=False)
        await self.ask(server, Kind.DELETE)
        self.assertEqual(1, await self.addresses(server))
        self.cluster.deaf = False
        self.dispatch()
        await self.goes(server)
        self.assertEqual(1, len(self.cluster.jobs("CREATE")))

    async def test_failed_build(self) -> None:
        """A server in ERROR that never had an instance can be deleted."""
        self.ganeti.machines.oses = frozenset({"another"})
        self.dispatch()
        self.submit()
        server = await self.ask_server()
        await self.rests(server)
        self.assertIs(Status.ERROR, await self.status(server))
        self.assertEqual(1, await self.addresses(server))
        await self.ask(server, Kind.DELETE)
        await self.goes(server)

    async def test_forgotten_job(self) -> None:
        """A deletion behind a job that Ganeti has forgotten is carried out."""
        self.dispatch()
        self.submit()
        server = await self.active()
        self.cluster.deaf = True
        await self.ask(server, Kind.STOP)
        await self.reaches(server, "stop", "submitted")

        async def stopped() -> bool:
            return bool(self.cluster.jobs("SHUTDOWN")[0].end)

        await self.until(stopped)
        self.ganeti.queue.purge()
        self.cluster.deaf = False
        await self.ask(server, Kind.DELETE)
        await self.reaches(server, "delete", "submitted")

        async def removed() -> bool:
            return await self.life(server) is None

        await self.until(removed)

    async def test_by_an_operator(self) -> None:
        """When an operator removes an instance, orders that were open end with it."""
        self.dispatch()
        self.submit()
        server = await self.active()
        name = instance_name("snf", server)
        self.ganeti.operate("OP_INSTANCE_REMOVE", name)
        for kind in (Kind.REBOOT, Kind.STOP):
            await self.ask(server, kind)
        await self.reaches(server, "reboot", "submitted")
        await self.goes(server)
        self.assertEqual(
            [("create", "done"), ("reboot", "failed"), ("stop", "failed")],
            await self.states(server),
        )
        self.assertEqual([(None,)], await self.rows("SELECT task FROM server"))
