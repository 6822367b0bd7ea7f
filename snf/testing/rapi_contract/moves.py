"""Instances that go from node to node."""

from collections.abc import Callable, Collection

from twisted.trial.unittest import SkipTest, TestCase

from snf.core.order import Kind
from snf.core.report import JobStatus
from snf.testing.rapi_contract.subject import STEP_S, Subject, SubjectTestCase

_TOLD_WITHIN_S = 5.0


class _MoveTests(SubjectTestCase):
    """Instances go from node to node."""

    async def setUp(self) -> None:  # type: ignore[override]
        super().setUp()
        self.nodes = {node.name for node in await self.rapi.nodes()}
        if len(self.nodes) < 2:
            raise SkipTest("the cluster has one node: nothing can be moved")

    async def place(self) -> tuple[str | None, str]:
        """Return on which node it is, and in which status."""
        instance = await self.rapi.instance(self.subject.name(1))
        assert instance is not None
        return instance.pnode, instance.status

    async def arrived(self, nodes: Collection[str]) -> None:
        """Wait until it is said to run on one of some nodes."""
        # After the job's end: who answers reads Ganeti's configuration once it has changed.
        node, status = await self.place()
        waited = 0.0
        while not (node in nodes and status == "running"):
            self.assertLess(waited, _TOLD_WITHIN_S, (node, status, nodes))
            await self.subject.pause(STEP_S)
            waited += STEP_S
            node, status = await self.place()

    async def test_moved(self) -> None:
        """What runs is moved in each way, its reason kept, and runs there."""
        await self.subject.create(1)
        for kind in (Kind.MIGRATE_LIVE, Kind.MIGRATE, Kind.EVACUATE):
            before, _ = await self.place()
            number, order = await self.subject.ask(kind, 1)
            job = await self.subject.ended(number)
            self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
            self.assertEqual(order, job.order)
            await self.arrived(self.nodes - {before})

    async def test_named(self) -> None:
        """It goes where it is sent, by a node's whole name or its first word."""
        await self.subject.create(1)
        for kind in (Kind.MIGRATE_LIVE, Kind.MIGRATE, Kind.EVACUATE):
            before, _ = await self.place()
            target = next(iter(self.nodes - {before}))
            for node in (target, before or ""):
                word = node if kind is Kind.MIGRATE else node.partition(".")[0]
                job = await self.subject.do(kind, 1, node=word, force=True)
                self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
                await self.arrived([node])

    async def test_stopped(self) -> None:
        """What is stopped is moved and stays so; live it is not moved."""
        await self.subject.create(1)
        await self.subject.do(Kind.STOP, 1)
        before, _ = await self.place()
        job = await self.subject.do(Kind.MIGRATE_LIVE, 1)
        self.assertEqual(
            (JobStatus.ERROR, "wrong_state"), (job.status, job.ops[0].error_code)
        )
        self.assertIn("please use failover", job.ops[0].error or "")
        self.assertEqual((before, "ADMIN_down"), await self.place())
        job = await self.subject.do(Kind.MIGRATE, 1)
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        after, status = await self.place()
        self.assertNotEqual(before, after)
        self.assertEqual("ADMIN_down", status)

    async def test_nowhere(self) -> None:
        """To a node that there is not, or where it is, it is not moved."""
        await self.subject.create(1)
        here, _ = await self.place()
        for kind in (Kind.MIGRATE_LIVE, Kind.MIGRATE, Kind.EVACUATE):
            for node, code in (("nosuch", "unknown_entity"), (here, "wrong_state")):
                job = await self.subject.do(kind, 1, node=node)
                self.assertEqual(
                    (JobStatus.ERROR, code), (job.status, job.ops[0].error_code)
                )
                self.assertIn(node or "", job.ops[0].error or "")
        self.assertEqual((here, "running"), await self.place())

    async def test_not_there(self) -> None:
        """Moving a machine that is not there ends in an error job."""
        for kind in (Kind.MIGRATE_LIVE, Kind.MIGRATE, Kind.EVACUATE):
            job = await self.subject.do(kind, 99)
            self.assertEqual("unknown_entity", job.ops[0].error_code)


def move_tests(create: Callable[[TestCase], Subject]) -> type[TestCase]:
    """Return the tests that a cluster of several nodes has to pass."""
    return type("MoveTests", (_MoveTests,), {"create": staticmethod(create)})
