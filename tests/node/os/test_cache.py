"""The node's cache: servers at once, crashes in the middle, and the room there is."""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

from tests.node.os.case import GUEST, MIB, PASSWORD, Started, packed, require_root, run
from tests.node.os.origin import SIGNATURE
from tests.node.os.test_fetching import FetchTestCase


class TogetherTests(FetchTestCase):
    """Several servers on a node, and what a crash leaves."""

    def start(self, name: str, parameters: dict[str, str]) -> tuple[Started, Path]:
        disk = self.disk(name, 32 * MIB)
        environment = self.environment(**parameters) | {
            "DISK_COUNT": "1",
            "DISK_0_PATH": str(disk),
        }
        return self.script("create", environment), disk

    def test_fetched_once_for_all(self) -> None:
        """Three servers of one image at once: one of them fetches."""
        image = self.raw()
        parameters = self.offer(image)
        self.origin.held = [3 * MIB]
        first = self.start("a", parameters)
        self.origin.waiting.wait(60)
        others = [self.start(name, parameters) for name in "bc"]
        self.origin.go.set()
        for started, disk in (first, *others):
            self.assertEqual((0, "", ""), started.end())
            self.assert_written(image, disk)
        self.assertEqual([None], self.origin.ranges)

    def test_killed_while_fetching(self) -> None:
        """Whoever comes next, or waits already, goes on with what has come."""
        image = self.raw()
        parameters = self.offer(image)
        self.origin.held = [3 * MIB]
        killed, _ = self.start("a", parameters)
        self.origin.waiting.wait(60)
        waiting, disk = self.start("b", parameters)
        part = self.cache / parameters["image_sha256"][:2]
        self.until(lambda: sum(one.stat().st_size for one in part.iterdir()) >= MIB)
        os.kill(killed.pid, signal.SIGKILL)
        killed.kill()
        self.assertEqual((0, "", ""), waiting.end())
        self.assert_written(image, disk)
        self.assertRegex(self.origin.ranges[1] or "", r"\Abytes=[1-9][0-9]*-\Z")
        self.assertEqual([parameters["image_sha256"]], self.kept())

    def test_spoiled_by_a_crash(self) -> None:
        """A part that is not what the image begins with costs time, no more."""
        image = self.raw()
        parameters = self.offer(image)
        sha256 = parameters["image_sha256"]
        folder = self.cache / sha256[:2]
        folder.mkdir(parents=True)
        for size in (3 * MIB, 8 * MIB, 9 * MIB):
            (folder / f"{sha256}.{8 * MIB}.part").write_bytes(bytes(size))
            self.create(**parameters)
            self.assert_written(image)
            (folder / sha256).unlink()

    def test_killed_while_writing(self) -> None:
        """qemu-img ends with it, has been told no secrets, and the next try is whole."""
        image = self.raw(mib=32)
        slow = self.converted(image, "qcow2", "-c")
        parameters = self.offer(slow, "qcow2") | {"guest": packed(GUEST)}
        started = self.script("create", self.environment(**parameters))
        child = self._stopped(started, b"convert")
        for name in ("cmdline", "environ"):
            shown = Path(f"/proc/{child}/{name}").read_bytes()
            for secret in (SIGNATURE, PASSWORD, packed(GUEST)):
                self.assertNotIn(secret.encode(), shown)
        shown = Path(f"/proc/{started.pid}/cmdline").read_bytes()
        self.assertNotIn(SIGNATURE.encode(), shown)
        started.kill()
        self.until(lambda: not _lives(child))
        self.create(**parameters)
        self.assert_written(image)

    def _stopped(self, started: Started, word: bytes) -> int:
        """Return a child that was stopped while it did something."""
        while True:
            self.assertIsNone(started.process.poll(), "it has ended before that")
            for child in started.children():
                # It may end while it is looked at.
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    shown = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                    if word in shown and shown[0] == b"qemu-img":
                        os.kill(child, signal.SIGSTOP)
                        return child


class RoomTests(FetchTestCase):
    """The cache keeps what was used last, within its limit."""

    def setUp(self) -> None:
        super().setUp()
        self.settings["cache"]["size_bytes"] = 20 * MIB

    def test_oldest_goes(self) -> None:
        """What has not been used for longest makes room."""
        images = [self.offer(self.raw(f"{name}.raw")) for name in "abc"]
        a, b, c = (image["image_sha256"] for image in images)
        self.create(**images[0])
        self.create(**images[1])
        self.create(**images[0])
        self.create(**images[2])
        self.assertEqual(sorted((a, c)), self.kept())
        self.assertNotIn(b, self.kept())

    def test_parts_go(self) -> None:
        """So does what others have begun and left."""
        self.origin.cuts = [MIB]
        self.settings["fetch"]["attempts"] = 1
        self.refused(**self.offer(self.raw("a.raw", 12)))
        parameters = self.offer(self.raw("b.raw", 12))
        self.create(**parameters)
        self.assertEqual([parameters["image_sha256"]], self.kept())

    def test_in_use_stays(self) -> None:
        """An image that somebody reads is not removed; whoever needs its room waits."""
        first = self.offer(self.raw("a.raw", 12))
        self.create(**first)
        sha256 = first["image_sha256"]
        second = self.offer(self.raw("b.raw", 12))

        with (self.cache / sha256[:2] / sha256).open("rb") as used:
            fcntl.flock(used, fcntl.LOCK_SH)
            self.settings["cache"]["wait_s"] = 0.5
            line = self.refused(**second)
            self.assertIn("full of images that are in use", line)
            self.assertEqual([sha256], self.kept())
            self.settings["cache"]["wait_s"] = 60
            waiting = self.script("create", self.environment(**second))
            time.sleep(0.5)
            self.assertEqual([sha256], self.kept())
        self.assertEqual(0, waiting.end()[0])
        self.assertEqual([second["image_sha256"]], self.kept())

    def test_full_file_system(self) -> None:
        """Where other things have taken the room, that is said at once."""
        require_root()
        self.cache.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(self.cache))
        self.addCleanup(run, "umount", str(self.cache))
        small, large = self.offer(self.raw("a.raw", 4)), self.offer(self.raw("b.raw"))
        self.create(**small)
        # It goes to make room, which is enough.
        self.create(**large)
        self.assertEqual([large["image_sha256"]], self.kept())
        for path in self.cache.glob("??/*"):
            path.unlink()
        (self.cache / "other").write_bytes(bytes(8 * MIB))
        line = self.refused(**self.offer(self.raw("c.raw")))
        self.assertIn(f"the node has no room for the {8 * MIB} bytes", line)

    def test_filled_meanwhile(self) -> None:
        """Where they take it while it is fetched, nothing is written to the disk."""
        require_root()
        self.cache.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(self.cache))
        self.addCleanup(run, "umount", str(self.cache))
        image = self.raw()
        parameters = self.offer(image)
        before = self.system.read_bytes()
        self.origin.held = [MIB]
        started = self.script("create", self.environment(**parameters))
        self.origin.waiting.wait(60)
        (self.cache / "other").write_bytes(bytes(4 * MIB))
        self.origin.go.set()
        code, _, err = started.end()
        self.assertEqual((1, 1), (code, len(err.splitlines())))
        self.assertIn("the image cannot be kept: No space left on device", err)
        self.assertEqual(1, len(self.origin.ranges))
        self.assertIn("No space left on device", self.told()[-1]["messages"][0])
        self.assertEqual(before, self.system.read_bytes())
        (self.cache / "other").unlink()
        self.create(**parameters)
        self.assert_written(image)

    def test_larger_than_all(self) -> None:
        """An image that the cache cannot hold is refused before anything is fetched."""
        line = self.refused(**self.offer(self.raw(mib=21)))
        self.assertIn(f"the image has {21 * MIB} bytes", line)
        self.assertEqual([], self.origin.ranges)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
