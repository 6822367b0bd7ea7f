"""Ganeti's job queue: each change of a job file becomes messages.

Ganeti replaces a job's file, by rename, whenever something happens to the job, and
moves it into ``archive/<N div 10000>/`` some time after its end (lib/jqueue).  Nothing
is told twice on purpose, but after a start, or when changes may have been missed, all
that changed since the mark is told again: an event may come late or twice, not never.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf.eventd.job import Unreadable, messages
from snf.eventd.mark import MarkFile
from snf.eventd.master import Master
from snf.eventd.scan import jobs_changed_since
from snf.watch import DirectoryWatch

_JOB = re.compile(r"job-([0-9]{1,18})")

# A change is found again if its file is younger than the mark minus this: it covers
# the time from the writing of a file to its rename, and from there to our noticing.
_SLACK_S = 60.0
# A node that is not the master does not know what the master has told.  It takes over
# from at most so long ago.
_STANDBY_S = 86_400.0
_TICK_S = 1.0

_STEPS_A_TURN = 20
_UNCONFIRMED = 1000
_MOST_CHANGED = 50_000
_ATTEMPTS = 6
_FIRST_RETRY_S = 0.05


@define(eq=False)
class _Trouble:
    """A file that could not be read: how often, since when, and when next."""

    attempts: int
    since: float
    call: IDelayedCall | None = None


@frozen
class Source:
    """Where the queue is, how far it was told, and whether that is our task."""

    directory: Path
    mark: MarkFile
    master: Master
    prefix: str


@define(eq=False)
class JobQueue(Service):
    """
    Publishes what happens to jobs while it runs and this node is the master.

    :ivar publish: See ``snf.bus.interface.Publisher.publish``.
    """

    _log = Logger()

    reactor: Any
    source: Source
    publish: "Callable[[str, bytes], Deferred[None]]"
    # Jobs to read, with the time since when; of a job that changes again meanwhile
    # the newest content is read once.
    _changed: dict[int, float] = field(init=False, factory=dict)
    _scan: Any = field(init=False, default=None)
    _scan_since: float = field(init=False, default=0.0)
    _scan_begun: float = field(init=False, default=0.0)
    # Jobs whose messages are on their way, with the time since when.
    _unconfirmed: dict[object, float] = field(init=False, factory=dict)
    _troubles: dict[int, _Trouble] = field(init=False, factory=dict)
    _through: float = field(init=False, default=0.0)
    _written: float = field(init=False, default=0.0)
    _said: str | None = field(init=False, default=None)
    _was_master: bool = field(init=False, default=False)
    _waiting: "Deferred[None] | None" = field(init=False, default=None)
    _running: "list[Deferred[Any]]" = field(init=False, factory=list)
    _watch: DirectoryWatch = field(init=False)
    _tick: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._watch = DirectoryWatch(
            self.reactor, self.source.directory, self._arrived, self._missed
        )
        self._tick = LoopingCall(self._ticked)
        self._tick.clock = self.reactor

    def startService(self) -> None:
        super().startService()
        now = self.reactor.seconds()
        mark = self.source.mark.read()
        if mark is None or mark > now:
            mark = now - _STANDBY_S
        self._through = self._written = mark
        self._watch.startService()
        self._running = [
            self._tick.start(_TICK_S),
            Deferred.fromCoroutine(self._work()),
        ]

    def stopService(self) -> "Deferred[Any]":
        super().stopService()
        self._watch.stopService()
        self._tick.stop()
        self._wake()
        return Deferred.fromCoroutine(self._ended())

    async def _ended(self) -> None:
        await gatherResults(self._running, consumeErrors=True)
        for job in list(self._troubles):
            self._forget_trouble(job)

    # What is to be read

    def _arrived(self, name: str) -> None:
        match = _JOB.fullmatch(name)
        if match and self._was_master:
            self._changed.setdefault(int(match[1]), self.reactor.seconds())
            if len(self._changed) > _MOST_CHANGED:
                self._missed()
            self._wake()

    def _missed(self) -> None:
        """Look at everything since the mark, in place of what is known to be due."""
        if not self._was_master:
            return
        self._scan_since = self._mark()
        self._scan_begun = self.reactor.seconds()
        self._changed.clear()
        self._log.info(
            "looking for jobs that changed in the last {seconds:.0f} s",
            seconds=self._scan_begun - self._scan_since,
        )
        self._scan = jobs_changed_since(
            self.source.directory, self._scan_since - _SLACK_S
        )
        self._wake()

    def _check_master(self) -> bool:
        here = self.source.master.refresh()
        if here != self._was_master:
            self._was_master = here
            if here:
                self._missed()
            else:
                self._changed.clear()
                self._scan = None
                for job in list(self._troubles):
                    self._forget_trouble(job)
        return here

    def _mark(self) -> float:
        """Return the time up to which all changes are confirmed."""
        due = [*self._changed.values(), *self._unconfirmed.values()]
        due += [trouble.since for trouble in self._troubles.values()]
        if self._scan is not None:
            due.append(self._scan_since)
        return min(due, default=self._through)

    # Reading it

    async def _work(self) -> None:
        while self.running:
            if not self._ready():
                self._waiting = Deferred()
                await self._waiting
            try:
                if self._check_master():
                    self._turn()
            except Exception:
                self._log.failure("the job queue could not be read")
                await deferLater(self.reactor, _TICK_S)
            await deferLater(self.reactor, 0)

    def _ready(self) -> bool:
        due = bool(self._changed) or self._scan is not None
        return due and len(self._unconfirmed) < _UNCONFIRMED

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _turn(self) -> None:
        """Do as much as takes a few milliseconds."""
        steps = 0
        while self.running and steps < _STEPS_A_TURN and self._ready():
            # What happens now is more urgent than what happened while we were away.
            if self._changed:
                job = next(iter(self._changed))
                steps += 1 + self._tell(job, self._changed.pop(job))
            else:
                steps += self._look()

    def _look(self) -> int:
        """Go one step further in the scan; return what that cost."""
        found = next(self._scan, False)
        if found is False:
            self._scan = None
            self._through = self._scan_begun
        elif found is not None:
            return 1 + self._tell(found, self._scan_since)
        return 1

    def _tell(self, job: int, since: float) -> int:
        """Publish the state of a job; return the number of its messages."""
        try:
            content = self._read(job)
            news = (
                messages(job, content, self.source.master.cluster, self.source.prefix)
                if content is not None
                else []
            )
        except (OSError, Unreadable) as problem:
            self._retry(job, since, problem)
            return 0
        self._forget_trouble(job)
        if news:
            self._send(news, since)
        return len(news)

    def _read(self, job: int) -> bytes | None:
        """Return a job's file, archived or not; None when there is none any more."""
        name = f"job-{job}"
        for place in (name, f"archive/{job // 10_000}/{name}"):
            try:
                with open(f"{self.source.directory}/{place}", "rb", 0) as file:
                    return file.read()
            except FileNotFoundError:
                continue
        return None

    def _send(self, news: list[tuple[str, bytes]], since: float) -> None:
        token = object()
        left = len(news)
        self._unconfirmed[token] = since

        def confirmed(_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                del self._unconfirmed[token]
                if since != self._scan_since:
                    self._through = since
                self._wake()

        for key, body in news:
            self.publish(key, body).addCallbacks(confirmed, self._unsent)

    def _unsent(self, failure: Failure) -> None:
        # It stays unconfirmed, and so the mark before it: the next start tells it.
        if not failure.check(CancelledError):
            self._log.failure("a message could not be published", failure=failure)

    # What cannot be read

    def _retry(self, job: int, since: float, problem: Exception) -> None:
        trouble = self._troubles.setdefault(job, _Trouble(0, since))
        trouble.attempts += 1
        if trouble.attempts == 1:
            self._log.warn("job {job}: {problem}", job=job, problem=str(problem))
        if trouble.attempts >= _ATTEMPTS:
            del self._troubles[job]
            self._log.error("job {job} is skipped: unreadable", job=job)
            return
        delay = _FIRST_RETRY_S * 2**trouble.attempts
        trouble.call = self.reactor.callLater(delay, self._again, job, trouble)

    def _again(self, job: int, trouble: _Trouble) -> None:
        if self._was_master:
            self._changed.setdefault(job, trouble.since)
            self._wake()

    def _forget_trouble(self, job: int) -> None:
        trouble = self._troubles.pop(job, None)
        if trouble and trouble.call and trouble.call.active():
            trouble.call.cancel()

    # How far it was told

    async def _tick_once(self) -> None:
        if not self._check_master():
            self._through = max(self._through, self.reactor.seconds() - _STANDBY_S)
        mark = self._mark()
        if mark != self._written:
            pool = self.reactor.getThreadPool()
            await deferToThreadPool(self.reactor, pool, self.source.mark.write, mark)
            self._written, self._said = mark, None

    def _ticked(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._tick_once()).addErrback(self._unwritten)

    def _unwritten(self, failure: Failure) -> None:
        problem = failure.getErrorMessage()
        if problem != self._said:
            self._said = problem
            self._log.error("the mark cannot be written: {problem}", problem=problem)
