"""Resizes that nobody has confirmed in time are confirmed."""

from uuid import uuid4

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from snf.core import steps
from snf.core.errors import Unavailable
from snf.core.server import Action, Status
from snf.logic.rounds import Rounds
from snf.storage import actions, activities, lives, resizes
from snf.storage.activities import Activity
from snf.storage.database import Database, Transaction

_log = Logger()

_INTERVAL_S = 60.0
_BATCH = 100


@define(eq=False)
class Confirmations(Service):
    """Confirms, every minute, resizes that were done ``window_s`` ago; 0 is never.

    In batches, each a transaction of its own.  Several processes may do this: a
    server that one is looking at is passed over by the others.
    """

    clock: IReactorTime
    database: Database
    window_s: int
    _rounds: Rounds = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rounds = Rounds(self.clock, _INTERVAL_S, self._round)

    def startService(self) -> None:
        super().startService()
        if self.window_s:
            self._rounds.start()

    def stopService(self) -> "Deferred[LoopingCall] | None":
        """Fires when the batch under way has been confirmed."""
        super().stopService()
        return self._rounds.stop()

    async def _round(self) -> None:
        before = self.clock.seconds() - self.window_s
        try:
            while self.running:
                confirmed = await self.database.run(confirm, before)
                if confirmed:
                    _log.info("{count} resizes confirmed", count=confirmed)
                if confirmed < _BATCH:
                    return
        except Unavailable as failure:
            _log.warn("no resizes are confirmed: {reason}", reason=str(failure))
        except Exception:
            _log.failure("resizes could not be confirmed")


def confirm(txn: Transaction, before: float) -> int:
    """Confirm some of the resizes that were done before a time; how many."""
    waiting = resizes.waiting(txn, before, _BATCH)
    known = lives.load(txn, waiting)
    after = {
        server: steps.confirm(life)
        for server, life in known.items()
        if life.status is Status.VERIFY_RESIZE and life.task is None
    }
    for server in after:
        uuid, project = waiting[server]
        request_id = f"req-{uuid4()}"
        name = Action.CONFIRM_RESIZE.value
        actions.add(txn, actions.New(server, request_id, name, None, project))
        activities.add(
            txn, Activity(f"server {name}", None, project, uuid, request_id=request_id)
        )
    lives.save(txn, known, after)
    return len(after)
