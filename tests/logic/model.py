"""A model of a cluster, which does what it is told in an order that a test chooses.

It has what decides over addresses and nothing else: which NICs an instance has, which
its guest has, and the tags by which the node answers for floating IPs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

from attrs import define, evolve, field, frozen

from snf.core.naming import instance_name, nic_name, port_id
from snf.core.order import Kind, Order
from snf.core.report import JobReport, JobStatus, Nic, NicReport
from snf.rapi.instances import Instance

_OPCODES = {
    Kind.CREATE: "OP_INSTANCE_CREATE",
    Kind.START: "OP_INSTANCE_STARTUP",
    Kind.STOP: "OP_INSTANCE_SHUTDOWN",
    Kind.REBOOT: "OP_INSTANCE_REBOOT",
    Kind.DELETE: "OP_INSTANCE_REMOVE",
}


@frozen
class Plug:
    """A NIC: its MAC address and all addresses that its port has."""

    mac: str
    addresses: frozenset[str]


@frozen
class Job:
    """What carries out an order: what it is to bring, and how it has ended."""

    id: int
    order: Order
    plugs: Mapping[UUID, Plug] = field(factory=dict)
    tags: frozenset[str] = frozenset()
    report: JobReport | None = None


@define
class Machine:
    """An instance and, where it runs, what of it the guest has."""

    config: dict[UUID, Plug]
    tags: frozenset[str]
    guest: dict[UUID, Plug] | None

    def start(self) -> None:
        """Begin a guest, if there is none."""
        if self.guest is None:
            self.guest = dict(self.config)

    def plug(self, job: Job, hotplugs: bool) -> bool:
        """Attach or detach NICs; return whether a guest that runs has noticed."""
        places = [self.config]
        if self.guest is not None and hotplugs:
            places.append(self.guest)
        for place in places:
            if job.order.kind is Kind.ATTACH:
                place.update(job.plugs)
            else:
                for port in job.plugs:
                    place.pop(port, None)
        return len(places) == 2


@define
class Model:
    """The cluster: its clock counts what has happened."""

    time: float = 1000.0
    machines: dict[int, Machine] = field(factory=dict)
    jobs: dict[int, Job] = field(factory=dict)
    made: int = 0

    def tick(self) -> float:
        self.time += 1.0
        return self.time

    def job_of(self, order: UUID) -> Job | None:
        """Return the job that carries an order out."""
        return next((job for job in self.jobs.values() if job.order.id == order), None)

    def submit(
        self, order: Order, plugs: Mapping[UUID, Plug], tags: frozenset[str]
    ) -> Job:
        """Take an order; whoever asks twice finds the first job."""
        job = self.job_of(order.id)
        if job is None:
            self.made += 1
            job = Job(self.made, order, plugs, tags)
            self.jobs[job.id] = job
        return job

    def waiting(self) -> list[Job]:
        """Return the jobs that are next: of each instance the oldest."""
        first: dict[int, Job] = {}
        for job in self.jobs.values():
            if job.report is None:
                first.setdefault(job.order.server, job)
        return list(first.values())

    def end(
        self, job: Job, succeeds: bool, hotplugs: bool
    ) -> list[JobReport | NicReport]:
        """Carry a job out; return what is told of it."""
        order = job.order
        code = self._refusal(job) if succeeds else "environment_error"
        reached = False
        if code is None:
            reached = self._carry_out(job, hotplugs)
        elif order.kind is Kind.FIREWALL and order.server in self.machines:
            # What fails may have added some, and has removed none.
            self.machines[order.server].tags |= job.tags
        report = JobReport(
            server=order.server,
            job=job.id,
            opcode=_OPCODES.get(order.kind, "OP_INSTANCE_SET_PARAMS"),
            status=JobStatus.ERROR if code else JobStatus.SUCCESS,
            time=self.tick(),
            ends_job=True,
            order=order.id,
            error=code and f"NIC name or whatever: {code}",
            error_code=code,
            hotplugged=reached,
        )
        self.jobs[job.id] = evolve(job, report=report)
        machine = self.machines.get(order.server)
        if machine is None:
            return [report]
        return [report, NicReport(order.server, _nics(machine), report.time)]

    def _refusal(self, job: Job) -> str | None:
        """Return Ganeti's word for why a job cannot succeed."""
        machine = self.machines.get(job.order.server)
        kind = job.order.kind
        if kind is Kind.CREATE:
            return "already_exists" if machine else None
        if machine is None:
            return "unknown_entity"
        [port] = [*job.plugs] or [None]
        if kind is Kind.ATTACH and port in machine.config:
            return "resource_not_unique"
        if kind is Kind.DETACH and port not in machine.config:
            return "unknown_entity"
        return None

    def _carry_out(self, job: Job, hotplugs: bool) -> bool:
        """Do what a job is for; return whether a guest that runs has noticed."""
        server, kind = job.order.server, job.order.kind
        if kind is Kind.CREATE:
            self.machines[server] = Machine(dict(job.plugs), job.tags, None)
        machine = self.machines[server]
        if kind is Kind.DELETE:
            del self.machines[server]
        elif kind in (Kind.CREATE, Kind.START):
            machine.start()
        elif kind is Kind.STOP:
            machine.guest = None
        elif kind is Kind.REBOOT:
            machine.guest = dict(machine.config)
        elif kind is Kind.FIREWALL:
            machine.tags = job.tags
        else:
            return machine.plug(job, hotplugs)
        return False

    def operate(self, server: int) -> JobReport:
        """Have an operator restart a guest, past us."""
        machine = self.machines[server]
        machine.guest = dict(machine.config)
        self.made += 1
        return JobReport(
            server,
            self.made,
            "OP_INSTANCE_REBOOT",
            JobStatus.SUCCESS,
            self.tick(),
            ends_job=True,
        )

    def listing(self) -> dict[int, Instance]:
        """Return the instances as a query of the cluster lists them."""
        return {
            server: Instance(
                name=instance_name("snf", server),
                status="running" if machine.guest is not None else "ADMIN_down",
                uuid=f"uuid-{server}",
                pnode="node1",
                running=machine.guest is not None,
                tags=tuple(sorted(machine.tags)),
                nics=_nics(machine),
            )
            for server, machine in self.machines.items()
        }

    def fixed(self) -> Iterator[tuple[str, UUID]]:
        """Yield the addresses that NICs have or may be about to have, with the ports."""
        held = {
            (address, port)
            for server in self._servers()
            for port, plug in self._plugs(server)
            for address in plug.addresses
        }
        yield from sorted(held)

    def floating(self) -> Counter[str]:
        """Return for how many instances nodes may answer for each floating IP."""
        found: Counter[str] = Counter()
        for server in self._servers():
            there = {port for port, _ in self._plugs(server)}
            machine = self.machines.get(server)
            tags = set(machine.tags) if machine else set()
            tags.update(*(job.tags for job in self._open(server)))
            parts = [tag.split(":", 3) for tag in tags if tag.startswith("snf:fip:")]
            found.update(
                {
                    text.partition("@")[0]
                    for _, _, port, text in parts
                    if UUID(port) in there
                }
            )
        return found

    def _servers(self) -> set[int]:
        return {*self.machines, *(job.order.server for job in self.jobs.values())}

    def _open(self, server: int) -> list[Job]:
        return [
            job
            for job in self.jobs.values()
            if job.report is None and job.order.server == server
        ]

    def _plugs(self, server: int) -> Iterator[tuple[UUID, Plug]]:
        machine = self.machines.get(server)
        if machine is not None:
            yield from machine.config.items()
            yield from (machine.guest or {}).items()
        for job in self._open(server):
            if job.order.kind in (Kind.CREATE, Kind.ATTACH):
                yield from job.plugs.items()


def _nics(machine: Machine) -> tuple[Nic, ...]:
    return tuple(Nic(plug.mac, nic_name(port)) for port, plug in machine.config.items())


def ports_of(order: Order) -> list[UUID]:
    """Return the ports whose NICs an order is about."""
    asked = list(order.build.nics) if order.build is not None else []
    if order.nic is not None:
        asked.append(order.nic)
    return [port for nic in asked if (port := port_id(nic.name)) is not None]
