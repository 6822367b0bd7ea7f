"""Those who put files in their place and those who remove them, at the same time."""

import hashlib
import threading
from typing import Any
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from snf.core.errors import Conflict, SnfError
from snf.core.image import Status, begin_upload
from snf.core.quota import NO_LIMITS, Resource
from snf.images.intake import Job
from snf.storage import images, quotas, uploads
from snf.storage.database import Transaction
from snf.storage.uploads import Upload
from tests.images.test_web import DATA, WebTestCase

SHA256 = hashlib.sha256(DATA).hexdigest()


class RaceTests(WebTestCase):
    """Real transactions in real threads."""

    async def upload(self, job: Job) -> None:
        """Take the data."""
        pieces = [DATA[:1_000_000], DATA[1_000_000:], b""]

        async def read() -> bytes:
            return pieces.pop(0)

        await self.intake.receive(job, read)

    async def in_turn(self, condition: Any) -> None:
        """Return when something is so."""
        while not condition():
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.01, turn.callback, None)  # type: ignore[attr-defined]
            await turn

    async def test_removed_while_put_there(self) -> None:
        """Data that is being removed as nobody's is there when somebody's upload ends."""
        await self.upload(await self.begin())
        await self.database.run(images.remove, self.image.id, self.intake.now)
        removing, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def unlink() -> None:
            removing.set()
            go_on.wait(30)
            self.store.remove(SHA256)

        removal = Deferred.fromCoroutine(
            self.database.run(uploads.forget, SHA256, unlink)
        )
        await self.in_turn(removing.is_set)
        job = await self.begin()
        upload = Deferred.fromCoroutine(self.upload(job))
        await self.in_turn(self.is_waiting)
        self.assertEqual("importing", (await self.look()).status)
        go_on.set()
        self.assertEqual([True, None], await gatherResults([removal, upload]))
        self.assertEqual("active", (await self.look()).status)
        self.assertEqual(DATA, self.store.place(SHA256).read_bytes())

    def is_waiting(self) -> bool:
        """Whether the upload has come in full, so that only its end is left."""
        files = [*self.store.directory.glob("incoming/*")]
        return bool(files) and files[0].stat().st_size == len(DATA)

    async def test_many_of_the_same(self) -> None:
        """The same data many times at once is one file, and counts for each."""
        jobs = [await self.begin() for _ in range(8)]
        await gatherResults([Deferred.fromCoroutine(self.upload(job)) for job in jobs])
        files = [path for path in self.store.directory.rglob("*") if path.is_file()]
        self.assertEqual([self.store.place(SHA256)], files)
        used = await self.database.run(quotas.used, self.project.id)
        self.assertEqual(8 * len(DATA), used[Resource.IMAGE_BYTES])
        self.assertEqual([], await self.database.run(quotas.recount))

    async def test_one_upload(self) -> None:
        """Of many who begin at once, one may."""
        job = await self.begin()
        await self.database.run(uploads.fail, job.upload, "", self.intake.now)
        ends = await gatherResults(
            [Deferred.fromCoroutine(self.try_it()) for _ in range(8)]
        )
        self.assertEqual(1, ends.count(True), ends)

    async def try_it(self) -> bool:
        """Begin an upload, and tell whether that was possible."""

        def begin(txn: Transaction) -> None:
            images.hold(txn, self.image.id)
            begin_upload(images.get(txn, self.project.id, self.image.id), Status.SAVING)
            now = self.intake.now
            new = Upload(uuid4(), self.image.id, "upload", now, now, total=1000)
            uploads.begin(txn, new, Status.SAVING, NO_LIMITS)

        try:
            await self.database.run(begin)
        except Conflict:
            return False
        return True

    async def test_quota_at_once(self) -> None:
        """However many come at once, a project gets no more than it may have."""
        self.intake.limits = NO_LIMITS | {Resource.IMAGE_BYTES: 3 * len(DATA)}
        jobs = [await self.begin() for _ in range(8)]
        ends = await gatherResults(
            [Deferred.fromCoroutine(self.ends_well(job)) for job in jobs]
        )
        used = await self.database.run(quotas.used, self.project.id)
        self.assertEqual(ends.count(True) * len(DATA), used[Resource.IMAGE_BYTES])
        self.assertIn(ends.count(True), (1, 2, 3))
        self.assertEqual([], await self.database.run(quotas.recount))

    async def ends_well(self, job: Job) -> bool:
        """Take the data, and tell whether it was taken."""
        try:
            await self.upload(job)
        except SnfError:
            return False
        return True
