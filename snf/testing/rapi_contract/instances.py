"""What becomes of instances."""

from collections.abc import Callable
from ipaddress import ip_address
from uuid import uuid4

from attrs import evolve
from twisted.trial.unittest import TestCase

from snf.core.naming import apart_tag, instance_name
from snf.core.order import Kind, NicRequest, Sizes
from snf.core.report import JobStatus
from snf.rapi.jobs import reports
from snf.rapi.nodes import capacity
from snf.rapi.orders import exclude
from snf.testing.rapi_contract.subject import Subject, SubjectTestCase


class _InstanceTests(SubjectTestCase):
    """Instances are made, changed and deleted."""

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

    async def test_display(self) -> None:
        """It is told where a machine's display is, if it has one, and on which node."""
        await self.subject.create(1)
        name = instance_name(self.subject.prefix, 1)
        found = await self.rapi.display(name)
        assert found is not None
        self.assertIn(found.node, {node.name for node in await self.rapi.nodes()})
        instance = await self.rapi.instance(name)
        assert instance is not None
        self.assertEqual(
            (instance.pnode, instance.network_port), (found.node, found.port)
        )
        self.assertIsNone(await self.rapi.display("nobody-1"))

    async def test_home(self) -> None:
        """An instance is at home on a node with an address; what there is not is nowhere."""
        self.assertIsNone(await self.rapi.home(self.subject.name(1)))
        await self.subject.create(1)
        home = await self.rapi.home(self.subject.name(1))
        assert home is not None
        instance = await self.rapi.instance(self.subject.name(1))
        assert instance is not None
        self.assertEqual(instance.pnode, home.node)
        ip_address(home.address)

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
            # A firewall and a rebuild are several jobs or ops.
            if kind in (Kind.CREATE, Kind.FIREWALL, Kind.REBUILD):
                continue
            job = await self.subject.do(kind, 99, sizes=sizes, nic=nic)
            [op] = job.ops
            self.assertEqual(
                (JobStatus.ERROR, "unknown_entity"), (job.status, op.error_code)
            )
        for job in await self.subject.retag(99, {"tag"}, set()):
            self.assertEqual(JobStatus.ERROR, job.status)
        self.assertIsNone(await self.status_of(99))

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


def instance_tests(create: Callable[[TestCase], Subject]) -> type[TestCase]:
    """Return them; ``create(case)`` makes a cluster."""
    return type("InstanceTests", (_InstanceTests,), {"create": staticmethod(create)})
