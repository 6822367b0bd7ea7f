"""Images that come from the cloud's API, over a line that fails."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from tests.node.os.case import (
    GUEST,
    MIB,
    PASSWORD,
    OsTestCase,
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

    def test_no_http(self) -> None:
        """A server that says something else, or nothing."""
        self.settings["fetch"]["attempts"] = 1
        parameters = self.offer(self.raw())
        for said, words in ((b"SSH-2.0-x\r\n", "HTTP"), (b"", "closed connection")):
            with socket.create_server(("127.0.0.1", 0)) as server:
                port = server.getsockname()[1]

                def answer(server: socket.socket = server, said: bytes = said) -> None:
                    asked, _ = server.accept()
                    with asked:
                        asked.recv(65536)
                        asked.sendall(said)

                thread = threading.Thread(target=answer)
                thread.start()
                url = f"http://127.0.0.1:{port}/x?signature={SIGNATURE}"
                self.assertIn(words, self.refused(**{**parameters, "image_url": url}))
                thread.join()

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

        url = self.origin.serve("/node/v1/guest/1", orjson.dumps(GUEST))
        self.create(**parameters, guest_url=url)
        self.assert_written(image)
        self.assertIn(PASSWORD.encode(), self.drive.read_bytes())
        self.origin.statuses = [403]
        line = self.refused(**parameters, guest_url=url)
        self.assertIn("the server's data cannot be had", line)
