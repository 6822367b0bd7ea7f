"""A cluster to test, and what tests of it begin with."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import count
from typing import Any, ClassVar
from uuid import UUID, uuid4

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from snf.core.naming import instance_name
from snf.core.order import Build, Kind, Order
from snf.core.wiring import Wiring
from snf.rapi.client import Rapi
from snf.rapi.jobs import Job
from snf.rapi.orders import Request, after, firewall, request

STEP_S = 0.2
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
            await self.pause(STEP_S)
            waited += STEP_S
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
            tags=("private", "nfdhcpd", "vni:77", "snf:dns:1@192.0.2.53"),
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


class SubjectTestCase(TestCase):
    """A test of a cluster, which is left as it was."""

    create: ClassVar[Callable[[TestCase], Subject]]
    timeout = 300

    def setUp(self) -> None:
        self.subject = type(self).create(self)
        self.rapi = self.subject.rapi
        self.addCleanup(lambda: Deferred.fromCoroutine(self.subject.clean()))

    async def status_of(self, server: int) -> str | None:
        instance = await self.rapi.instance(self.subject.name(server))
        return None if instance is None else instance.status
