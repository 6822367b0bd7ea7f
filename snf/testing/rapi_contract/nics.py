"""Networks, NICs on them, and the tags that nodes read."""

from collections.abc import Callable
from ipaddress import ip_address
from uuid import uuid4

from attrs import evolve
from twisted.trial.unittest import TestCase

from snf.core.order import Kind, NicRequest
from snf.core.report import JobStatus
from snf.rapi import networks
from snf.rapi.jobs import reports
from snf.rapi.orders import Request
from snf.testing.rapi_contract.subject import Subject, SubjectTestCase


class _NicTests(SubjectTestCase):
    """What nodes are told of the network."""

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
            tags=("private", "vni:77", "snf:mtu:1400", "snf:dns:1@2001:db8::53"),
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


def nic_tests(create: Callable[[TestCase], Subject]) -> type[TestCase]:
    """Return them; ``create(case)`` makes a cluster."""
    return type("NicTests", (_NicTests,), {"create": staticmethod(create)})
