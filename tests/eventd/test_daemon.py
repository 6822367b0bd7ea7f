"""``twistd snf-eventd`` as a process, with a real RabbitMQ, and killed."""

import os
import signal
import sys
from pathlib import Path
from subprocess import Popen

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from snf.bus.connect import AmqpBus
from snf.bus.messages import parse
from snf.bus.topology import queue_names
from snf.config import Eventd, load
from snf.tap.eventd import Options, makeService
from snf.testing.bus import Receiver
from snf.testing.jobs import QueueDirectory, op
from tests.bus.rabbitmq import PREFIX, Link, create

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "etc" / "eventd.toml"


class OptionsTests(SynchronousTestCase):
    """The command line and the configuration."""

    def test_sample(self) -> None:
        """The sample is a valid configuration, with every key."""
        self.assertIsInstance(load(SAMPLE, Eventd), Eventd)
        lines = SAMPLE.read_text().splitlines()
        bare = [
            line.removeprefix("# ")
            for line in lines
            if " = " in line or line.startswith("[")
        ]
        everything = Path(self.mktemp())
        everything.write_text("\n".join(bare))
        settings = load(everything, Eventd)
        self.assertEqual("node1.example.org", settings.master.node_name)
        for table in ("broker", "queue", "spool", "master", "ganeti"):
            for field in getattr(settings, table).__attrs_attrs__:
                self.assertTrue(
                    any(line.startswith(f"{field.name} = ") for line in bare),
                    field.name,
                )

    def test_refused(self) -> None:
        """What is wrong is one sentence that names file and key."""
        file = Path(self.mktemp())
        file.write_text('[broker]\nurl = "http://localhost"')
        problem = self.assertRaises(
            UsageError, Options().parseOptions, ["--config", str(file)]
        )
        self.assertIn("url", str(problem))
        self.assertIn(str(file), str(problem))

    def test_service(self) -> None:
        """The service has a publisher, the job queue and the spool."""
        file = Path(self.mktemp())
        file.write_text('[broker]\nurl = "memory:"')
        options = Options()
        options.parseOptions(["--config", str(file)])
        names = [type(part).__name__ for part in makeService(options)]
        self.assertEqual(["MemoryPublisher", "JobQueue", "Spool", "Frozen"], names)


class KilledTests(TestCase):
    """eventd that dies between reading a job and the broker's confirmation."""

    timeout = 120

    def setUp(self) -> None:
        bus: AmqpBus = create(self)
        self.base = Path(self.mktemp()).absolute()
        self.base.mkdir()
        self.queue = QueueDirectory(self.base / "queue")
        (self.base / "spool").mkdir()
        (self.base / "ssconf_master_node").write_text("node1.test\n")
        (self.base / "ssconf_cluster_name").write_text("c.test\n")
        self.link = Link()
        self.addCleanup(self.link.cut)
        self.config = self.base / "eventd.toml"
        self.config.write_text(
            f"""
            [broker]
            url = "amqp://cyclades@127.0.0.1:{self.link.port}/cyclades"
            password_file = "{os.environ["CYCLADES_TEST_AMQP_PASSWORD_FILE"]}"
            [queue]
            directory = "{self.queue.path}"
            mark_file = "{self.base}/mark"
            [spool]
            directory = "{self.base}/spool"
            [master]
            ssconf_directory = "{self.base}"
            node_name = "node1.test"
            [ganeti]
            instance_prefix = "{PREFIX}"
            """
        )
        self.receiver = Receiver()
        consumer = bus.consumer(queue_names(PREFIX), self.receiver)
        consumer.startService()
        self.addCleanup(consumer.stopService)

    def start(self) -> Popen[bytes]:
        command = [
            sys.executable,
            "-c",
            "from twisted.scripts.twistd import run; run()",
        ]
        command += ["--nodaemon", "--pidfile", str(self.base / "pid")]
        command += ["--logfile", str(self.base / "log")]
        command += ["snf-eventd", "--config", str(self.config)]
        process = Popen(command, cwd=ROOT)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    async def logged(self, words: str) -> None:
        log = self.base / "log"
        while not log.exists() or words not in log.read_text():
            await deferLater(reactor, 0.05)

    def jobs(self) -> set[int]:
        reports = [parse(body, PREFIX, 0.0) for body in self.receiver.bodies()]
        return {report.job for report in reports}

    async def test_killed(self) -> None:
        """Jobs that were read and not confirmed are told by the next eventd."""
        process = self.start()
        await self.logged("connected to the broker")
        self.queue.write(1, op(f"{PREFIX}-1", "OP_INSTANCE_REBOOT", "success"))
        await self.receiver.until(lambda: self.jobs() == {1})
        await self.link.cut()
        await self.logged("no connection to the broker")
        self.queue.write(2, op(f"{PREFIX}-1", "OP_INSTANCE_REBOOT", "success"))
        self.queue.write(3, op(f"{PREFIX}-2", "OP_INSTANCE_REBOOT", "success"))
        self.queue.archive(3)
        # Long enough for it to be read, and for a mark to be written.
        await deferLater(reactor, 1.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.link.mend()
        self.start()
        await self.receiver.until(lambda: self.jobs() == {1, 2, 3})
