"""Clusters that do not answer delay their orders, and fail none."""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.core.naming import instance_name
from snf.core.server import Status
from snf.rapi.orders import request
from snf.storage import orders
from snf.testing.ganeti import Fault
from tests.logic.case import LogicTestCase


class UnreachableTests(LogicTestCase):
    """A cluster that does not answer: orders wait for it."""

    async def waits(self) -> None:
        """A cluster is away, then comes back."""
        server = await self.ask_server()
        self.dispatch()
        self.submit(timeout_s=0.3)

        async def noticed() -> bool:
            return (await self.row()).unreachable_since is not None

        await self.until(noticed)
        await deferLater(reactor, 0.5)
        self.assertIs(Status.BUILD, await self.status(server))
        [(_, state)] = await self.states(server)
        self.assertIn(state, ("new", "submitting"))
        [(attempts,)] = await self.rows("SELECT attempts FROM orders")
        self.assertLessEqual(attempts, 2)
        await self.mend()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertIsNone((await self.row()).unreachable_since)
        self.assertEqual(1, len(self.cluster.jobs("CREATE")))

    async def mend(self) -> None:
        self.ganeti.faults.always = None

    async def test_closing(self) -> None:
        """Connections are closed without an answer."""
        self.ganeti.faults.always = Fault.REFUSE
        await self.waits()

    async def test_hanging(self) -> None:
        """No answer ever comes."""
        self.ganeti.faults.always = Fault.HANG
        await self.waits()

    async def test_luxid_away(self) -> None:
        """The remote API answers 504: its own daemon does not."""
        self.ganeti.faults.always = Fault.AWAY
        await self.waits()

    async def test_wrong_password(self) -> None:
        """The credentials are wrong until somebody repairs their file."""
        self.secret.write_text("guess\n")
        self.mend = self.repaired  # type: ignore[method-assign]
        await self.waits()

    async def repaired(self) -> None:
        self.secret.write_text("simulated\n")

    async def test_not_listening(self) -> None:
        """Nothing listens."""
        await self.cluster.stopService()
        self.mend = self.listens  # type: ignore[method-assign]
        await self.waits()

    async def listens(self) -> None:
        self.cluster.startService()

    async def test_lost_answer(self) -> None:
        """Ganeti takes a job and the connection dies: there is one instance."""
        self.ganeti.faults.next(Fault.LOSE, method="POST")
        server = await self.ask_server()
        self.submit()

        async def put_off() -> bool:
            return bool(await self.rows("SELECT 1 FROM orders WHERE error <> ''"))

        await self.until(put_off, works=False)
        self.dispatch()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual(1, len(self.cluster.jobs()))

    async def test_lost_answer_found(self) -> None:
        """The same without news of the job: it is found by its reason."""
        self.cluster.deaf = True
        self.ganeti.faults.next(Fault.LOSE, method="POST")
        server = await self.ask_server()
        self.submit()
        await self.reaches(server, "create", "submitted")
        self.assertEqual(1, len(self.cluster.jobs()))

    async def test_late_arrival(self) -> None:
        """The first request arrives behind the second: still one instance, ACTIVE."""
        server = await self.ask_server()
        [claim] = await self.database.run(orders.claim, 666, self.cluster.id, 8, 0.0)
        rapi = self.connections.of(await self.row())
        again = request(claim.order, instance_name("snf", server), 5)
        self.cluster.deaf = True
        first, second = await rapi.submit(again), await rapi.submit(again)
        self.cluster.deaf = False
        # The dead one got to know of the second job, which fails as the name is taken.
        await self.database.run(orders.submitted, {claim.order.id: second}, 666)
        self.dispatch()
        self.submit()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        [(job, state)] = await self.rows("SELECT job, state FROM orders")
        self.assertEqual((first, "done"), (job, state))
        self.assertEqual(2, len(self.cluster.jobs()))
