"""What is left over is removed: by processes that died, and by images that are gone."""

from datetime import UTC, datetime, timedelta
from functools import partial

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from snf.core.errors import Unavailable
from snf.images.intake import Runs
from snf.images.store import Store
from snf.images.threads import InThread
from snf.storage import snapshots, uploads

_log = Logger()

_INTERVAL_S = 60.0

# Who works at an upload says so every minute at least: a client that sends nothing for
# that long is hung up on.
_SILENT = timedelta(minutes=5)

# Between the file's making and its row's, or its end, there are moments only.
_YOUNG_S = 60.0


@define(eq=False)
class Keeper(Service):
    """
    Ends, every minute, uploads that nobody works at any more, and removes files that
    nobody needs.  Several may do it at once.

    :ivar staged_for: How long what is staged waits to be imported.
    :ivar young_s: Which files of uploads are left alone.
    """

    clock: IReactorTime
    database: Runs
    store: Store
    in_thread: InThread
    staged_for: timedelta = timedelta(days=1)
    young_s: float = _YOUNG_S
    _loop: LoopingCall = field(init=False)
    _ended: "Deferred[LoopingCall] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        self._loop.clock = self.clock

    def startService(self) -> None:
        super().startService()
        self._ended = self._loop.start(_INTERVAL_S)

    def stopService(self) -> "Deferred[LoopingCall] | None":
        """Fires when the round under way has ended."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._ended

    async def _round(self) -> None:
        try:
            await self.tidy()
        except Unavailable as failure:
            _log.warn("no images are tidied up: {reason}", reason=str(failure))
        except Exception:
            _log.failure("images could not be tidied up")

    async def tidy(self) -> None:
        """Put everything in order once."""
        now = datetime.fromtimestamp(self.clock.seconds(), UTC)
        for upload in await self.database.run(
            uploads.abandoned, now - _SILENT, now - self.staged_for, now
        ):
            _log.info("upload {upload} was abandoned", upload=str(upload))
        for order in await self.database.run(snapshots.abandoned, now - _SILENT):
            _log.warn("no node makes the image of order {order}", order=str(order))
        await self._discard_unfinished()
        await self._remove_unused()

    async def _discard_unfinished(self) -> None:
        files = await self.in_thread(self.store.unfinished, self.young_s)
        if not files:
            return
        wanted = await self.database.run(uploads.open_ones, files)
        for upload in files:
            if upload not in wanted:
                await self.in_thread(self.store.discard, upload)
                _log.info("removed what had come of {upload}", upload=str(upload))

    async def _remove_unused(self) -> None:
        kept = await self.in_thread(lambda: list(self.store.kept(0.0)))
        if not kept:
            return
        for sha256 in await self.database.run(uploads.unused, kept):
            unlink = partial(self.store.remove, sha256)
            if await self.database.run(uploads.forget, sha256, unlink):
                _log.info("removed the data {sha256}", sha256=sha256)
