"""``snf-image-hook``: an instance's disk becomes an image, at one moment."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.trial.unittest import SkipTest

from tests.node.os.case import MIB, PROGRAM, ROOT, OsTestCase, run
from tests.node.os.cloud import Qemu, Receiver

HOOK = ROOT / "ganeti" / "hooks" / "snf-image-hook"
SIGNATURE = "5e" * 32
SIZE = 48 * MIB
_LARGE = 192 * MIB


class CaptureTestCase(OsTestCase):
    """A node with an instance, and a cloud."""

    def setUp(self) -> None:
        super().setUp()
        if shutil.which("qemu-system-x86_64") is None:
            raise SkipTest("QEMU is not installed: run ./cloud test")
        self.order = str(uuid4())
        self.cloud = Receiver()
        self.addCleanup(self.cloud.close)
        self.addCleanup(self.end_workers)
        self.scratch = self.home / "scratch"
        # Short, for the sockets' sake.
        self.monitors = Path(run("mktemp", "-d", "/tmp/snf-XXXXXX").strip())
        self.addCleanup(shutil.rmtree, self.monitors)
        self.settings["capture"] = {
            "directory": str(self.scratch),
            "spare_bytes": 1,
            "monitors": str(self.monitors),
        }
        self.settings["fetch"] = {"timeout_s": 5.0, "attempts": 3}
        self.content = random.Random(7).randbytes(SIZE // 2) + bytes(SIZE // 2)
        self.disk_ = self.home / "instance"
        self.disk_.write_bytes(self.content)

    def running(self) -> Qemu:
        """Return the guest, which runs from now on."""
        qemu = Qemu(self.monitors, "snf-42", self.disk_)
        self.addCleanup(qemu.kill)
        return qemu

    def hook(self, running: bool = True, **more: str) -> tuple[int, str]:
        """Return how the hook ends, and what it says."""
        tags = (
            "other:tag",
            f"cyclades:image:{self.order}:1795000000:{SIGNATURE}",
            f"cyclades:image-at:{self.cloud.url}",
        )
        environment = {
            "PATH": os.environ["PATH"],
            "SNF_OS": str(PROGRAM),
            "SNF_OS_CONFIG": self.environment()["SNF_OS_CONFIG"],
            "GANETI_HOOKS_PHASE": "pre",
            "GANETI_INSTANCE_NAME": "snf-42",
            "GANETI_INSTANCE_PRIMARY": socket.gethostname(),
            "GANETI_INSTANCE_STATUS": "up" if running else "down",
            "GANETI_INSTANCE_HYPERVISOR": "kvm",
            "GANETI_INSTANCE_DISK_TEMPLATE": "file",
            "GANETI_INSTANCE_DISK0_ID": str(self.disk_),
            "GANETI_INSTANCE_TAGS": " ".join(tags),
            **more,
        }
        ended = subprocess.run(
            [str(HOOK)], env=environment, capture_output=True, text=True, timeout=60
        )
        self.assertEqual("", ended.stdout)
        self.assertNotIn(SIGNATURE, ended.stderr)
        return ended.returncode, ended.stderr

    def until(self, happened: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if answer := happened():
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{what}: it has not happened: {self.cloud.reports}")

    def workers(self) -> list[int]:
        """Return the processes that make images here."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environment = (path / "environ").read_bytes()
                line = (path / "cmdline").read_bytes()
            except OSError:
                continue
            ours = str(self.home).encode()
            if b"capturing" in line and ours in environment:
                found.append(int(path.name))
        return found

    def end_workers(self) -> None:
        """Leave none behind, if a test has failed."""
        for worker in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, 9)

    def image(self) -> bytes:
        """Return the disk that was brought."""
        self.until(lambda: self.cloud.brought and not self.workers(), "brought")
        path = self.home / "brought.qcow2"
        path.write_bytes(self.cloud.brought[-1])
        run("qemu-img", "check", "-q", str(path))
        raw = self.home / "brought.raw"
        run("qemu-img", "convert", "-O", "raw", str(path), str(raw))
        return raw.read_bytes()

    def assert_nothing_left(self) -> None:
        """Neither processes nor files."""
        self.until(lambda: not self.workers(), "ended")
        self.assertEqual([], [*self.scratch.iterdir()])


class RunningTests(CaptureTestCase):
    """The disk of a guest that runs."""

    def test_moment(self) -> None:
        """The image is as the disk was when it began, whatever is written then."""
        qemu = self.running()
        self.assertEqual((0, ""), self.hook())
        for at in range(0, SIZE, 4 * MIB):
            qemu.write(0x55, at, MIB)
        self.assertTrue(self.image() == self.content, "it is of another moment")
        self.assertEqual([], qemu.jobs())
        self.assert_nothing_left()
        self.assertLess(len(self.cloud.brought[-1]), SIZE * 3 // 4)
        [path] = self.cloud.paths
        self.assertEqual(
            f"/node/v1/snapshots/{self.order}?expires=1795000000&signature={SIGNATURE}",
            path,
        )
        self.assertEqual({"percent": 0}, self.cloud.reports[0])
        self.assertEqual([], self.cloud.errors)

    def test_looked_at_twice(self) -> None:
        """Another change of the instance meanwhile does not begin a second image."""
        qemu = self.large()
        job = self.slow(qemu)
        self.assertEqual((0, ""), self.hook())
        self.until(lambda: len(self.workers()) == 1, "the second one ends")
        qemu.ask("block-job-set-speed", device=job, speed=0)
        self.assertTrue(self.image() == self.content)
        self.assertEqual((1, []), (len(self.cloud.brought), self.cloud.errors))

    def large(self) -> Qemu:
        """Return the guest, whose disk takes longer to copy than to ask for slowness."""
        self.content = os.urandom(_LARGE)
        self.disk_.write_bytes(self.content)
        return self.running()

    def slow(self, qemu: Qemu) -> str:
        """Have an image begun, and be slow; return the job."""
        self.assertEqual((0, ""), self.hook())
        [job] = qemu.jobs()
        qemu.ask("block-job-set-speed", device=job["id"], speed=65536)
        return job["id"]

    def test_stopped_meanwhile(self) -> None:
        """A guest that ends while its disk is copied makes no image, and that is said."""
        qemu = self.large()
        self.slow(qemu)
        qemu.kill()
        [error] = self.until(lambda: self.cloud.errors, "told")
        self.assertIn("stopped", error)
        self.assert_nothing_left()
        self.assertEqual(0, len(self.cloud.brought))

    def test_not_wanted_any_more(self) -> None:
        """When the cloud wants none any more the copying ends at once."""
        qemu = self.large()
        self.slow(qemu)
        self.cloud.statuses["POST"] = [410]
        self.assert_nothing_left()
        self.assertEqual([], qemu.jobs())
        self.assertEqual(0, len(self.cloud.brought))
        self.assertEqual([], self.cloud.errors)

    def test_killed(self) -> None:
        """Of a process that is killed nothing stays, and the next one gets its image."""
        qemu = self.large()
        job = self.slow(qemu)
        [worker] = self.workers()
        os.kill(worker, 9)
        self.assert_nothing_left()
        code, said = self.hook()
        self.assertEqual(1, code)
        self.assertIn("another image is being made", said)
        qemu.ask("job-cancel", id=job)
        self.until(lambda: qemu.jobs()[0]["status"] == "concluded", "canceled")
        self.assertEqual((0, ""), self.hook())
        self.assertTrue(self.image() == self.content)
        self.assertEqual([], qemu.jobs())

    def test_no_room(self) -> None:
        """Where there is no room on the node, that is said."""
        qemu = self.large()
        self.settings["capture"]["spare_bytes"] = 2**60
        self.slow(qemu)
        [error] = self.until(lambda: self.cloud.errors, "told")
        self.assertIn("no room", error)
        self.assert_nothing_left()
        self.assertEqual([], qemu.jobs())

    def test_again(self) -> None:
        """What the cloud cannot take just now is sent again, whole."""
        self.running()
        self.cloud.statuses["PUT"] = [503, 500]
        self.assertEqual((0, ""), self.hook())
        self.until(lambda: len(self.cloud.brought) == 3, "sent again")
        self.assertTrue(self.image() == self.content)
        self.assertEqual(1, len(set(self.cloud.brought)))

    def test_away(self) -> None:
        """A cloud that is away for a moment when it begins is waited for."""
        self.running()
        self.cloud.statuses["POST"] = [503, 502]
        self.assertEqual((0, ""), self.hook())
        self.assertTrue(self.image() == self.content)

    def test_refused(self) -> None:
        """What the cloud refuses is not sent again, nor told: the cloud knows."""
        self.running()
        self.cloud.statuses["PUT"] = [400]
        self.assertEqual((0, ""), self.hook())
        self.until(lambda: self.cloud.brought, "sent")
        self.assert_nothing_left()
        self.assertEqual((1, []), (len(self.cloud.brought), self.cloud.errors))


class StoppedTests(CaptureTestCase):
    """The disk of an instance that does not run."""

    def test_copied(self) -> None:
        """It is the image."""
        self.assertEqual((0, ""), self.hook(running=False))
        self.assertTrue(self.image() == self.content)
        self.assert_nothing_left()
        self.assertEqual([], self.cloud.errors)

    def test_unknown_place(self) -> None:
        """A disk that is nowhere while its instance is off is told of."""
        code, said = self.hook(
            running=False,
            GANETI_INSTANCE_DISK_TEMPLATE="drbd",
            GANETI_INSTANCE_DISK0_ID="",
        )
        self.assertEqual(1, code)
        self.assertIn("drbd", said)
        [error] = self.cloud.errors
        self.assertIn("start it first", error)
        self.assert_nothing_left()

    def test_other_hypervisor(self) -> None:
        """A guest whose hypervisor has no such copies is left alone."""
        code, _ = self.hook(GANETI_INSTANCE_HYPERVISOR="xen-pvm")
        self.assertEqual(1, code)
        [error] = self.cloud.errors
        self.assertIn("xen-pvm", error)

    def test_no_disk(self) -> None:
        """A disk that is missing is told of, without the node's paths."""
        self.disk_.unlink()
        code, _ = self.hook(running=False)
        self.assertEqual(1, code)
        [error] = self.cloud.errors
        self.assertNotIn(str(self.home), error)


class NothingTests(CaptureTestCase):
    """When there is nothing to do."""

    def assert_nothing(self, **more: str) -> None:
        self.assertEqual((0, ""), self.hook(running=False, **more))
        self.assert_silent()

    def assert_silent(self) -> None:
        self.until(lambda: not self.workers(), "ended")
        self.assertEqual(0, len(self.cloud.brought))

    def test_no_tags(self) -> None:
        """A change of any other instance asks nobody."""
        for tags in (
            "",
            "a b",
            f"cyclades:image-at:{self.cloud.url}",
            "cyclades:image:x",
        ):
            self.assert_nothing(GANETI_INSTANCE_TAGS=tags)
        self.assertEqual([], self.cloud.reports)

    def test_other_node(self) -> None:
        """Nor does the master, where the hook runs too."""
        self.assert_nothing(GANETI_INSTANCE_PRIMARY="node9.elsewhere.test")
        self.assertEqual([], self.cloud.reports)

    def test_old_tags(self) -> None:
        """Tags of an order that has ended are nothing to the instance."""
        for status in (403, 410):
            self.cloud.statuses["POST"] = [status]
            self.assert_nothing()

    def test_no_cloud(self) -> None:
        """Where the cloud cannot be reached the job fails, and says so."""
        self.cloud.close()
        code, said = self.hook(running=False)
        self.assertEqual(1, code)
        self.assertIn("cannot be told", said)
        self.assertNotIn("Traceback", said)
        self.cloud = Receiver()
