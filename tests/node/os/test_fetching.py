"""Images that come from the cloud's API, over a line that fails."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.node.os.case import (
    GUEST,
    MIB,
    PASSWORD,
    OsTestCase,
    Started,
    packed,
    run,
    tool,
)
from tests.node.os.origin import SIGNATURE, Origin


class FetchTestCase(OsTestCase):
    """A node without a directory of images."""

    def setUp(self) -> None:
        super().setUp()
        self.settings["images"] = {}
        self.origin = Origin()
        self.addCleanup(self.origin.close)

    def offer(self, source: Path, form: str = "raw") -> dict[str, str]:
        """Have the API offer an image; return its OS parameters."""
        parameters = self.image(source, form)
        url = self.origin.serve(f"/node/v1/images/{source.name}", source.read_bytes())
        return {**parameters, "image_url": url}

    def kept(self) -> list[str]:
        """Return what is in the cache."""
        return sorted(path.name for path in self.cache.glob("??/*"))

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + 60
        while not true():
            self.assertLess(time.monotonic(), deadline, "it does not come to that")
            time.sleep(0.002)


class FetchTests(FetchTestCase):
    """What comes, and what holds it up."""

    def test_fetched_once(self) -> None:
        """The second server of an image finds it in the cache."""
        image = self.raw()
        parameters = self.offer(image)
        self.create(**parameters)
        self.assert_written(image)
        self.disk("system", 32 * MIB)
        self.create(**parameters)
        self.assert_written(image)
        self.assertEqual([None], self.origin.ranges)
        self.assertEqual([parameters["image_sha256"]], self.kept())

    def test_progress(self) -> None:
        """The half of the way is fetching, the other one writing."""
        self.create(**self.offer(self.raw(mib=16)))
        told = self.told()
        percents = [one["rprogress"] for one in told if "rprogress" in one]
        self.assertEqual(sorted(set(percents)), percents)
        self.assertTrue(any(0 < percent < 50 for percent in percents), percents)
        self.assertEqual(100, percents[-1])

    def test_resumed(self) -> None:
        """A line that breaks goes on where it was."""
        image = self.raw()
        self.origin.cuts = [3 * MIB, 2 * MIB]
        self.settings["fetch"]["attempts"] = 3
        self.create(**self.offer(image))
        self.assert_written(image)
        first, second, third = self.origin.ranges
        self.assertIsNone(first)
        self.assertRegex(second or "", r"\Abytes=[0-9]+-\Z")
        self.assertLess(second or "", third or "")

    def test_without_ranges(self) -> None:
        """A server that knows no ranges sends all again."""
        image = self.raw()
        self.origin.ignores_ranges = True
        self.origin.cuts = [3 * MIB]
        self.create(**self.offer(image))
        self.assert_written(image)

    def test_busy(self) -> None:
        """What a server cannot do now is asked again."""
        image = self.raw()
        self.origin.statuses = [503, 429]
        self.create(**self.offer(image))
        self.assert_written(image)

    def test_given_up(self) -> None:
        """After so many attempts it is a failure; what came is used another time."""
        image = self.raw()
        self.settings["fetch"]["attempts"] = 1
        self.origin.cuts = [3 * MIB]
        parameters = self.offer(image)
        line = self.refused(**parameters)
        self.assertIn(
            f"the image cannot be had from 127.0.0.1:{self.origin.port}", line
        )
        self.assertIn("the connection ended", line)
        [part] = self.kept()
        self.assertEqual(f"{parameters['image_sha256']}.{8 * MIB}.part", part)
        self.create(**parameters)
        self.assert_written(image)
        self.assertEqual(2, len(self.origin.ranges))
        self.assertIn("bytes=", self.origin.ranges[1] or "")

    def test_refused(self) -> None:
        """What will not get better is not asked again; nothing is left."""
        parameters = self.offer(self.raw())
        for status, words in (
            (403, "the URL is not valid any more"),
            (404, "HTTP 404"),
            (302, "HTTP 302"),
        ):
            self.origin.ranges.clear()
            self.origin.statuses = [status]
            self.assertIn(words, self.refused(**parameters))
            self.assertEqual(1, len(self.origin.ranges))
        self.assertEqual([], self.kept())

    def test_nobody_there(self) -> None:
        """A server that is not there."""
        parameters = self.offer(self.raw())
        self.origin.close()
        self.settings["fetch"]["attempts"] = 2
        self.assertIn("Connection refused", self.refused(**parameters))

    def test_silent(self) -> None:
        """A server that sends no more."""
        self.settings["fetch"] = {"timeout_s": 0.2, "attempts": 1}
        self.origin.held = [MIB]
        self.assertIn("timed out", self.refused(**self.offer(self.raw())))

    def test_another_image(self) -> None:
        """What is not the image is not kept, let alone written."""
        image = self.raw()
        before = self.system.read_bytes()
        parameters = self.offer(image)
        path = f"/node/v1/images/{image.name}"
        whole = image.read_bytes()
        for content in (b"X" + whole[1:], whole[:-1], whole + b"X"):
            self.origin.contents[path] = content
            self.assertIn("the image", self.refused(**parameters))
            self.assertEqual(
                [], [name for name in self.kept() if not name.endswith(".part")]
            )
        self.assertEqual(before, self.system.read_bytes())
        self.origin.contents[path] = whole
        self.create(**parameters)
        self.assert_written(image)

    def test_no_url(self) -> None:
        """Neither a directory nor a URL."""
        self.assertIn(
            "image_url: is missing", self.refused(**self.image(self.raw(), "raw"))
        )

    def test_tls(self) -> None:
        """A certificate counts if the node's file has who signed it, and only then."""
        certificate, key = self.home / "api.pem", self.home / "api.key"
        command = [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        command += ["-subj", "/CN=api.test", "-days", "2"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        run(*command, "-keyout", str(key), "-out", str(certificate))
        self.origin.secure(certificate, key)
        image = self.raw()
        parameters = self.offer(image)
        self.settings["fetch"]["attempts"] = 1
        self.assertIn("its certificate is not valid", self.refused(**parameters))
        self.settings["fetch"]["ca_file"] = str(certificate)
        self.create(**parameters)
        self.assert_written(image)
        elsewhere = {**parameters, "image_url": self.origin.url("/x", "localhost")}
        self.cache.rename(self.home / "old-cache")
        self.assertIn("its certificate is not valid", self.refused(**elsewhere))

    def test_guest_by_url(self) -> None:
        """A reinstalled guest's data come by a URL, which may be no more."""
        image = self.raw()
        parameters = self.offer(image)
        from orjson import dumps

        url = self.origin.serve("/node/v1/guest/1", dumps(GUEST))
        self.create(**parameters, guest_url=url)
        self.assert_written(image)
        self.assertIn(PASSWORD.encode(), self.drive.read_bytes())
        self.origin.statuses = [403]
        line = self.refused(**parameters, guest_url=url)
        self.assertIn("the server's data cannot be had", line)


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
        import fcntl

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
