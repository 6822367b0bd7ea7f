"""Ganeti answers an order, and not with a job."""

from attrs import evolve

from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.server import Status
from snf.testing.ganeti import Fault
from tests.logic.case import BUILD, LogicTestCase


class RefusalTests(LogicTestCase):
    """Ganeti answers, and not with a job."""

    async def fault(self, server: int) -> str:
        life = await self.life(server)
        assert life is not None and life.fault is not None
        return life.fault.message

    async def test_trouble(self) -> None:
        """What keeps failing is given up after some attempts: ERROR, with the reason."""
        self.ganeti.faults.always = Fault.ERROR
        server = await self.ask_server()
        self.submit(attempts=2)
        await self.rests(server)
        self.assertIs(Status.ERROR, await self.status(server))
        self.assertIn("failed 2 times", await self.fault(server))
        self.assertIsNone((await self.row()).unreachable_since)

    async def test_trouble_passes(self) -> None:
        """What fails fewer times than that is carried out."""
        self.ganeti.faults.next(Fault.ERROR, times=1)
        server = await self.ask_server()
        self.dispatch()
        self.submit(attempts=2)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_build(self) -> None:
        """A build that Ganeti does not take ends in ERROR, with its explanation."""
        server = await self.ask_server(evolve(BUILD, disk_template="nonsense"))
        self.submit()
        await self.rests(server)
        self.assertIs(Status.ERROR, await self.status(server))
        self.assertIn("disk_template", await self.fault(server))

    async def test_stop(self) -> None:
        """A stop that Ganeti does not take leaves the server ACTIVE, and at rest."""
        self.dispatch()
        self.submit(shutdown_timeout_s=-1)
        server = await self.active()
        await self.ask(server, Kind.STOP)
        await self.rests(server)
        [(status, task)] = await self.rows("SELECT status, task FROM server")
        self.assertEqual(("ACTIVE", None), (status, task))
        self.assertEqual(("stop", "failed"), (await self.states(server))[1])

    async def test_name_taken(self) -> None:
        """Where somebody else's instance has the name, the build ends in ERROR."""
        server = await self.ask_server()
        body = {
            "__version__": 1,
            "name": instance_name("snf", server),
            "mode": "create",
            "disks": [],
            "nics": [],
            "os": "other",
        }
        self.ganeti.have(body, running=True)
        self.dispatch()
        self.submit()
        await self.rests(server)
        self.assertIs(Status.ERROR, await self.status(server))
        self.assertIn("already", await self.fault(server))
        self.assertEqual(1, len(self.cluster.jobs()))

    async def test_own_mistake(self) -> None:
        """An order that cannot be understood is given up like any other trouble."""
        server = await self.ask_server(build=None)
        self.submit(attempts=1)
        await self.rests(server)
        self.assertIs(Status.ERROR, await self.status(server))
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    async def test_news_wins(self) -> None:
        """A refusal changes nothing once news of the job has come after all."""
        server = await self.ask_server()
        self.ganeti.faults.next(Fault.LOSE, method="POST")
        self.ganeti.faults.next(Fault.ERROR, times=5, method="PUT")
        self.dispatch()
        self.submit(attempts=1)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
