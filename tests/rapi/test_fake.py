"""The simulated cluster does what a real one does."""

from functools import partial
from typing import Any

from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from snf.core.order import Build, NicRequest
from snf.rapi.client import Rapi, over
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.orders import Request
from snf.testing.ganeti import FakeGaneti
from snf.testing.rapi_contract import (
    Subject,
    instance_tests,
    job_tests,
    move_tests,
    nic_tests,
    rebuild_tests,
)
from snf.testing.request_contract import request_tests

URL = "http://ganeti.test:5080"


def client(fake: FakeGaneti, password: str | None = None) -> Rapi:
    """Return a client of a simulated cluster, without a network."""
    endpoint = Endpoint(
        cluster="fake",
        url=URL,
        user=fake.user,
        password=password or fake.password,
        tls=Tls.OFF,
    )
    return over(StubTreq(fake.resource()), endpoint, reactor, timeout_s=30)


def subject(case: TestCase, nodes: int = 1) -> Subject:
    clock = Clock()
    clock.advance(1_700_000_000.25)
    fake = FakeGaneti(clock, nodes=nodes, oses=frozenset({"cyclades+default"}))

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    return Subject(
        rapi=client(fake),
        stranger=client(fake, "guess"),
        prefix="snf",
        build=Build(
            vcpus=1,
            ram_mib=64,
            disk_gib=0,
            disk_template="file",
            os="cyclades+default",
            hypervisor="fake",
            nics=(NicRequest("snf-nic-1", "auto", None, "bridged", "gnt0"),),
        ),
        pause=pause,
    )


def understood(case: TestCase) -> Any:
    fake = FakeGaneti(Clock())
    rapi = client(fake)

    async def opcode(wanted: Request) -> dict[str, Any]:
        return fake.queue.entries[await rapi.submit(wanted)].input

    return opcode


class FakeInstanceTests(instance_tests(subject)):
    """What becomes of instances."""


class FakeJobTests(job_tests(subject)):
    """What becomes of jobs."""


class FakeNicTests(nic_tests(subject)):
    """What nodes are told of the network."""


_TWO = partial(subject, nodes=2)


class TwoNodesInstanceTests(instance_tests(_TWO)):
    """The same of a cluster of two nodes."""


class TwoNodesJobTests(job_tests(_TWO)):
    """The same of a cluster of two nodes."""


class TwoNodesNicTests(nic_tests(_TWO)):
    """The same of a cluster of two nodes."""


class FakeRebuildTests(rebuild_tests(subject)):
    """Disks that are made anew, and secrets."""


class FakeMoveTests(move_tests(_TWO)):
    """From node to node."""


class FakeRequestTests(request_tests(understood)):
    """How requests are understood."""
