"""How data comes in, whoever sends it: to the disk, looked at, counted, and made an image's."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from errno import EDQUOT, ENOSPC
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snf.core.errors import (
    BadRequest,
    Gone,
    Interrupted,
    SnfError,
    TooLarge,
    Unavailable,
)
from snf.core.quota import NO_LIMITS, Amounts
from snf.images.inspection import Inspection
from snf.images.receiver import Receiver
from snf.images.store import Store
from snf.images.threads import InThread
from snf.storage import snapshots, uploads
from snf.storage.uploads import Data

_log = Logger()

# How often others are told that somebody works at an upload, and after how many bytes.
_TOLD_EVERY_S = 5.0
_TOLD_EVERY_BYTES = 16 * 1024 * 1024

_SYNCED_EVERY = 32 * 1024 * 1024

_AT_ONCE = 64
_RETRY_AFTER_S = 30

Read = Callable[[], Awaitable[bytes]]


class Runs(Protocol):
    """The database; see :class:`snf.storage.database.Database`."""

    async def run(self, function: Any, *args: Any) -> Any: ...


@frozen
class Sizes:
    """How large things may be, in bytes.

    :ivar data: An image's data.
    :ivar disk: The disk in it.
    """

    data: int = 2**40
    disk: int = 2**41


@frozen
class Job:
    """Data that is to come in.

    :ivar stage: Whether it is only to be kept, until it is imported.
    :ivar order: The one that it is for, where it is a server's disk: its node tries
        again as long as that is open.
    """

    upload: UUID
    disk_format: str
    stage: bool = False
    order: UUID | None = None


@define(eq=False)
class Intake(Service):
    """
    Takes data for images.

    :ivar in_thread: Calls a function that blocks.
    :ivar limits: What a project may have for which an operator has set nothing.
    """

    clock: IReactorTime
    database: Runs
    store: Store
    in_thread: InThread
    sizes: Sizes = Sizes()
    limits: Amounts = NO_LIMITS
    _tasks: "set[Deferred[Any]]" = field(init=False, factory=set)

    def stopService(self) -> "Deferred[Any]":
        """End what is under way; fires when it has been put in order."""
        super().stopService()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        return DeferredList(tasks, consumeErrors=True)

    @property
    def now(self) -> datetime:
        """The time."""
        return datetime.fromtimestamp(self.clock.seconds(), UTC)

    def check_length(self, length: int | None) -> None:
        """
        Return if so much data may come.

        :raises TooLarge: It is more than an image may have.
        :raises Unavailable: Too much comes already.
        """
        if length is not None and length > self.sizes.data:
            raise TooLarge(
                f"The data of an image may have {self.sizes.data} bytes at most"
            )
        if len(self._tasks) >= _AT_ONCE:
            raise Unavailable("Too many images are on their way", _RETRY_AFTER_S)

    async def receive(self, job: Job, read: Read) -> None:
        """
        Take data until there is no more, and make it the image's; no data at all is no
        upload.  It goes on if the caller is cancelled.

        :param read: Returns some more; b"" at the end.
        :raises SnfError: There was something wrong with it; the image waits for another
            upload.
        """
        answer: Deferred[None] = Deferred()
        self.begin(self._receive(job, read)).chainDeferred(answer)
        await answer

    def begin(self, work: Any) -> "Deferred[Any]":
        """Have something done that ends when the service does."""
        task = Deferred.fromCoroutine(work)
        self._tasks.add(task)

        def ended(result: Any) -> Any:
            self._tasks.discard(task)
            return result

        return task.addBoth(ended)

    async def _receive(self, job: Job, read: Read) -> None:
        receiver = None
        try:
            receiver = await self.in_thread(self._open, job)
            await self._all(job, receiver, read)
            if not receiver.received:
                # A client without a terminal sends what it reads there: nothing.
                receiver.close()
                await self.give_up(job, BadRequest("No data was sent."))
                return
            data = await self.in_thread(receiver.finish)
            await self._keep(job, data)
        except Exception as failure:
            if receiver is not None:
                receiver.close()
            refusal = _refusal(job, failure)
            await self.give_up(job, refusal)
            raise refusal from None

    def _open(self, job: Job) -> Receiver:
        path = self.store.incoming(job.upload)
        looked_at = Inspection(job.disk_format, self.sizes.disk, path)
        return Receiver(self.store.begin(job.upload), looked_at)

    async def _all(self, job: Job, receiver: Receiver, read: Read) -> None:
        disk = _Disk(self.in_thread, receiver)
        try:
            await self._written(job, receiver, read, disk)
        finally:
            # Not before may the file be closed.
            await disk.ready()

    async def _written(
        self, job: Job, receiver: Receiver, read: Read, disk: "_Disk"
    ) -> None:
        told_at, told = self.clock.seconds(), 0
        while piece := await read():
            if receiver.received + len(piece) > self.sizes.data:
                raise TooLarge(
                    f"The data of an image may have {self.sizes.data} bytes at most"
                )
            await self.in_thread(receiver.write, piece)
            await disk.keep_up()
            now = self.clock.seconds()
            if (
                receiver.received - told >= _TOLD_EVERY_BYTES
                or now - told_at >= _TOLD_EVERY_S
            ):
                told_at, told = now, receiver.received
                await self.database.run(
                    uploads.progress, job.upload, told, self.now, self.limits
                )

    async def _keep(self, job: Job, data: Data) -> None:
        if job.stage:
            await self.database.run(
                uploads.keep, job.upload, data, self.now, self.limits
            )
            return
        place = partial(self.store.settle, job.upload, data.sha256)
        what = (job.upload, data, self.now, self.limits, place)
        if job.order is None:
            await self.database.run(uploads.succeed, *what)
        else:
            await self.database.run(snapshots.succeed, job.order, *what)
        _log.info("image data {sha256} is there", sha256=data.sha256)

    async def give_up(self, job: Job, why: SnfError) -> None:
        """End an upload of which nothing comes; what fails here, the keeper does later."""
        _log.info("upload {id} has ended: {why}", id=str(job.upload), why=str(why))
        try:
            if job.order is None:
                await self.database.run(uploads.fail, job.upload, str(why), self.now)
            elif not isinstance(why, (Interrupted, Unavailable, Gone)):
                await self.database.run(snapshots.fail, job.order, str(why))
            await self.in_thread(self.store.discard, job.upload)
        except (SnfError, OSError) as failure:
            _log.warn("it is put in order later: {reason}", reason=str(failure))


@define
class _Disk:
    """Has the disk take what has been written, while the next pieces are hashed."""

    in_thread: InThread
    receiver: Receiver
    _work: "Deferred[None] | None" = None

    async def keep_up(self) -> None:
        """Return once not too much is left for it to take."""
        if self.receiver.unsafe >= _SYNCED_EVERY:
            await self.ready()
            self._work = Deferred.fromCoroutine(self._sync())

    async def ready(self) -> None:
        """
        Return once it does nothing any more.

        :raises OSError: It could not take everything.
        """
        if self._work is not None:
            work, self._work = self._work, None
            await work

    async def _sync(self) -> None:
        await self.in_thread(self.receiver.sync)


def _refusal(job: Job, failure: BaseException) -> SnfError:
    """Return what to say of a failure."""
    if isinstance(failure, SnfError):
        return failure
    if isinstance(failure, CancelledError):
        return Unavailable("It was interrupted: the service stops")
    if isinstance(failure, OSError) and failure.errno in (ENOSPC, EDQUOT):
        _log.error("there is no room for the data of images")
        return Unavailable("There is no room for the data of images")
    _log.failure("data of {upload} could not be taken", upload=str(job.upload))
    return Unavailable("The data could not be stored; try again later", _RETRY_AFTER_S)
