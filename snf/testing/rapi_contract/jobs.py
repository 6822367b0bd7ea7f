"""Jobs that wait for others, are canceled or found again, and what is refused."""

from collections.abc import Callable
from uuid import uuid4

from attrs import evolve
from twisted.trial.unittest import TestCase

from snf.core.order import Kind, Order
from snf.core.report import JobStatus
from snf.rapi.errors import Refused, WrongCredentials
from snf.rapi.jobs import reports
from snf.rapi.orders import Request, request
from snf.testing.rapi_contract.subject import Subject, SubjectTestCase


class _JobTests(SubjectTestCase):
    """Orders in, jobs out."""

    async def refusal(self, wanted: Request) -> Refused:
        with self.assertRaises(Refused) as caught:
            await self.rapi.submit(wanted)
        return caught.exception

    async def test_deleted_while_building(self) -> None:
        """A deletion behind a creation that runs waits for it."""
        creation, _ = await self.subject.ask(Kind.CREATE, 1, build=self.subject.build)
        job = await self.subject.do(Kind.DELETE, 1, after_job=creation)
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        created = await self.subject.ended(creation)
        self.assertEqual(JobStatus.SUCCESS, created.status)
        self.assertGreaterEqual(job.ops[0].time, created.ops[0].time)
        self.assertIsNone(await self.status_of(1))

    async def test_after_a_failure(self) -> None:
        """A job behind one that failed runs all the same."""
        await self.subject.create(1)
        failing, _ = await self.subject.ask(Kind.START, 99)
        job = await self.subject.do(Kind.STOP, 1, after_job=failing)
        self.assertEqual(JobStatus.SUCCESS, job.status)

    async def test_after_nothing(self) -> None:
        """A job behind one that does not exist fails."""
        await self.subject.create(1)
        job = await self.subject.do(Kind.STOP, 1, after_job=10_000_000)
        self.assertEqual(JobStatus.ERROR, job.status)
        self.assertIn("not found", job.ops[0].error or "")
        self.assertEqual("running", await self.status_of(1))

    async def test_canceled(self) -> None:
        """A job that has not begun can be canceled, and is then never done."""
        creation, _ = await self.subject.ask(Kind.CREATE, 1, build=self.subject.build)
        stop, order = await self.subject.ask(Kind.STOP, 1, after_job=creation)
        await self.rapi.cancel(stop)
        job = await self.subject.ended(stop)
        self.assertEqual(JobStatus.CANCELED, job.status)
        [report] = reports(job, self.subject.prefix)
        self.assertEqual(order, report.order)
        self.assertTrue(report.error)
        await self.subject.ended(creation)
        self.assertEqual("running", await self.status_of(1))

    async def test_cancel_too_late(self) -> None:
        """Canceling what has ended or never was changes nothing."""
        job = await self.subject.create(1)
        await self.rapi.cancel(job.id)
        await self.rapi.cancel(10_000_000)
        [after] = await self.rapi.jobs([job.id])
        self.assertEqual(job, after)

    async def test_found_by_reason(self) -> None:
        """The job of an order is found when the answer with its id got lost."""
        before = await self.rapi.last_job()
        number, order = await self.subject.ask(Kind.CREATE, 1, build=self.subject.build)
        self.assertEqual(number, await self.rapi.last_job(before))
        for archived in (False, True):
            found = await self.rapi.jobs_after(before, archived)
            self.assertEqual([number], [job.id for job in found if job.order == order])
        self.assertEqual((), await self.rapi.jobs_after(number))
        await self.subject.ended(number)

    async def test_last_job(self) -> None:
        """The last job is never lower than what is known already."""
        last = await self.rapi.last_job()
        self.assertEqual(last, await self.rapi.last_job(last))
        self.assertEqual(last + 1000, await self.rapi.last_job(last + 1000))

    async def test_many_jobs(self) -> None:
        """Hundreds of jobs are one question; those that never were are left out."""
        job = await self.subject.create(1)
        wanted = [job.id, *range(10_000_000, 10_000_300)]
        self.assertEqual((job,), await self.rapi.jobs(wanted))
        self.assertEqual((), await self.rapi.jobs([]))

    async def test_needs_success(self) -> None:
        """A job that needs another's success fails where there was none."""
        failed = await self.subject.do(Kind.STOP, 1)
        self.assertEqual(JobStatus.ERROR, failed.status)
        order = Order(id=uuid4(), server=1, kind=Kind.CREATE, build=self.subject.build)
        wanted = request(order, self.subject.name(1), 5, failed.id, needs_success=True)
        job = await self.subject.ended(await self.rapi.submit(wanted))
        self.assertEqual(JobStatus.ERROR, job.status)
        self.assertIsNone(await self.rapi.instance(self.subject.name(1)))

    async def test_bad_request(self) -> None:
        """What makes no sense is refused with a reason, and no job is made."""
        before = await self.rapi.last_job()
        path = f"/2/instances/{self.subject.name(1)}/shutdown"
        bad = {
            "timeout": {"timeout": "soon"},
            "colour": {"colour": "blue"},
            "instance_name": {"instance_name": "other"},
        }
        for word, body in bad.items():
            wanted = Request("PUT", path, body=body)
            failure = await self.refusal(wanted)
            self.assertEqual(400, failure.status)
            self.assertIn(word, str(failure))
        self.assertEqual(before, await self.rapi.last_job(before))

    async def test_bad_disk(self) -> None:
        """A value that only the innermost part of Ganeti understands is refused."""
        order = Order(id=uuid4(), server=1, kind=Kind.CREATE, build=self.subject.build)
        wanted = request(order, self.subject.name(1), 5)
        body = {**(wanted.body or {}), "disks": [{"size": "huge"}]}
        failure = await self.refusal(evolve(wanted, body=body))
        self.assertIn("huge", str(failure))

    async def test_no_such_url(self) -> None:
        """A URL or a method that Ganeti does not have is refused."""
        for wanted, status in (
            (Request("PUT", "/2/nothing"), 404),
            (Request("POST", "/2/info"), 501),
        ):
            self.assertEqual(status, (await self.refusal(wanted)).status)

    async def test_wrong_password(self) -> None:
        """Whoever does not know the password is told so, and does nothing."""
        before = await self.rapi.last_job()
        for asked in (
            self.subject.stranger.info(),
            self.subject.stranger.submit(Request("DELETE", "/2/instances/x")),
        ):
            with self.assertRaises(WrongCredentials):
                await asked
        self.assertEqual(before, await self.rapi.last_job(before))


def job_tests(create: Callable[[TestCase], Subject]) -> type[TestCase]:
    """Return them; ``create(case)`` makes a cluster."""
    return type("JobTests", (_JobTests,), {"create": staticmethod(create)})
