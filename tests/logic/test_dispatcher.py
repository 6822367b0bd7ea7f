"""Ganeti's news, folded into the database."""

from uuid import uuid4

import orjson
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from snf.bus.interface import ACK, Ack, DeadLetter, Delivery
from snf.bus.messages import NET_STATUS, OP_STATUS, OpStatus, op_status
from snf.bus.topology import queue_names
from snf.core.naming import instance_name, nic_name
from snf.core.server import Status
from snf.logic.dispatcher import Dispatcher
from snf.storage import diagnostics, orders
from tests.logic.case import LogicTestCase
from tests.logic.test_submitter import Faulty


def delivery(body: bytes) -> Delivery:
    return Delivery("snf-events-op", "key", body, redelivered=False)


def told(server: int, job: int, operation: str, status: str, time: int) -> Delivery:
    """Return a message of eventd's about a job of one op."""
    news = OpStatus(
        instance=instance_name("snf", server),
        operation=f"OP_INSTANCE_{operation}",
        job=job,
        status=status,
        job_status=status,
        time=(time, 0),
        cluster="ganeti1.test",
        result=["OpExecError", ["no disk"]] if status == "error" else None,
    )
    return delivery(op_status(news, "snf")[1])


def life_of(server: int, first: int = 1, time: int = 1000) -> list[Delivery]:
    """Return all that is told of a create, a stop and a start."""
    return [
        told(server, job, operation, status, time + 10 * job + step)
        for job, operation in ((first, "CREATE"), (first + 1, "SHUTDOWN"))
        for step, status in enumerate(("queued", "waiting", "running", "success"))
    ]


class ReceiveTests(LogicTestCase):
    """A batch in, a verdict a message out."""

    async def setUp(self) -> None:
        await super().setUp()
        self.dispatcher = Dispatcher(self.clock, self.database, "snf")

    async def submitted(self, jobs: int = 1) -> int:
        """Return a server whose create is job 1."""
        server = await self.ask_server()
        [claim] = await self.database.run(orders.claim, 1, self.cluster.id, 1, 0.0)
        await self.database.run(orders.submitted, {claim.order.id: jobs}, 1)
        return server

    async def test_empty(self) -> None:
        """A batch of nothing is no trouble."""
        self.assertEqual([], await self.dispatcher.receive([]))

    async def test_diagnostics(self) -> None:
        """What the OS provider tells is kept, once; of unknown servers it is dropped."""
        server = await self.ask_server()
        message = {
            "type": "image-error",
            "event_time": [1000, 0],
            "messages": ["no such \0 file", "\u00fc"],
        }
        batch = [
            delivery(orjson.dumps(message | {"instance": f"snf-{number}"}))
            for number in (server, server, 999_999)
        ]
        for _ in range(2):
            verdicts = await self.dispatcher.receive(batch)
            self.assertEqual([ACK] * 3, list(verdicts))
        [one] = await self.database.run(diagnostics.listing, server)
        self.assertEqual(("ERROR", "image-error"), (one.level, one.source))
        self.assertEqual("no such  file\n\u00fc", one.message)
        self.assertIs(Status.BUILD, await self.status(server))

    async def test_repeated(self) -> None:
        """The same news twice, in one batch or in two, is news once."""
        server = await self.submitted()
        batch = life_of(server)
        verdicts = await self.dispatcher.receive([*batch, *batch])
        self.assertEqual([ACK] * 16, verdicts)
        once = await self.life(server)
        assert once is not None
        self.assertIs(Status.SHUTOFF, once.status)
        await self.dispatcher.receive(batch)
        self.assertEqual(once, await self.life(server))

    async def test_reordered(self) -> None:
        """Old news that comes late changes nothing."""
        server = await self.submitted()
        batch = life_of(server)
        await self.dispatcher.receive(batch[::-1])
        self.assertIs(Status.SHUTOFF, await self.status(server))
        self.assertEqual([("create", "done")], await self.states(server))

    async def test_foreign(self) -> None:
        """News of instances that are nobody's here is passed over."""
        names = ("web1", "snf-", "snf-0", "snf-1x", "other-1", "snf-999999")
        bodies = [
            orjson.dumps(
                {
                    "type": OP_STATUS,
                    "instance": name,
                    "operation": "OP_INSTANCE_CREATE",
                    "jobId": 1,
                    "status": "success",
                }
            )
            for name in names
        ]
        verdicts = await self.dispatcher.receive([delivery(body) for body in bodies])
        self.assertEqual([ACK] * len(names), verdicts)

    async def test_malformed(self) -> None:
        """What makes no sense is put aside with the reason; the rest is taken in."""
        server = await self.submitted()
        bad = [
            b"",
            b"{",
            b"[]",
            b"\xff",
            b'{"type": "what"}',
            b'{"type": "' + b"x" * 99,
        ]
        batch = life_of(server)
        verdicts = await self.dispatcher.receive(
            [*map(delivery, bad), *batch, delivery(b"null")]
        )
        for verdict in [*verdicts[: len(bad)], verdicts[-1]]:
            assert isinstance(verdict, DeadLetter)
            self.assertTrue(verdict.reason)
        self.assertEqual([ACK] * len(batch), verdicts[len(bad) : -1])
        self.assertIs(Status.SHUTOFF, await self.status(server))

    async def test_poison(self) -> None:
        """One report that the database does not take leaves the other 49 alone."""
        servers = [await self.ask_server() for _ in range(50)]
        poisoned = servers[20]
        await self.rows(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no'; END $$"
        )
        await self.rows(
            "CREATE TRIGGER refuse BEFORE UPDATE ON server FOR EACH ROW"
            f" WHEN (OLD.id = {poisoned}) EXECUTE FUNCTION refuse()"
        )
        verdicts = await self.dispatcher.receive(
            [told(server, server, "CREATE", "success", 1000) for server in servers]
        )
        letter = verdicts[20]
        assert isinstance(letter, DeadLetter)
        self.assertIn("RaiseException", letter.reason)
        self.assertEqual(49, sum(isinstance(one, Ack) for one in verdicts))
        for server in servers:
            expected = Status.BUILD if server == poisoned else Status.ACTIVE
            self.assertIs(expected, await self.status(server))
        self.assertEqual(2, len(self.flushLoggedErrors()))

    async def test_deleted(self) -> None:
        """News of a server that has been deleted brings nothing back."""
        server = await self.submitted()
        await self.dispatcher.receive(
            [
                told(server, 1, "CREATE", "success", 1000),
                told(server, 2, "REMOVE", "success", 1010),
            ]
        )
        await self.dispatcher.receive([told(server, 1, "CREATE", "success", 1000)])
        [(observed,)] = await self.rows("SELECT observed FROM server")
        self.assertEqual("gone", observed)

    async def test_failed_build(self) -> None:
        """A build that fails puts the server in ERROR with Ganeti's own words."""
        server = await self.submitted()
        await self.dispatcher.receive([told(server, 1, "CREATE", "error", 1000)])
        life = await self.life(server)
        assert life is not None and life.fault is not None
        self.assertEqual((Status.ERROR, "no disk"), (life.status, life.fault.message))
        self.assertEqual([("create", "failed")], await self.states(server))

    async def test_interfaces(self) -> None:
        """What the hook tells makes ports ACTIVE; strange names do not matter."""
        server = await self.submitted()
        [(port, mac)] = await self.rows("SELECT id, mac::text FROM port")
        nics = [
            {"mac": "aa:00:00:99:99:99", "name": "eth0"},
            {"mac": "aa:00:00:99:99:98", "name": nic_name(uuid4())},
            {"mac": mac, "name": nic_name(port)},
        ]
        message = {
            "type": NET_STATUS,
            "instance": instance_name("snf", server),
            "nics": nics,
        }
        await self.dispatcher.receive([delivery(orjson.dumps(message))])
        self.assertEqual([("ACTIVE",)], await self.rows("SELECT state FROM port"))

    async def test_database_away(self) -> None:
        """While the database is away a batch comes again, and is then taken in."""
        server = await self.submitted()
        faulty = Faulty(self.database, "fold")
        dispatcher = Dispatcher(reactor, faulty, "snf")  # type: ignore[arg-type]
        publisher = self.bus.publisher()
        for message in life_of(server):
            publisher.publish("ganeti.snf.event.op", message.body)
        self.start(self.bus.consumer(queue_names("snf"), dispatcher.receive))

        async def shown() -> bool:
            return await self.status(server) is Status.SHUTOFF

        await self.until(shown)
        self.assertEqual([], self.bus.dead_letters)
        self.flushLoggedErrors()


class StopTests(LogicTestCase):
    """Stopping a consumer over the dispatcher."""

    async def test_waits(self) -> None:
        """The batch under way is taken in before the consumer has stopped."""
        server = await self.ask_server()
        consumer = self.dispatch()
        begun: Deferred[None] = Deferred()
        publisher = self.bus.publisher()
        publisher.publish(
            "ganeti.snf.event.op", told(server, 1, "CREATE", "success", 1000).body
        )
        reactor.callLater(0, begun.callback, None)
        await begun
        await consumer.stopService()
        settled = await self.status(server) is Status.ACTIVE
        waiting = sum(len(queue.messages) for queue in self.bus._queues.values())
        self.assertEqual(1, settled + waiting)
