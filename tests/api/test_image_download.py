"""``GET /image/v2/images/{id}/file``, ``/stage`` and ``/import``."""

import hashlib
import os
from typing import Any

from twisted.internet.testing import StringTransport

from snf.core.identity import User
from snf.testing.world import ADMIN, ALICE, BOB
from tests.api.case import Reply
from tests.api.images import DATA, IMAGES, Client, DataTestCase


class Slow(StringTransport):
    """A client's connection that takes nothing more after each piece."""

    def write(self, data: bytes) -> None:
        """Take a piece."""
        super().write(data)
        if self.producer is not None:
            self.producer.pauseProducing()


class DownloadTests(DataTestCase):
    """``GET .../file``."""

    def test_ranges(self) -> None:
        """A part can be had; what makes no sense is the whole, what is not there a 416."""
        image, size = self.full(), len(DATA)
        for wanted, start, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=5-9", 5, 10),
            (f"bytes={size - 3}-", size - 3, size),
            (f"bytes=10-{size * 2}", 10, size),
            ("bytes=-7", size - 7, size),
            ("bytes=500000-800000", 500_000, 800_001),
        ):
            reply = self.fetch(image, Range=wanted)
            self.assertEqual((206, DATA[start:end]), (reply.code, reply.text), wanted)
            said = f"bytes {start}-{end - 1}/{size}"
            self.assertEqual(said, reply.header("Content-Range"))
        for wanted in ("bytes=", "bytes=9-5", "bytes=0-1,5-9", "lines=1-2", "x"):
            reply = self.fetch(image, Range=wanted)
            self.assertEqual((200, DATA), (reply.code, reply.text), wanted)
        for wanted in (f"bytes={size}-", "bytes=-0"):
            self.assertEqual(416, self.fetch(image, Range=wanted).code, wanted)

    def test_head(self) -> None:
        """Who asks for the head alone is told all of it, and nothing is read."""
        image = self.full()
        reads: list[Any] = []
        self.patch(os, "pread", lambda *args: reads.append(args))
        for wanted, code, length in (("", 200, len(DATA)), ("bytes=0-9", 206, 10)):
            headers = {"Range": wanted} if wanted else {}
            path = f"{IMAGES}/{image}/file"
            reply = self.call("HEAD", path, by=ALICE, headers=headers)
            self.assertEqual((code, b""), (reply.code, reply.text))
            self.assertEqual(str(length), reply.header("Content-Length"))
        self.assertEqual([], reads)

    def test_none(self) -> None:
        """Where there is no data there is no content."""
        self.assertEqual(204, self.fetch(self.new()).code)

    def test_deactivated(self) -> None:
        """Only admins have the data of what is deactivated."""
        image = self.full()
        self.call("POST", f"{IMAGES}/{image}/actions/deactivate", by=ALICE)
        self.assertEqual(403, self.fetch(image).code)
        self.assertEqual(DATA, self.fetch(image, ADMIN).text)

    def test_others(self) -> None:
        """Who sees an image has its data; others do not."""
        image = self.full()
        self.assertEqual(404, self.fetch(image, BOB).code)
        self.patch_it(image, ("replace", "/visibility", "community"))
        self.assertEqual(DATA, self.fetch(image, BOB).text)

    def test_slow_client(self) -> None:
        """No more is read than the client takes."""
        image = self.full()
        client = Client(self.site, Slow())
        client.write(
            (
                f"GET {IMAGES}/{image}/file HTTP/1.1\r\n"
                f"X-Auth-Token: {self.token(ALICE)}\r\n\r\n"
            ).encode()
        )
        self.assertLess(len(client.read), len(DATA) // 2)
        while len(client.read) < len(DATA):
            client.connection._channel.resumeProducing()
        self.assertTrue(client.read.endswith(DATA[-1000:]))

    def test_lost(self) -> None:
        """A file that is not there (any more), or has been cut, is a 404."""
        image = self.full()
        path = self.store.place(hashlib.sha256(DATA).hexdigest())
        os.truncate(path, 1000)
        self.assertEqual(404, self.fetch(image).code)
        path.unlink()
        self.assertEqual(404, self.fetch(image).code)


class StageTests(DataTestCase):
    """``PUT .../stage``, and ``glance-direct``."""

    def setUp(self) -> None:
        super().setUp()
        self.image = self.new()

    def start(self, method: Any = "glance-direct", by: User = ALICE) -> Reply:
        """Ask for the import."""
        body = {"method": {"name": method} if isinstance(method, str) else method}
        return self.call("POST", f"{IMAGES}/{self.image}/import", body, by=by)

    def test_journey(self) -> None:
        """What is staged becomes the image's data when it is imported, not before."""
        self.assertEqual(409, self.start().code)
        self.assertEqual(204, self.put(self.image, DATA, where="stage").code)
        self.assertEqual("uploading", self.status(self.image))
        self.assertEqual((204, len(DATA)), (self.fetch(self.image).code, self.used()))
        self.tidy()
        self.assertEqual(202, self.start().code)
        self.assertEqual("active", self.status(self.image))
        self.assertEqual((DATA, len(DATA)), (self.fetch(self.image).text, self.used()))
        [task] = self.call("GET", f"{IMAGES}/{self.image}/tasks", by=ALICE).json[
            "tasks"
        ]
        self.assertEqual(
            ("success", "api_image_import", self.image),
            (task["status"], task["type"], task["image_id"]),
        )
        shown = self.call("GET", f"/image/v2/tasks/{task['id']}", by=ADMIN)
        self.assertEqual(task, shown.json)
        self.assertEqual(409, self.start().code)

    def test_forgotten(self) -> None:
        """What is staged and not imported is removed after a while."""
        self.put(self.image, DATA, where="stage")
        self.tidy(days=1)
        self.assertEqual(
            ("queued", [], 0), (self.status(self.image), self.files(), self.used())
        )
        self.assertEqual(409, self.start().code)

    def test_deleted(self) -> None:
        """What is staged goes with its image."""
        self.put(self.image, DATA, where="stage")
        self.call("DELETE", f"{IMAGES}/{self.image}", by=ALICE)
        self.tidy()
        self.assertEqual(([], 0), (self.files(), self.used()))

    def test_once(self) -> None:
        """While something is staged, nothing else can be uploaded."""
        self.put(self.image, DATA, where="stage")
        for where in ("file", "stage"):
            self.assertEqual(409, self.put(self.image, DATA, where=where).code)

    def test_refused(self) -> None:
        """What is no import is refused."""
        for method, code, named in (
            ("copy-image", 400, "method.name"),
            ({"name": "glance-direct", "uri": "http://x"}, 400, "method.uri"),
            ({"name": "web-download"}, 403, "web-download"),
            ({}, 400, "name"),
        ):
            reply = self.start(method)
            self.assertEqual(code, reply.code, (method, reply.text))
            self.assertIn(named, reply.message)
        self.assertEqual(404, self.start(by=BOB).code)
