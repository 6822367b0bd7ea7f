"""What becomes of instances whose disks are made anew, and of what only they are told."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import orjson
from attrs import evolve
from twisted.trial.unittest import TestCase

from snf.core.guest import Parameters
from snf.core.order import Kind, Order, Reinstall
from snf.core.report import JobStatus
from snf.rapi.jobs import Job, reports
from snf.rapi.orders import NOTHING_TOLD, Request, request
from snf.testing.rapi_contract.subject import Subject, SubjectTestCase

_SECRET = "hunter2-not-to-be-seen"

_OPS = ["OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REINSTALL", "OP_INSTANCE_STARTUP"]


class _RebuildTests(SubjectTestCase):
    """Disks are made anew, and secrets kept."""

    async def with_disk(
        self, server: int, parameters: Parameters = NOTHING_TOLD
    ) -> Job:
        """Make an instance with a disk and a config drive."""
        build = evolve(self.subject.build, disk_gib=1, disk_template="file", drive=True)
        order = Order(uuid4(), server, Kind.CREATE, build=build)
        name = self.subject.name(server)
        asked = request(order, name, shutdown_timeout_s=5, parameters=parameters)
        job = await self.subject.ended(await self.rapi.submit(asked))
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        return job

    async def rebuild(
        self, server: int, os: str | None = None, start: bool = True
    ) -> tuple[Job, UUID]:
        """Have the disk of an instance made anew; return the job and the order."""
        reinstall = Reinstall(uuid4(), os or self.subject.build.os, start=start)
        number, order = await self.subject.ask(
            Kind.REBUILD, server, reinstall=reinstall
        )
        return await self.subject.ended(number), order

    async def test_disks(self) -> None:
        """An instance has the disk of its size, and the small one behind it."""
        await self.with_disk(1)
        seen = await self.subject.seen(1)
        self.assertEqual([1024, 16], seen["disk.sizes"])

    async def test_rebuilt(self) -> None:
        """It is stopped, installed and started; the job is found by its order."""
        await self.with_disk(1)
        before = await self.rapi.last_job()
        job, order = await self.rebuild(1)
        self.assertEqual(JobStatus.SUCCESS, job.status, [op.error for op in job.ops])
        self.assertEqual(_OPS, [op.opcode for op in job.ops])
        self.assertEqual({self.subject.name(1)}, {op.instance for op in job.ops})
        for archived in (False, True):
            found = await self.rapi.jobs_after(before, archived)
            self.assertEqual([job.id], [one.id for one in found if one.order == order])
        told = reports(job, self.subject.prefix)
        self.assertEqual({order}, {one.order for one in told})
        self.assertEqual([False, False, True], [one.ends_job for one in told])
        self.assertEqual("running", await self.status_of(1))

    async def test_stopped(self) -> None:
        """One that is not to run stays off."""
        await self.with_disk(1)
        await self.subject.do(Kind.STOP, 1)
        job, _ = await self.rebuild(1, start=False)
        self.assertEqual(JobStatus.SUCCESS, job.status, [op.error for op in job.ops])
        self.assertEqual(_OPS[:2], [op.opcode for op in job.ops])
        self.assertEqual("ADMIN_down", await self.status_of(1))

    async def test_wrong_os(self) -> None:
        """What there is no OS definition for fails when it is off already."""
        await self.with_disk(1)
        job, _ = await self.rebuild(1, "nosuch+default")
        self.assertEqual(
            [JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.ERROR],
            [op.status for op in job.ops],
        )
        self.assertIn("nosuch", job.ops[1].error or "")
        self.assertEqual("Preceding opcode failed", job.ops[2].error)
        told = reports(job, self.subject.prefix)
        self.assertEqual([False, True, False], [one.ends_job for one in told])
        self.assertEqual("ADMIN_down", await self.status_of(1))

    async def test_no_disk(self) -> None:
        """One without disks cannot be installed."""
        await self.subject.create(1)
        job, _ = await self.rebuild(1)
        self.assertEqual("wrong_input", job.ops[1].error_code)

    async def test_not_there(self) -> None:
        """What is asked of a machine that is not there ends in an error job."""
        job, _ = await self.rebuild(99)
        self.assertEqual(
            ["unknown_entity", None, None], [op.error_code for op in job.ops]
        )
        self.assertEqual(JobStatus.ERROR, job.status)

    async def test_secrets(self) -> None:
        """A secret parameter is in no answer about the job or the instance."""
        job = await self.with_disk(1, Parameters({}, {"hostname": _SECRET}))
        shown = [
            await self._asked("GET", f"/2/jobs/{job.id}"),
            await self._asked("GET", "/2/instances?bulk=1"),
            await self.subject.seen(1),
        ]
        self.assertNotIn(_SECRET, orjson.dumps(shown).decode())
        [given] = shown[0]["ops"]
        self.assertEqual({"hostname": None}, given["osparams_secret"])

    async def test_more_is_ignored(self) -> None:
        """To install anew takes no secrets: they are passed over without a word."""
        await self.with_disk(1)
        order = Order(uuid4(), 1, Kind.REBUILD)
        body = {
            "os": self.subject.build.os,
            "start": False,
            "osparams": {"order": str(order.id)},
            "osparams_secret": {"hostname": _SECRET},
            "depends": [[10_000_000, []]],
        }
        path = f"/2/instances/{self.subject.name(1)}/reinstall"
        number = await self.rapi.submit(Request("POST", path, (), body))
        job = await self.subject.ended(number)
        self.assertEqual(JobStatus.SUCCESS, job.status, [op.error for op in job.ops])
        told = await self._asked("GET", f"/2/jobs/{job.id}")
        self.assertNotIn(_SECRET, orjson.dumps(told).decode())

    async def _asked(self, method: str, path: str) -> Any:
        path, _, query = path.partition("?")
        name, _, value = query.partition("=")
        given = ((name, value),) if query else ()
        return (await self.rapi.exchange.ask(Request(method, path, given))).content


def rebuild_tests(create: Callable[[TestCase], Subject]) -> type[TestCase]:
    """Return them; ``create(case)`` makes a cluster."""
    return type("RebuildTests", (_RebuildTests,), {"create": staticmethod(create)})
