"""A real cluster keeps the contract that the simulated one keeps."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.tcp import Client
from twisted.trial.unittest import SkipTest, TestCase

from snf.allinone.layout import Layout
from snf.core.order import Build, Kind, NicRequest
from snf.core.report import JobStatus
from snf.rapi.client import Rapi, connect
from snf.rapi.endpoint import Endpoint, Tls
from snf.rapi.errors import Unreachable
from snf.testing.rapi_contract import (
    Subject,
    instance_tests,
    job_tests,
    move_tests,
    nic_tests,
)


def state() -> Path:
    if "CYCLADES_TEST_STATE" not in os.environ:
        raise SkipTest("there is no cloud to test: run ./cloud test")
    return Path(os.environ["CYCLADES_TEST_STATE"])


def client(
    case: TestCase,
    password: str | None = None,
    tls: Tls = Tls.VERIFY,
    ca_file: Path | None = None,
    port: int = 5080,
) -> Rapi:
    """Return a client of the all-in-one's cluster, itself unless told otherwise."""
    instance = Layout(state()).load()
    assert instance is not None
    endpoint = Endpoint(
        cluster="live",
        url=f"https://{instance.cluster_address}:{port}",
        user="cyclades",
        password=password or (state() / "secrets" / "rapi").read_text().strip(),
        tls=tls,
        ca_file=ca_file or state() / "ganeti" / "rapi-ca.pem",
    )
    rapi = connect(reactor, endpoint, timeout_s=40)
    case.addCleanup(lambda: Deferred.fromCoroutine(disconnected(rapi)))
    return rapi


async def disconnected(rapi: Rapi) -> None:
    """Wait until Ganeti, too, has closed: it does that after each of its answers."""
    await rapi.close()
    for _ in range(100):
        if not any(isinstance(reader, Client) for reader in reactor.getReaders()):
            return
        await deferLater(reactor, 0.05)


def subject(hypervisor: str) -> Callable[[TestCase], Subject]:
    async def pause(seconds: float) -> Any:
        return await deferLater(reactor, seconds)

    def create(case: TestCase) -> Subject:
        return Subject(
            rapi=client(case),
            stranger=client(case, password="guess"),
            prefix=f"contract{uuid4().hex[:8]}",
            build=Build(
                vcpus=1,
                ram_mib=128,
                disk_gib=0,
                disk_template="diskless",
                os="cyclades+default",
                hypervisor=hypervisor,
                nics=(NicRequest("snf-nic-1", "auto", None, "bridged", "gnt0"),),
            ),
            pause=pause,
        )

    return create


class LiveInstanceTests(instance_tests(subject("fake"))):
    """On instances that are nothing but an entry on their node."""


class LiveJobTests(job_tests(subject("fake"))):
    """What becomes of jobs."""


class LiveNicTests(nic_tests(subject("fake"))):
    """What nodes are told of the network."""


class LiveMoveTests(move_tests(subject("fake"))):
    """From node to node, where there are two."""


class LiveKvmTests(TestCase):
    """On a machine that really runs."""

    timeout = 300

    async def test_life(self) -> None:
        """A virtual machine is made, stopped, started, restarted both ways, deleted."""
        cluster = subject("kvm")(self)
        job = await cluster.create(1)
        self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
        instance = await cluster.rapi.instance(cluster.name(1))
        assert instance is not None
        self.assertIs(True, instance.running)
        self.assertGreaterEqual(instance.network_port or 0, 11000)
        for kind, hard, running in (
            (Kind.STOP, False, False),
            (Kind.START, False, True),
            (Kind.REBOOT, False, True),
            (Kind.REBOOT, True, True),
            (Kind.DELETE, False, None),
        ):
            job = await cluster.do(kind, 1, hard=hard)
            self.assertEqual(JobStatus.SUCCESS, job.status, job.ops[0].error)
            instance = await cluster.rapi.instance(cluster.name(1))
            self.assertIs(running, instance.running if instance else None)


class TrustTests(TestCase):
    """Whom the client believes to be the cluster."""

    def setUp(self) -> None:
        state()

    async def test_pinned(self) -> None:
        """The cluster's certificate itself will do."""
        self.assertTrue((await client(self, tls=Tls.PINNED).info()).name)

    async def test_off(self) -> None:
        """Without a check it works, too."""
        self.assertTrue((await client(self, tls=Tls.OFF).info()).name)

    async def test_unknown_issuer(self) -> None:
        """The system's CAs do not know the cluster."""
        other = Path("/etc/ssl/certs/ca-certificates.crt")
        for tls in (Tls.VERIFY, Tls.PINNED):
            with self.assertRaises(Unreachable) as caught:
                await client(self, tls=tls, ca_file=other).info()
            self.assertIn("certificate verify failed", str(caught.exception))

    async def test_nobody_there(self) -> None:
        """A port that nobody listens on is a cluster that does not answer."""
        with self.assertRaises(Unreachable) as caught:
            await client(self, port=9).info()
        self.assertIn("connection refused", str(caught.exception))
