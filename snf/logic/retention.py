"""What has expired, and what has been kept for long enough, is removed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from snf.core.errors import Unavailable
from snf.logic.rounds import Rounds
from snf.storage import console_tokens, retention, tokens
from snf.storage.database import Database, Transaction

_log = Logger()

_INTERVAL_S = 60.0


@define(eq=False)
class Retention(Service):
    """Removes, every minute, tokens that have expired and what is older than ``days``.

    In batches, each a transaction of its own, so that nobody waits for it for long.
    """

    clock: IReactorTime
    database: Database
    days: int
    _rounds: Rounds = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rounds = Rounds(self.clock, _INTERVAL_S, self._round)

    def startService(self) -> None:
        super().startService()
        self._rounds.start()

    def stopService(self) -> "Deferred[LoopingCall] | None":
        """Fires when the batch under way has been removed."""
        super().stopService()
        return self._rounds.stop()

    async def _round(self) -> None:
        now = datetime.fromtimestamp(self.clock.seconds(), UTC)
        try:
            await self._all(tokens.remove_expired, now)
            await self._all(console_tokens.remove_expired, now)
            await self._all(retention.remove_old, now - timedelta(days=self.days))
        except Unavailable as failure:
            _log.warn("nothing old is removed: {reason}", reason=str(failure))
        except Exception:
            _log.failure("what is old could not be removed")

    async def _all(
        self, remove: Callable[[Transaction, datetime], bool], before: datetime
    ) -> None:
        while self.running and await self.database.run(remove, before):
            pass
