"""``snf-ganeti-hook``, run as Ganeti runs it."""

import os
import socket
import subprocess
from pathlib import Path

import orjson
from twisted.trial.unittest import SynchronousTestCase

from snf.bus.messages import parse
from snf.core.report import Nic, NicReport

HOOK = Path(__file__).parents[2] / "ganeti" / "hooks" / "snf-ganeti-hook.py"

# What Ganeti 3.0 sets, without the hypervisor's and backend parameters.
ENVIRONMENT = {
    "PATH": "/sbin:/bin:/usr/sbin:/usr/bin",
    "GANETI_CLUSTER": "c.test",
    "GANETI_MASTER": socket.gethostname(),
    "GANETI_DATA_DIR": "/var/lib/ganeti",
    "GANETI_HOOKS_PATH": "instance-modify",
    "GANETI_HOOKS_PHASE": "post",
    "GANETI_HOOKS_VERSION": "2",
    "GANETI_OBJECT_TYPE": "INSTANCE",
    "GANETI_OP_CODE": "OP_INSTANCE_SET_PARAMS",
    "GANETI_OP_TARGET": "snf-42",
    "GANETI_INSTANCE_NAME": "snf-42",
    "GANETI_INSTANCE_NIC_COUNT": "1",
    "GANETI_INSTANCE_NIC0_MAC": "aa:00:04:35:c4:01",
    "GANETI_INSTANCE_NIC0_IP": "",
    "GANETI_INSTANCE_NIC0_MODE": "bridged",
    "GANETI_INSTANCE_NIC0_LINK": "prv0",
    "GANETI_INSTANCE_TAGS": "",
}
AFTER = {
    "GANETI_POST_INSTANCE_NIC_COUNT": "2",
    "GANETI_POST_INSTANCE_NIC0_NAME": "snf-nic-1",
    "GANETI_POST_INSTANCE_NIC0_MAC": "aa:00:04:35:c4:01",
    "GANETI_POST_INSTANCE_NIC0_IP": "192.0.2.7",
    "GANETI_POST_INSTANCE_NIC0_MODE": "bridged",
    "GANETI_POST_INSTANCE_NIC0_LINK": "prv0",
    "GANETI_POST_INSTANCE_NIC0_NETWORK_NAME": "snf-net-3",
    "GANETI_POST_INSTANCE_NIC1_MAC": "aa:00:04:35:c4:02",
    "GANETI_POST_INSTANCE_NIC1_IP": "",
    "GANETI_POST_INSTANCE_NIC1_LINK": "prv1",
    "GANETI_POST_INSTANCE_TAGS": (
        "other synnefo:network:1:limited synnefo:network:snf-nic-1:protected"
    ),
}


class HookTests(SynchronousTestCase):
    """What the hook leaves in the spool."""

    def setUp(self) -> None:
        self.spool = Path(self.mktemp()).absolute()
        self.spool.mkdir()

    def run_hook(self, **change: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["/usr/bin/python3", "-I", str(HOOK)],
            env={**ENVIRONMENT, "SNF_SPOOL_DIR": str(self.spool), **change},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        self.assertEqual(0, done.returncode)
        return done

    def left(self) -> list[dict]:
        files = sorted(self.spool.iterdir())
        for file in files:
            self.assertRegex(file.name, r"\A[0-9]+-[0-9]+\.json\Z")
        return [orjson.loads(file.read_bytes()) for file in files]

    def test_after_the_operation(self) -> None:
        """The interfaces are told as they are after it, with their profiles."""
        self.run_hook(**AFTER)
        [message] = self.left()
        self.assertEqual(
            [
                {
                    "name": "snf-nic-1",
                    "mac": "aa:00:04:35:c4:01",
                    "ip": "192.0.2.7",
                    "mode": "bridged",
                    "link": "prv0",
                    "network": "snf-net-3",
                    "firewall": "protected",
                },
                {"mac": "aa:00:04:35:c4:02", "link": "prv1", "firewall": "limited"},
            ],
            message["nics"],
        )
        self.assertEqual("c.test", message["cluster"])

    def test_understood(self) -> None:
        """The cloud reads what the hook writes."""
        self.run_hook(**AFTER)
        [file] = self.spool.iterdir()
        report = parse(file.read_bytes(), "snf", 0.0)
        self.assertIsInstance(report, NicReport)
        self.assertEqual(
            Nic("aa:00:04:35:c4:01", "snf-nic-1", "192.0.2.7", "prv0", "snf-net-3"),
            report.nics[0],
        )
        self.assertLess(abs(file.stat().st_mtime - report.time), 30)

    def test_without_a_later_state(self) -> None:
        """Where Ganeti tells only one state, that one is told."""
        self.run_hook()
        [message] = self.left()
        self.assertEqual(["prv0"], [nic["link"] for nic in message["nics"]])

    def test_removed(self) -> None:
        """An instance that was removed has no interfaces."""
        self.run_hook(GANETI_HOOKS_PATH="instance-remove")
        self.assertEqual([[]], [message["nics"] for message in self.left()])

    def test_nothing_to_tell(self) -> None:
        """Other phases, other hooks and other nodes leave nothing, in silence."""
        for change in (
            {"GANETI_HOOKS_PHASE": "pre"},
            {"GANETI_HOOKS_PATH": "network-add"},
            {"GANETI_MASTER": "some-other-node.test"},
        ):
            self.assertEqual("", self.run_hook(**change).stderr)
        self.assertEqual([], self.left())

    def test_full(self) -> None:
        """Where eventd takes nothing the spool does not grow for ever."""
        for number in range(10_000):
            (self.spool / f"{number}-1.json").touch()
        done = self.run_hook()
        self.assertIn("full", done.stderr)
        self.assertEqual(1, len(done.stderr.splitlines()))
        self.assertEqual(10_000, len(os.listdir(self.spool)))

    def test_no_spool(self) -> None:
        """Without a spool directory the operation goes on; one line says it."""
        done = self.run_hook(SNF_SPOOL_DIR=str(self.spool / "none"))
        self.assertEqual(1, len(done.stderr.splitlines()))

    def test_broken_environment(self) -> None:
        """Nor does anything else that is wrong stop the operation."""
        done = self.run_hook(GANETI_INSTANCE_NIC_COUNT="many")
        self.assertEqual(1, len(done.stderr.splitlines()))
        self.assertEqual([], self.left())
