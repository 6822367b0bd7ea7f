"""Orders on their way to Ganeti: each is carried out once, whatever happens."""

import contextlib
from itertools import pairwise
from typing import Any

import psycopg2
from attrs import define
from twisted.internet import reactor
from twisted.internet.task import deferLater

from snf.config import Ganeti
from snf.config import Submitter as Settings
from snf.core.errors import Unavailable
from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.server import Status
from snf.logic.submitter import Submitter
from snf.rapi.orders import request
from snf.storage import clusters, orders
from snf.storage.database import connect
from snf.storage.orders import LOCK_CLASS, Claim
from snf.testing.ganeti import Fault
from tests.logic.case import LogicTestCase


@define
class Faulty:
    """A database that is away when a function of a given name is to be run."""

    database: Any
    name: str
    times: int = 1

    async def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        if function.__name__ == self.name and self.times:
            self.times -= 1
            raise Unavailable("The database is away")
        return await self.database.run(function, *args, **kwargs)


class DeathTests(LogicTestCase):
    """A submitter dies between taking an order and storing its job."""

    async def died(self, submitted: bool) -> int:
        """Return a server whose order a submitter had when it died."""
        server = await self.ask_server()
        [claim] = await self.database.run(orders.claim, 666, self.cluster.id, 8, 0.0)
        if submitted:
            rapi = self.connections.of(await self.row())
            await rapi.submit(request(claim.order, instance_name("snf", server), 5))
        return server

    async def comes_back(self, server: int) -> None:
        self.dispatch()
        self.submit()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual([("create", "done")], await self.states(server))
        self.assertEqual(1, len(self.cluster.jobs("CREATE")))
        self.assertEqual(1, len(self.ganeti.machines.by_name))

    async def test_after_submitting(self) -> None:
        """Ganeti has the job: it is found, and nothing is submitted again."""
        self.cluster.deaf = True
        server = await self.died(submitted=True)
        self.cluster.deaf = False
        await self.comes_back(server)

    async def test_before_submitting(self) -> None:
        """Ganeti has no job: the order is submitted."""
        await self.comes_back(await self.died(submitted=False))

    async def test_archived(self) -> None:
        """The job has ended and been archived: it is found there."""
        self.cluster.deaf = True
        server = await self.died(submitted=True)
        self.clock.advance(1)
        self.clock.advance(10)
        self.clock.advance(10)
        self.ganeti.queue.archive()
        self.assertTrue(self.cluster.jobs()[0].archived)
        self.submit()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual(1, len(self.cluster.jobs()))

    async def test_news_first(self) -> None:
        """News of the job comes before anybody has looked for it: the order is done."""
        server = await self.died(submitted=True)
        self.dispatch()
        await self.rests(server)
        self.submit()
        await deferLater(reactor, 0.5)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual(1, len(self.cluster.jobs()))

    async def test_not_stored(self) -> None:
        """A living submitter that could not store a job finds it later as well."""
        server = await self.ask_server()
        self.cluster.deaf = True
        faulty = Faulty(self.database, "_submitted")
        self.submit(database=faulty)
        await self.reaches(server, "create", "submitted")
        self.assertEqual(0, faulty.times)
        await self.until(self.all_ended)
        await self.level()
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual(1, len(self.cluster.jobs()))

    async def all_ended(self) -> bool:
        return all(job.end for job in self.cluster.jobs())

    async def test_not_put_off(self) -> None:
        """An order whose delay could not be stored is taken up again."""
        server = await self.ask_server()
        self.ganeti.faults.next(Fault.ERROR)
        self.dispatch()
        self.submit(database=Faulty(self.database, "put_off"))
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))


class ClaimTests(LogicTestCase):
    """Several submitters."""

    def claim(self, claimant: int, settle_s: float = 0.0, **more: Any) -> Any:
        return self.database.run(
            orders.claim, claimant, self.cluster.id, 50, settle_s, **more
        )

    async def test_two(self) -> None:
        """Two that are at work at once never submit an order twice."""
        servers = [await self.ask_server() for _ in range(30)]
        self.dispatch()
        for claimant in (1, 2, 3):
            self.submit(claimant=claimant, per_cluster=4)
        await self.rests()
        reasons = [job.input["reason"][0][1] for job in self.cluster.jobs()]
        self.assertEqual(30, len(set(reasons)))
        self.assertEqual(30, len(reasons))
        claimants = await self.rows("SELECT DISTINCT claimed_by FROM orders")
        self.assertGreater(len(claimants), 1)
        for server in servers:
            self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_no_waiting(self) -> None:
        """What another is just taking is passed over, not waited for."""
        servers = [await self.ask_server() for _ in range(3)]
        connection = connect(self.dsn, None)
        self.addCleanup(connection.close)
        with connection.cursor() as txn:
            [first] = orders.claim(txn, 1, self.cluster.id, 1, 0.0)
            others = await self.claim(2)
            connection.commit()
        self.assertEqual(servers[0], first.order.server)
        self.assertEqual(servers[1:], [claim.order.server for claim in others])

    async def test_alive(self) -> None:
        """The orders of one who lives are not taken; of one who has died they are."""
        connection = connect(self.dsn, None)
        self.addCleanup(connection.close)
        connection.autocommit = True
        connection.cursor().execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, 77))
        await self.ask_server()
        [taken] = await self.claim(77)
        self.assertFalse(taken.again)
        self.assertEqual([], await self.claim(1))
        connection.close()
        found: list[Claim] = []

        async def gone() -> bool:
            found.extend(await self.claim(1))
            return bool(found)

        await self.until(gone)
        [claim] = found
        self.assertEqual((taken.order.id, True), (claim.order.id, claim.again))

    async def test_settling(self) -> None:
        """What the dead may just have sent is given time to arrive."""
        await self.ask_server()
        await self.claim(666)
        self.assertEqual([], await self.claim(1, settle_s=60.0))

    async def test_lock_lost(self) -> None:
        """Who no longer holds the lock sends nothing: others may be about to."""
        server = await self.ask_server()
        held = iter([True])
        submitter = Submitter(
            reactor,
            self.database,
            self.connections,
            Settings(poll_s=60.0),
            Ganeti(),
            999,
            lambda: next(held, False),
        )
        self.start(submitter)
        submitter.wake()
        await self.reaches(server, "create", "submitting")
        await submitter.stopService()
        self.assertEqual([("create", "submitting")], await self.states(server))
        self.assertEqual([], self.cluster.jobs())
        self.submit()
        await self.reaches(server, "create", "submitted")
        self.assertEqual(1, len(self.cluster.jobs("CREATE")))

    async def test_own(self) -> None:
        """What one has taken and is not at work on any more, it takes again."""
        connection = connect(self.dsn, None)
        self.addCleanup(connection.close)
        connection.cursor().execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, 77))
        await self.ask_server()
        [taken] = await self.claim(77)
        self.assertEqual([], await self.claim(77, at_work_on=[taken.order.id]))
        [claim] = await self.claim(77)
        self.assertTrue(claim.again)

    async def test_in_order(self) -> None:
        """The orders of one server are carried out one after another, as asked."""
        self.dispatch()
        self.submit()
        server = await self.active()
        kinds = [Kind.STOP, Kind.START, Kind.REBOOT, Kind.STOP]
        for kind in kinds:
            await self.ask(server, kind)
        await self.rests(server)
        jobs = self.cluster.jobs()[1:]
        self.assertEqual(
            ["SHUTDOWN", "STARTUP", "REBOOT", "SHUTDOWN"],
            [job.input["OP_ID"].rpartition("_")[2] for job in jobs],
        )
        for before, after in pairwise(jobs):
            self.assertLessEqual(before.end, after.received)
        self.assertIs(Status.SHUTOFF, await self.status(server))

    async def test_side_by_side(self) -> None:
        """Orders of different servers go side by side, up to the limit a cluster."""
        for _ in range(5):
            await self.ask_server()
        self.ganeti.faults.always = Fault.HANG
        self.submit(per_cluster=3, timeout_s=1.0)

        async def three() -> bool:
            taken = await self.rows("SELECT 1 FROM orders WHERE state = 'submitting'")
            return len(taken) >= 3

        await self.until(three)
        await deferLater(reactor, 0.3)
        taken = await self.rows("SELECT 1 FROM orders WHERE state = 'submitting'")
        self.assertEqual(3, len(taken))


class StopTests(LogicTestCase):
    """``stopService``."""

    async def test_waits(self) -> None:
        """What has been submitted is stored before the service has stopped."""
        server = await self.ask_server()
        self.ganeti.faults.next(Fault.HANG)
        layers = self.submit(timeout_s=0.5)
        await self.reaches(server, "create", "submitting")
        stopped = layers.stopService()
        self.assertFalse(stopped.called)
        await stopped
        [(_, state)] = await self.states(server)
        self.assertEqual("new", state)

        async def let_go() -> bool:
            return not await self.rows(
                "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                " WHERE classid = %s AND granted AND datname = current_database()",
                LOCK_CLASS,
            )

        # PostgreSQL lets go of the lock when it sees that the connection is closed.
        await self.until(let_go)

    async def test_takes_no_more(self) -> None:
        """A stopped one takes no orders; one that is started again does."""
        layers = self.submit()
        await layers.stopService()
        server = await self.ask_server()
        await deferLater(reactor, 0.4)
        self.assertEqual([("create", "new")], await self.states(server))
        layers.startService()
        await self.reaches(server, "create", "submitted")

    async def test_database_away(self) -> None:
        """While the database is away it looks again and again, and logs no traceback."""
        server = await self.ask_server()
        self.submit(database=Faulty(self.database, "listing", times=3))
        await self.reaches(server, "create", "submitted")
        self.assertEqual([], self.flushLoggedErrors())

    async def test_killed_backend(self) -> None:
        """A submitter whose connections are cut goes on by itself."""
        self.dispatch()
        self.submit()
        await self.active()
        with contextlib.suppress(psycopg2.Error):
            await self.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await self.active()
        self.assertEqual(0, (await self.database.run(clusters.listing))[0].offline)
