"""Images on bad days: full disks, lost databases, processes that die at any point."""

import errno
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from snf.core.errors import Unavailable
from snf.images.store import Store
from snf.storage import retention, uploads
from snf.testing.world import ALICE, PROJECT_A
from tests.api.images import DATA, IMAGES, Client, DataTestCase

SHA256 = hashlib.sha256(DATA).hexdigest()


class FullStore(Store):
    """A disk on which there is no room."""

    def begin(self, upload: UUID) -> Any:
        """Return a file that the kernel refuses to write."""
        super().begin(upload).close()
        return open("/dev/full", "wb", buffering=0)


class DyingStore(Store):
    """A disk that goes away when a file is to be renamed."""

    def settle(self, upload: UUID, sha256: str) -> None:
        """Fail."""
        raise OSError(errno.EIO, "the disk is gone")


class LateStore(Store):
    """A file is renamed; then whoever did that fails."""

    def settle(self, upload: UUID, sha256: str) -> None:
        """Rename, and fail."""
        super().settle(upload, sha256)
        raise Unavailable("the database has gone")


class StoreTests(DataTestCase):
    """Disks."""

    def on(self, kind: type[Store]) -> str:
        """Return a new image, on another disk."""
        self.store = kind(self.store.directory)
        self.site = self.new_site()
        return self.new()

    def assert_as_before(self, image: str) -> None:
        """The image waits for data, and nothing is left or counted."""
        left = [*self.store.directory.glob("incoming/*")]
        self.assertEqual(("queued", [], 0), (self.status(image), left, self.used()))

    def test_full(self) -> None:
        """A disk without room is a 503 that says so."""
        image = self.on(FullStore)
        reply = self.put(image, DATA)
        self.assertEqual(503, reply.code)
        self.assertIn("no room", reply.message)
        self.assert_as_before(image)

    def test_directory_missing(self) -> None:
        """A directory that cannot be is a 503, and is tried again the next time."""
        file = Path(self.mktemp()).absolute()
        file.write_bytes(b"")
        self.store = Store(file)
        self.site = self.new_site()
        image = self.new()
        self.assertEqual(503, self.put(image, DATA).code)
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
        self.assert_as_before(image)
        file.unlink()
        self.assertEqual(204, self.put(image, DATA).code)

    def test_dies_before_the_rename(self) -> None:
        """Data that cannot be put in its place is nobody's."""
        image = self.on(DyingStore)
        self.assertEqual(503, self.put(image, DATA).code)
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
        self.assert_as_before(image)
        self.assertEqual([], self.files())

    def test_dies_after_the_rename(self) -> None:
        """Data in its place that no image has is removed; another try succeeds."""
        image = self.on(LateStore)
        self.assertEqual(503, self.put(image, DATA).code)
        self.assert_as_before(image)
        self.assertEqual([SHA256], self.files())
        self.tidy()
        self.assertEqual([], self.files())
        self.store = Store(self.store.directory)
        self.site = self.new_site()
        self.assertEqual(204, self.put(image, DATA).code)
        self.assertEqual(DATA, self.fetch(image).text)

    def test_settled_twice(self) -> None:
        """A transaction that is done again finds the file where it is."""
        upload = uuid4()
        with self.store.begin(upload) as file:
            file.write(b"x")
        for _ in range(2):
            self.store.settle(upload, "ab" * 32)
        self.assertEqual(b"x", self.store.place("ab" * 32).read_bytes())
        self.assertRaises(FileNotFoundError, self.store.settle, uuid4(), "cd" * 32)


class KeeperTests(DataTestCase):
    """What is removed, and what is not."""

    def test_strangers(self) -> None:
        """Files that are not ours are left alone."""
        self.full()
        names = ("incoming/README", "lost+found/x", "ab/readme", "note")
        for name in names:
            path = self.store.directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
        self.tidy(days=2)
        for name in names:
            self.assertTrue((self.store.directory / name).exists(), name)
        self.assertIn(SHA256, self.files())

    def test_left_over(self) -> None:
        """What came for an upload of which nobody knows is removed."""
        self.store.begin(uuid4()).close()
        self.tidy()
        self.assertEqual([], self.files())

    def test_under_way(self) -> None:
        """What comes at this moment is left alone."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, f"Content-Length: {len(DATA)}") + DATA[:300_000])
        self.tidy()
        client.write(DATA[300_000:])
        self.assertIn(b"HTTP/1.1 204", client.read)
        self.assertEqual(DATA, self.fetch(image).text)

    def test_server_is_made(self) -> None:
        """The data of a deleted image stays while a server is being made from it."""
        image = self.full()
        server = self.create(imageRef=image).json
        self.assertIn("server", server)
        self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
        self.tidy()
        self.assertEqual([SHA256], self.files())
        self.sql("UPDATE orders SET state = 'done', ended = now()")
        self.tidy()
        self.assertEqual([], self.files())

    def test_being_put_there(self) -> None:
        """What somebody is making an image's is not removed by one who finds it nobody's."""
        image = self.full()
        removed: list[str] = []
        found = self.run_in(uploads.forget, SHA256, lambda: removed.append(SHA256))
        self.assertEqual((False, []), (found, removed))
        self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
        found = self.run_in(uploads.forget, SHA256, lambda: removed.append(SHA256))
        self.assertEqual((True, [SHA256]), (found, removed))

    def test_old_rows(self) -> None:
        """Deleted images are forgotten in the end, unless there are servers of them."""
        used, unused = self.full(), self.full()
        self.create(imageRef=used)
        for image in (used, unused):
            self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
        long_after = datetime.fromtimestamp(self.clock.seconds(), UTC) + timedelta(
            days=1
        )
        while self.run_in(retention.remove_old, long_after):
            pass
        rows = self.sql("SELECT id FROM image WHERE project_id = %s", PROJECT_A.id)
        self.assertEqual([(UUID(used),)], rows)


class PermissionTests(DataTestCase):
    """Who may read the files."""

    def test_modes(self) -> None:
        """Not everybody on the host."""
        self.full()
        for path in (self.store.place(SHA256), self.store.place(SHA256).parent):
            self.assertEqual(0, os.stat(path).st_mode & 0o007, path)

    def test_links(self) -> None:
        """A link that somebody has put where an upload would be is not followed."""
        upload = uuid4()
        path = self.store.incoming(upload)
        path.parent.mkdir(parents=True)
        path.symlink_to("/dev/null")
        self.assertRaises(OSError, self.store.begin, upload)


class DatabaseTests(DataTestCase):
    """A database that does not answer in between."""

    def test_lost_while_it_comes(self) -> None:
        """What cannot be noted is refused, and put in order by the keeper."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, f"Content-Length: {len(DATA)}") + DATA[:300_000])
        kept = type(self.database).run

        async def gone(*args: Any) -> Any:
            raise Unavailable("The database does not answer")

        patch = self.patch(type(self.database), "run", gone)
        client.write(DATA[300_000:])
        patch.restore()
        self.assertIs(kept, type(self.database).run)
        self.assertIn(b"HTTP/1.1 503", client.read)
        self.assertEqual("saving", self.status(image))
        self.tidy(days=1)
        self.assertEqual(
            ("queued", [], 0), (self.status(image), self.files(), self.used())
        )
