"""Images with data, as the all-in-one has them."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.failure import Failure
from snf.allinone.images import (
    NAME,
    Source,
    fetch,
    given,
    have,
    recognized,
    store,
    tiny,
)
from snf.allinone.layout import Layout
from snf.storage import images
from snf.storage.database import connect
from snf.testing.postgres import fresh_dsn


class GivenTests(SynchronousTestCase):
    """``given``: what ``--image`` takes."""

    def test_taken(self):
        """Files and URLs, with a name or called as the file is."""
        path = Path(self.mktemp() + ".raw")
        path.write_bytes(b"x")
        whole = str(path.absolute())
        cases = {
            whole: (path.stem, whole),
            f"mine={path}": ("mine", whole),
            "https://x.example/a/noble-server.img?b=c.raw": (
                "noble-server",
                "https://x.example/a/noble-server.img?b=c.raw",
            ),
            "u 24.04=http://x.example/n.qcow2": ("u 24.04", "http://x.example/n.qcow2"),
        }
        for text, wanted in cases.items():
            found = given(text)
            self.assertEqual(wanted, (found.name, found.where))

    def test_refused(self):
        """Other URLs, and files that are not there, are named."""
        for text in (
            "ftp://x.example/a",
            "x=file:///etc/shadow",
            "/nonexistent",
            "a=/",
        ):
            with self.assertRaisesRegex(Failure, "^--image "):
                given(text)


class RecognizedTests(SynchronousTestCase):
    """``recognized``: formats by how they begin."""

    def test_made(self):
        """What qemu-img makes is what it says."""
        for kind, name in (("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vhdx", "vhdx")):
            path = Path(self.mktemp())
            command = ["qemu-img", "create", "-q", "-f", kind, str(path), "1M"]
            subprocess.run(command, check=True)
            self.assertEqual(name, recognized("x", path.read_bytes()))
        self.assertEqual("raw", recognized("x", bytes(1024)))
        iso = bytes(32_769) + b"CD001"
        self.assertEqual("iso", recognized("x", iso))

    def test_packed(self):
        """What is packed is refused: written to a disk it would not boot."""
        for head in (b"\xfd7zXZ\0abc", b"\x1f\x8b\x08", b"BZh91AY"):
            with self.assertRaisesRegex(Failure, "image web: it is packed"):
                recognized("web", head)


class _Pages(BaseHTTPRequestHandler):
    """Serves one body, and says that it is longer if the path is ``/short``."""

    BODY = b"disk" * 1000

    def do_GET(self):
        more = 10 if self.path == "/short" else 0
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(self.BODY) + more))
        self.end_headers()
        self.wfile.write(self.BODY)

    def log_message(self, format, *args):
        """Say nothing."""


class FetchTests(SynchronousTestCase):
    """``fetch``: into a real store."""

    def setUp(self):
        self.layout = Layout(Path(self.mktemp()).absolute())
        self.store = store(self.layout)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
        Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.root = f"http://127.0.0.1:{server.server_port}"

    def fetch(self, where: str):
        return fetch(self.store, Source("web", where), lambda what: None)

    def kept(self) -> list[Path]:
        return [path for path in self.store.directory.rglob("*") if path.is_file()]

    def test_file_and_url(self):
        """Either way the data is found by its content, and nothing else is left."""
        path = Path(self.mktemp())
        path.write_bytes(_Pages.BODY)
        digest = hashlib.sha256(_Pages.BODY).hexdigest()
        for where in (str(path), f"{self.root}/disk"):
            data, disk_format = self.fetch(where)
            self.assertEqual((digest, "raw"), (data.sha256, disk_format))
            self.assertEqual([self.store.place(digest)], self.kept())
            self.assertEqual(_Pages.BODY, self.kept()[0].read_bytes())

    def test_refused(self):
        """What does not come, comes cut off, or points elsewhere, leaves nothing."""
        evil = Path(self.mktemp() + ".qcow2")
        backing = ["-F", "raw", "-b", "/etc/hostname"]
        command = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", *backing]
        subprocess.run([*command, str(evil), "1M"], check=True)
        for where in (
            f"{self.root}/none",
            f"{self.root}/short",
            "http://127.0.0.1:9/",
            "/nonexistent",
            str(evil),
        ):
            with self.assertRaisesRegex(Failure, "^image web: "):
                self.fetch(where)
            self.assertEqual([], self.kept())


class HaveTests(SynchronousTestCase):
    """``have``, on a real PostgreSQL."""

    def setUp(self):
        self.dsn = fresh_dsn(self)
        self.layout = Layout(Path(self.mktemp()).absolute())
        self.disk = Path(self.mktemp()).absolute()
        self.disk.write_bytes(b"first" * 1000)
        self.said: list[str] = []

    @contextmanager
    def begin(self) -> Iterator:
        connection = connect(self.dsn, None)
        try:
            with connection, connection.cursor() as txn:
                yield txn
        finally:
            connection.close()

    def have(self, source: Source) -> bool:
        return have(self.begin, self.layout, source, self.said.append)

    def known(self):
        with self.begin() as txn:
            return images.listing(txn, None, images.Wanted(), 100)

    def test_once(self):
        """It is there once, public and active, with what its data is."""
        self.assertEqual([True, False], [self.have(tiny(self.disk)) for _ in range(2)])
        [image] = self.known()
        self.assertEqual(
            (NAME, "public", "active", "cyclades+default", None, "root"),
            (
                *(image.name, image.visibility, image.status, image.os, image.project),
                image.properties["USERS"],
            ),
        )
        data = self.disk.read_bytes()
        self.assertEqual(hashlib.sha512(data).hexdigest(), image.hash_value)
        self.assertEqual(hashlib.md5(data).hexdigest(), image.checksum)
        self.assertEqual(len(data), image.size_bytes)
        self.assertEqual(data, store(self.layout).place(image.sha256).read_bytes())

    def test_made_anew(self):
        """A disk that has been made anew is the same image, with other data."""
        self.have(tiny(self.disk))
        [before] = self.known()
        self.disk.write_bytes(b"second" * 1000)
        later = (datetime.now(UTC) + timedelta(seconds=1)).timestamp()
        os.utime(self.disk, (later, later))
        self.assertTrue(self.have(tiny(self.disk)))
        [after] = self.known()
        self.assertEqual(before.id, after.id)
        self.assertEqual(6000, after.size_bytes)
        self.assertNotEqual(before.sha256, after.sha256)

    def test_demo(self):
        """A demo has something in its place, once."""
        self.assertEqual([True, False], [self.have(tiny(None)) for _ in range(2)])
        [image] = self.known()
        self.assertEqual((NAME, "raw"), (image.name, image.disk_format))

    def test_operators(self):
        """One of a name that is there already is not even looked for."""
        self.assertTrue(self.have(Source("web", str(self.disk))))
        self.assertFalse(self.have(Source("web", "http://127.0.0.1:9/")))
        self.assertEqual(1, len(self.known()))

    def test_nothing_stored(self):
        """What cannot be had is no image."""
        with self.assertRaises(Failure):
            self.have(Source("web", "/nonexistent"))
        self.assertEqual([], self.known())
