"""The dispatcher: folds Ganeti's news into the database, a batch at a time."""

from collections.abc import Sequence

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snf.bus.interface import ACK, DeadLetter, Delivery, Verdict
from snf.bus.messages import Malformed, parse
from snf.core import news
from snf.core.errors import Unavailable
from snf.core.report import DiagnosticReport, JobReport, Nic, NicReport, Report
from snf.core.server import Life
from snf.storage import diagnostics, lives, ports
from snf.storage.database import Database, Transaction

_log = Logger()


@define(eq=False)
class Dispatcher:
    """What a bus's consumer hands its batches to."""

    clock: IReactorTime
    database: Database
    prefix: str

    async def receive(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        """
        Fold a batch of messages into the database, and say what became of each.

        :raises Unavailable: The database is away: the batch is to come again.
        """
        parsed = [self._parse(delivery) for delivery in deliveries]
        reports = [one for one in parsed if not isinstance(one, DeadLetter | None)]
        try:
            await self.database.run(fold, reports)
        except (Unavailable, CancelledError):
            raise
        except Exception:
            _log.failure("a batch of {count} messages failed", count=len(reports))
            return [await self._alone(one) for one in parsed]
        return [one if isinstance(one, DeadLetter) else ACK for one in parsed]

    def _parse(self, delivery: Delivery) -> Report | DeadLetter | None:
        try:
            return parse(delivery.body, self.prefix, self.clock.seconds())
        except Malformed as failure:
            _log.warn(
                "malformed message on {queue}: {reason}",
                queue=delivery.queue,
                reason=failure.reason,
            )
            return DeadLetter(failure.reason)

    async def _alone(self, one: Report | DeadLetter | None) -> Verdict:
        """Deal with one message of a batch that failed, so that only it fails."""
        if isinstance(one, DeadLetter):
            return one
        if one is None:
            return ACK
        try:
            await self.database.run(fold, [one])
        except (Unavailable, CancelledError):
            raise
        except Exception as failure:
            _log.failure("a report about server {server} failed", server=one.server)
            return DeadLetter(f"{type(failure).__name__} while it was taken in")
        return ACK


def fold(txn: Transaction, reports: Sequence[Report]) -> None:
    """Fold reports into the lives of their servers; unknown servers do not matter."""
    if not reports:
        return
    before = lives.load(txn, {report.server for report in reports})
    after = dict(before)
    nics: dict[int, tuple[Nic, ...]] = {}
    for report in reports:
        life = after.get(report.server)
        if life is None:
            continue
        after[report.server] = _folded(life, report)
        if isinstance(report, NicReport):
            nics[report.server] = nics.get(report.server, ()) + report.nics
    ports.seen(txn, nics)
    told = [one for one in reports if isinstance(one, DiagnosticReport)]
    diagnostics.add(txn, [one for one in told if one.server in before])
    lives.save(txn, before, after)


def _folded(life: Life, report: Report) -> Life:
    if isinstance(report, JobReport):
        return news.fold(life, report)
    if isinstance(report, NicReport | DiagnosticReport):
        return life
    return news.progress(life, report)
