"""What comes of requests to a Ganeti cluster: tests for simulated and for real ones."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import count
from typing import Any, ClassVar
from uuid import UUID, uuid4

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from snf.core.naming import apart_tag, instance_name
from snf.core.order import Build, Kind, NicRequest, Order, Sizes
from snf.core.report import JobStatus
from snf.core.wiring import Wiring
from snf.rapi import networks
from snf.rapi.client import Rapi
from snf.rapi.errors import Refused, WrongCredentials
from snf.rapi.jobs import Job, reports
from snf.rapi.nodes import capacity
from snf.rapi.orders import Request, after, exclude, firewall, request

_STEP_S = 0.2
_LONGEST_S = 120.0


@define(eq=False)
class Subject:
    """
    A cluster to test and what can be built on it.

    :param prefix: Of the names of instances; nobody else on the cluster may use it.
    :param build: Something small without disks, which any node can have.
    :param pause: Lets seconds pass.
    :param stranger: The same cluster, asked with a wrong password.
    """

    rapi: Rapi
    stranger: Rapi
    prefix: str
    build: Build
    pause: Callable[[float], Awaitable[Any]]
    numbers: "count[int]" = field(factory=lambda: count(1))

    async def ask(
        self,
        kind: Kind,
        server: int,
        after_job: int | None = None,
        build: Build | None = None,
        **more: Any,
    ) -> tuple[int, UUID]:
        """Submit an order; return its job and its id."""
        order = Order(id=uuid4(), server=server, kind=kind, build=build, **more)
        name = instance_name(self.prefix, server)
        wanted = request(order, name, shutdown_timeout_s=5, after_job=after_job)
        return await self.rapi.submit(wanted), order.id

    async def ended(self, number: int) -> Job:
        """Return a job when it has ended."""
        waited = 0.0
        while waited < _LONGEST_S:
            [job] = await self.rapi.jobs([number])
            if job.status.final:
                return job
            await self.pause(_STEP_S)
            waited += _STEP_S
        raise AssertionError(f"job {number} has not ended within {_LONGEST_S} s")

    async def do(self, kind: Kind, server: int, **more: Any) -> Job:
        """Submit an order and return its job when it has ended."""
        number, _ = await self.ask(kind, server, **more)
        return await self.ended(number)

    async def create(self, server: int) -> Job:
        """Make an instance and return the job that made it."""
        return await self.do(Kind.CREATE, server, build=self.build)

    def wiring(self, network: UUID) -> Wiring:
        """Return a network on the link that the build's NICs are on."""
        [nic] = self.build.nics
        return Wiring(
            network=network,
            mode=nic.mode or "",
            link=nic.link or "",
            range4=IPv4Network("10.213.77.0/24"),
            gateway4=ip_address("10.213.77.1"),
            range6=IPv6Network("2001:db8:77::/64"),
            gateway6=ip_address("2001:db8:77::1"),
            tags=("private", "nfdhcpd", "vni:77", "snf:dns:192.0.2.53"),
        )

    def name(self, server: int) -> str:
        """Return the name of a server's instance."""
        return instance_name(self.prefix, server)

    async def seen(self, server: int) -> dict[str, Any]:
        """Return all that the cluster tells of a server's instance."""
        path = f"/2/instances/{self.name(server)}"
        return (await self.rapi.exchange.ask(Request("GET", path))).content

    async def retag(
        self, server: int, add: set[str], remove: set[str], together: bool = False
    ) -> list[Job]:
        """Change the tags of a server's instance; return the jobs that did."""
        order = Order(id=uuid4(), server=server, kind=Kind.FIREWALL)
        name = self.name(server)
        numbers: list[int] = []
        for step in firewall(order, name, self.build.os, add, remove, together):
            before = tuple(numbers)
            for one in step:
                wanted = after(one, *before) if before else one
                numbers.append(await self.rapi.submit(wanted))
        jobs = [await self.ended(number) for number in numbers]
        assert {job.order for job in jobs} == {order.id}
        return jobs

    async def clean(self) -> None:
        """Remove the instances that the tests have left."""
        listing = await self.rapi.instances()
        for instance in listing.instances:
            if instance.name.startswith(f"{self.prefix}-"):
                server = int(instance.name.removeprefix(f"{self.prefix}-"))
                await self.do(Kind.DELETE, server)


class _RapiTests(TestCase):
    """Orders in, jobs and instances out."""

    create: ClassVar[Callable[[TestCase], Subject]]
    timeout = 300

    def setUp(self) -> None:
        self.subject = type(self).create(self)
        self.rapi = self.subject.rapi
        self.addCleanup(lambda: Deferred.fromCoroutine(self.subject.clean()))

    async def refusal(self, wanted: Request) -> Refused:
        with self.assertRaises(Refused) as caught:
            await self.rapi.submit(wanted)
        return caught.exception

    async def status_of(self, server: int) -> str | None:
        instance = await self.rapi.instance(self.subject.name(server))
        return None if instance is None else instance.status

    async def test_info(self) -> None:
        """A cluster says who it is and what it can do."""
        info = await self.rapi.info()
        self.assertRegex(info.version, r"^[23]\.")
        self.assertIn(self.subject.build.hypervisor, info.hypervisors)
        self.assertIn("diskless", info.disk_templates)
        self.assertGreater(info.max_running_jobs, 0)

    async def test_nodes(self) -> None:
        """Nodes tell what they have, and which of the machines are theirs."""
        before = capacity(await self.rapi.nodes())
        self.assertGreaterEqual(before.nodes, 1)
        self.assertGreaterEqual(before.cpus, 1)
        self.assertGreater(before.ram_total_mib, before.ram_free_mib - 1)
        self.assertGreater(before.ram_free_mib, 0)
        self.assertGreater(before.disk_total_mib, before.disk_free_mib - 1)
        self.assertGreater(before.disk_free_mib, 0)
        await self.subject.create(1)
        after = capacity(await self.rapi.nodes())
        self.assertEqual(before.instances + 1, after.instances)

    async def test_create(self) -> None:
        """A machine that is created runs, with the NIC that was asked for."""
        nic = NicRequest(
            name=f"snf-nic-{uuid4()}",
            mac="aa:00:ca:fe:00:01",
            ip="10.213.200.9",
            mode="bridged",
            link=self.subject.build.nics[0].link,
        )
        build = evolve(self.subject.build, nics=(nic,))
        number, order = await self.subject.ask(Kind.CREATE, 1, build=build)
        job = await self.subject.ended(number)
        [report] = reports(job, self.subject.prefix)
        self.assertEqual(JobStatus.SUCCESS, report.status, report.error)
        self.assertEqual(
            (1, number, "OP_INSTANCE_CREATE", order, True),
            (
                report.server,
                report.job,
                report.opcode,
                report.order,
                report.ends_job,
            ),
        )
        instance = await self.rapi.instance(self.subject.name(1))
        assert instance is not None
        self.assertIs(True, instance.running)
        [seen] = instance.nics
        self.assertEqual(
            (nic.name, nic.mac, nic.ip, nic.link),
            (seen.name, seen.mac, seen.ip, seen.link),
        )

    async def test_listing(self) -> None:
        """A listing has every instance, just as it looks by itself, and a time."""
        job = await self.subject.create(1)
        await self.subject.do(Kind.STOP, 1)
        await self.subject.create(2)
        listing = await self.rapi.instances()
        ours = {
            instance.name: instance
            for instance in listing.instances
            if instance.name.startswith(self.subject.prefix)
        }
        self.assertEqual({self.subject.name(1), self.subject.name(2)}, ours.keys())
        for name, instance in ours.items():
            self.assertEqual(await self.rapi.instance(name), instance)
        self.assertEqual(
            [False, True], [ours[self.subject.name(n)].running for n in (1, 2)]
        )
        self.assertApproximates(job.ops[0].time, listing.time, 60)

    async def test_life(self) -> None:
        """A machine stops, starts, restarts either way, and goes."""
        await self.subject.create(1)
        for kind, hard, expected in (
            (Kind.STOP, False, "ADMIN_down"),
            (Kind.START, False, "running"),
            (Kind.REBOOT, False, "running"),
            (Kind.REBOOT, True, "running"),
            (Kind.DELETE, False, None),
        ):
            job = await self.subject.do(kind, 1, hard=hard)
            self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
            self.assertEqual(expected, await self.status_of(1))

    async def test_again(self) -> None:
        """Starting what runs and stopping what does not are no errors."""
        await self.subject.create(1)
        for kind in (Kind.START, Kind.STOP, Kind.STOP):
            job = await self.subject.do(kind, 1)
            self.assertEqual(JobStatus.SUCCESS, job.status)

    async def test_resized(self) -> None:
        """Processors and memory are there after a restart, and not before."""
        await self.subject.create(1)
        sizes = Sizes(vcpus=2, ram_mib=self.subject.build.ram_mib + 64, disk_gib=0)
        for _ in range(2):  # the second time changes nothing
            job = await self.subject.do(Kind.MODIFY, 1, sizes=sizes)
            self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        seen = await self.subject.seen(1)
        self.assertEqual(
            (2, sizes.ram_mib, sizes.ram_mib),
            tuple(seen["beparams"][name] for name in ("vcpus", "minmem", "maxmem")),
        )
        self.assertEqual(self.subject.build.ram_mib, seen["oper_ram"])
        await self.subject.do(Kind.REBOOT, 1)
        seen = await self.subject.seen(1)
        self.assertEqual(sizes.ram_mib, seen["oper_ram"])
        self.assertEqual("running", seen["status"])

    async def test_resized_too_far(self) -> None:
        """More memory than the node has is a failure that says so and changes nothing."""
        await self.subject.create(1)
        huge = Sizes(vcpus=1, ram_mib=16_777_216, disk_gib=0)
        job = await self.subject.do(Kind.MODIFY, 1, sizes=huge)
        self.assertEqual(JobStatus.ERROR, job.status)
        self.assertTrue(job.ops[0].error)
        seen = await self.subject.seen(1)
        self.assertEqual(self.subject.build.ram_mib, seen["beparams"]["maxmem"])

    async def test_grown(self) -> None:
        """A disk grows to a size, once however often it is asked for, and never shrinks."""
        build = evolve(self.subject.build, disk_gib=1, disk_template="file")
        job = await self.subject.do(Kind.CREATE, 1, build=build)
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        for wanted, status in (
            (2, JobStatus.SUCCESS),
            (2, JobStatus.SUCCESS),
            (1, JobStatus.ERROR),
        ):
            sizes = Sizes(vcpus=1, ram_mib=64, disk_gib=wanted)
            job = await self.subject.do(Kind.GROW, 1, sizes=sizes)
            self.assertEqual(status, job.status, job.ops[0].error)
        self.assertEqual([2048], (await self.subject.seen(1))["disk.sizes"])

    async def test_network(self) -> None:
        """A network is made and connected once, has NICs, and goes when it has none."""
        wired = self.subject.wiring(uuid4())
        [group, *_] = await self.rapi.groups()
        for expected in (None, "already_exists"):
            self.assertEqual(expected, await self.said(networks.add(wired)))
        nic = NicRequest(
            f"snf-nic-{uuid4()}",
            "aa:00:ca:fe:00:03",
            "10.213.77.9",
            network=wired.network,
        )
        build = evolve(self.subject.build, nics=(nic,))
        job = await self.subject.do(Kind.CREATE, 1, build=build)
        self.assertEqual(JobStatus.ERROR, job.status)  # it is connected to nothing
        for name in await self.rapi.groups():
            for _ in range(2):
                self.assertIsNone(await self.said(networks.connect(wired, name)))
        job = await self.subject.do(Kind.CREATE, 1, build=build)
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        instance = await self.rapi.instance(self.subject.name(1))
        assert instance is not None
        [seen] = instance.nics
        self.assertEqual(
            (nic.name, nic.mac, nic.ip, wired.link, wired.name),
            (seen.name, seen.mac, seen.ip, seen.link, seen.network),
        )
        off = networks.disconnect(wired.name, group)
        self.assertEqual("wrong_state", await self.said(off))
        self.assertEqual("wrong_state", await self.said(networks.remove(wired.name)))
        await self.subject.do(Kind.DELETE, 1)
        for name in await self.rapi.groups():
            for _ in range(2):
                said = await self.said(networks.disconnect(wired.name, name))
                self.assertIsNone(said)
        for expected in (None, "unknown_entity"):
            self.assertEqual(expected, await self.said(networks.remove(wired.name)))
        self.assertEqual("unknown_entity", await self.said(off))

    async def test_network_changes(self) -> None:
        """A network becomes what it is to be; an operator's tags stay."""
        wired = self.subject.wiring(uuid4())
        self.assertIsNone(await self.rapi.network(wired.name))
        await self.said(networks.add(evolve(wired, tags=(*wired.tags, "rack:4"))))
        another = evolve(
            wired,
            gateway4=ip_address("10.213.77.9"),
            gateway6=ip_address("fe80::1"),
            tags=("private", "vni:77", "snf:mtu:1400", "snf:dns:2001:db8::53"),
        )
        no_gateway = evolve(another, gateway4=None, gateway6=None)
        try:
            for wanted in (wired, another, no_gateway, another, wired):
                found = await self.rapi.network(wired.name)
                assert found is not None
                for asked in networks.changes(wanted, found):
                    self.assertIsNone(await self.said(asked))
                found = await self.rapi.network(wired.name)
                assert found is not None
                self.assertEqual([], [*networks.changes(wanted, found)])
                self.assertLessEqual({*wanted.tags, "rack:4"}, found.tags)
                ignored = {networks.NO_GATEWAY4, networks.NO_GATEWAY6} & found.tags
                self.assertEqual(2 if wanted is no_gateway else 0, len(ignored))
        finally:
            self.assertIsNone(await self.said(networks.remove(wired.name)))

    async def said(self, wanted: Request) -> str | None:
        """Return Ganeti's word for the failure of a job; None when it succeeds."""
        job = await self.subject.ended(await self.rapi.submit(wanted))
        [op] = job.ops
        if job.status is JobStatus.SUCCESS:
            return None
        return op.error_code or op.error

    async def test_attached(self) -> None:
        """A NIC is added and removed by its name, once however often it is asked for."""
        await self.subject.create(1)
        nic = evolve(
            self.subject.build.nics[0],
            name=f"snf-nic-{uuid4()}",
            mac="aa:00:ca:fe:00:04",
        )
        asked = (Kind.ATTACH, Kind.ATTACH, Kind.DETACH, Kind.DETACH)
        codes = (None, "resource_not_unique", None, "unknown_entity")
        for kind, code, there in zip(asked, codes, (1, 1, 0, 0), strict=True):
            job = await self.subject.do(kind, 1, nic=nic)
            [op] = job.ops
            self.assertEqual(code, op.error_code, op.error)
            if code == "resource_not_unique":
                self.assertRegex(op.error or "", "MAC address '.*' already in use")
            instance = await self.rapi.instance(self.subject.name(1))
            assert instance is not None
            names = [one.name for one in instance.nics]
            self.assertEqual(there, names.count(nic.name))
            self.assertEqual(len(self.subject.build.nics) + there, len(names))

    async def test_name_taken(self) -> None:
        """A second machine of the same name is not made."""
        await self.subject.create(1)
        build = evolve(self.subject.build, nics=())
        job = await self.subject.do(Kind.CREATE, 1, build=build)
        [op] = job.ops
        self.assertEqual(
            (JobStatus.ERROR, "already_exists"), (job.status, op.error_code)
        )
        self.assertIn(self.subject.name(1), op.error or "")

    async def test_mac_taken(self) -> None:
        """Of two machines with one MAC the second is not made, not even at once."""
        nic = evolve(self.subject.build.nics[0], mac="aa:00:ca:fe:00:02")
        build = evolve(self.subject.build, nics=(nic,))
        asked = [
            await self.subject.ask(Kind.CREATE, server, build=build)
            for server in (1, 2)
        ]
        ended = [await self.subject.ended(number) for number, _ in asked]
        self.assertEqual(
            {(JobStatus.SUCCESS, None), (JobStatus.ERROR, "resource_not_unique")},
            {(job.status, job.ops[0].error_code) for job in ended},
        )

    async def test_bound_disks(self) -> None:
        """A machine with disks that only its node has is not moved, and goes on."""
        disks = evolve(self.subject.build, disk_gib=1, disk_template="file")
        job = await self.subject.do(Kind.CREATE, 1, build=disks)
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        for kind in (Kind.MIGRATE_LIVE, Kind.MIGRATE, Kind.EVACUATE):
            job = await self.subject.do(kind, 1)
            self.assertEqual(
                (JobStatus.ERROR, "wrong_state"), (job.status, job.ops[0].error_code)
            )
            self.assertIn("does not allow", job.ops[0].error or "")
        self.assertEqual("running", await self.status_of(1))

    async def test_not_there(self) -> None:
        """What is asked of a machine that is not there ends in an error job."""
        sizes = Sizes(vcpus=1, ram_mib=128, disk_gib=1)
        [nic] = self.subject.build.nics
        for kind in Kind:
            if kind in (Kind.CREATE, Kind.FIREWALL):
                continue
            job = await self.subject.do(kind, 99, sizes=sizes, nic=nic)
            [op] = job.ops
            self.assertEqual(
                (JobStatus.ERROR, "unknown_entity"), (job.status, op.error_code)
            )
        for job in await self.subject.retag(99, {"tag"}, set()):
            self.assertEqual(JobStatus.ERROR, job.status)
        self.assertIsNone(await self.status_of(99))

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

    async def test_kept_apart(self) -> None:
        """Instances with the same tag are on different nodes, once this is asked for."""
        if not await self.rapi.excludes():
            job = await self.subject.ended(await self.rapi.submit(exclude("contract")))
            self.assertEqual(JobStatus.SUCCESS, job.status)
        self.assertTrue(await self.rapi.excludes())
        nodes = capacity(await self.rapi.nodes()).nodes
        group = uuid4()
        build = evolve(self.subject.build, tags=(apart_tag(group, 0),))
        for server in range(1, nodes + 1):
            job = await self.subject.do(Kind.CREATE, server, build=build)
            self.assertEqual(JobStatus.SUCCESS, job.status, job)
        job = await self.subject.do(Kind.CREATE, nodes + 1, build=build)
        self.assertEqual(JobStatus.ERROR, job.status)
        [op] = job.ops
        self.assertIn("FailTags", op.error or "")
        other = evolve(build, tags=(apart_tag(group, 1),))
        job = await self.subject.do(Kind.CREATE, nodes + 2, build=other)
        self.assertEqual(JobStatus.SUCCESS, job.status, job)

    async def test_needs_success(self) -> None:
        """A job that needs another's success fails where there was none."""
        failed = await self.subject.do(Kind.STOP, 1)
        self.assertEqual(JobStatus.ERROR, failed.status)
        order = Order(id=uuid4(), server=1, kind=Kind.CREATE, build=self.subject.build)
        wanted = request(order, self.subject.name(1), 5, failed.id, needs_success=True)
        job = await self.subject.ended(await self.rapi.submit(wanted))
        self.assertEqual(JobStatus.ERROR, job.status)
        self.assertIsNone(await self.rapi.instance(self.subject.name(1)))

    async def test_retagged(self) -> None:
        """Tags come and go in as many jobs as they need, in their order."""
        await self.subject.create(1)
        many = {f"snf:rule:{uuid4()}:6:tcp:{n}-{n}:2001:db8::/32" for n in range(70)}
        profile = "synnefo:network:0:protected"
        for add, remove in ((many, set()), ({profile}, many), (set(), {profile})):
            jobs = await self.subject.retag(1, add, remove)
            self.assertEqual(
                {JobStatus.SUCCESS},
                {job.status for job in jobs},
                [job.ops[0].error for job in jobs],
            )
            # Only the last one is about the instance, as news of it are.
            self.assertEqual(
                [False] * (len(jobs) - 1) + [True],
                [bool(reports(job, self.subject.prefix)) for job in jobs],
            )
            self.assertEqual("OP_INSTANCE_SET_PARAMS", jobs[-1].ops[0].opcode)
            tagged = await self.rapi.tagged(self.subject.name(1))
            assert tagged is not None
            os, tags = tagged
            self.assertEqual((self.subject.build.os, add), (os, set(tags)))
            instance = await self.rapi.instance(self.subject.name(1))
            assert instance is not None
            self.assertEqual((os, tags), (instance.os, instance.tags))
        self.assertIsNone(await self.rapi.tagged(self.subject.name(99)))

    async def test_retagged_together(self) -> None:
        """Tags that come and go side by side have both done so when the node looks."""
        await self.subject.create(1)
        old, new = (f"synnefo:network:0:{one}" for one in ("limited", "protected"))
        await self.subject.retag(1, {old}, set())
        jobs = await self.subject.retag(1, {new}, {old}, together=True)
        self.assertEqual(
            ["OP_TAGS_SET", "OP_TAGS_DEL", "OP_INSTANCE_SET_PARAMS"],
            [job.ops[0].opcode for job in jobs],
        )
        last = jobs[-1].ops[0].time
        self.assertGreaterEqual(last, max(job.ops[0].time for job in jobs[:2]))
        tagged = await self.rapi.tagged(self.subject.name(1))
        self.assertEqual((self.subject.build.os, (new,)), tagged)

    async def test_retagged_wrongly(self) -> None:
        """A tag that is not there, or cannot be, fails its job and those behind it."""
        await self.subject.create(1)
        for add, remove in (
            (set(), {"synnefo:network:0:limited"}),
            ({"snf:rule:a b"}, set()),
            ({"x" * 129}, set()),
        ):
            jobs = await self.subject.retag(1, add, remove)
            self.assertEqual([JobStatus.ERROR] * 2, [job.status for job in jobs])
        instance = await self.rapi.instance(self.subject.name(1))
        assert instance is not None
        self.assertEqual((), instance.tags)

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


class _MoveTests(TestCase):
    """Instances go from node to node."""

    create: ClassVar[Callable[[TestCase], Subject]]
    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        self.subject = type(self).create(self)
        self.rapi = self.subject.rapi
        self.nodes = {node.name for node in await self.rapi.nodes()}
        if len(self.nodes) < 2:
            raise SkipTest("the cluster has one node: nothing can be moved")
        self.addCleanup(lambda: Deferred.fromCoroutine(self.subject.clean()))

    async def place(self) -> tuple[str | None, str]:
        """Return on which node it is, and in which status."""
        instance = await self.rapi.instance(self.subject.name(1))
        assert instance is not None
        return instance.pnode, instance.status

    async def test_moved(self) -> None:
        """What runs is moved in each way, its reason kept, and runs there."""
        await self.subject.create(1)
        for kind in (Kind.MIGRATE_LIVE, Kind.MIGRATE, Kind.EVACUATE):
            before, _ = await self.place()
            number, order = await self.subject.ask(kind, 1)
            job = await self.subject.ended(number)
            self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
            self.assertEqual(order, job.order)
            after, status = await self.place()
            self.assertNotEqual(before, after)
            self.assertEqual("running", status)

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
                self.assertEqual((node, "running"), await self.place())

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


def rapi_tests(create: Callable[[TestCase], Subject]) -> type[TestCase]:
    """Return the tests that a cluster has to pass; ``create(case)`` makes one."""
    return type("RapiTests", (_RapiTests,), {"create": staticmethod(create)})
