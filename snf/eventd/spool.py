"""Messages of the hook and of the OS definition: taken from their directory, published,
and removed when that is confirmed."""

import heapq
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf.bus.messages import Malformed, parse
from snf.bus.topology import NET, PROGRESS, routing_key
from snf.core.report import DiagnosticReport, NicReport, ProgressReport, Report
from snf.watch import DirectoryWatch

# What may be told by way of files, and where it goes.  Jobs may not: eventd reads them
# itself, on the master.
_KINDS: dict[type[Report], str] = {
    NicReport: NET,
    ProgressReport: PROGRESS,
    DiagnosticReport: PROGRESS,
}

# They are written under another name and renamed: <time in ns>-<pid>.json
_NAME = re.compile(r"[0-9]{1,20}-[0-9]{1,10}\.json")
_LARGEST_BYTES = 1_048_576
_UNCONFIRMED = 200
_FILES_A_TURN = 10
_LOOK_AGAIN_S = 60.0


@define(eq=False)
class Spool(Service):
    """
    Publishes what is in the directory, and what comes, in the order of the names.

    This goes on on every node, master or not: what the hook wrote while the node was
    the master is still to be told, and the OS definition works where instances are.

    :ivar publish: See ``snf.bus.interface.Publisher.publish``.
    """

    _log = Logger()

    reactor: Any
    directory: Path
    prefix: str
    publish: "Callable[[str, bytes], Deferred[None]]"
    _due: list[str] = field(init=False, factory=list)
    _known: set[str] = field(init=False, factory=set)
    _unconfirmed: int = field(init=False, default=0)
    _waiting: "Deferred[None] | None" = field(init=False, default=None)
    _running: "list[Deferred[Any]]" = field(init=False, factory=list)
    _watch: DirectoryWatch = field(init=False)
    _poll: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._watch = DirectoryWatch(
            self.reactor, self.directory, self._arrived, self._look
        )
        self._poll = LoopingCall(self._look)
        self._poll.clock = self.reactor

    def startService(self) -> None:
        super().startService()
        self._watch.startService()
        self._running = [
            self._poll.start(_LOOK_AGAIN_S, now=False),
            Deferred.fromCoroutine(self._work()),
        ]

    def stopService(self) -> "Deferred[Any]":
        super().stopService()
        self._watch.stopService()
        self._poll.stop()
        self._wake()
        return gatherResults(self._running, consumeErrors=True)

    def _arrived(self, name: str) -> None:
        if name not in self._known and _NAME.fullmatch(name):
            self._known.add(name)
            heapq.heappush(self._due, name)
            self._wake()

    def _look(self) -> None:
        # The hook keeps the number of files within bounds, so one go is short.
        try:
            names = os.listdir(self.directory)
        except OSError:
            return  # the watch has said so
        for name in names:
            self._arrived(name)

    async def _work(self) -> None:
        while self.running:
            if not self._due or self._unconfirmed >= _UNCONFIRMED:
                self._waiting = Deferred()
                await self._waiting
            for _ in range(min(_FILES_A_TURN, len(self._due))):
                if self.running and self._unconfirmed < _UNCONFIRMED:
                    self._take(heapq.heappop(self._due))
            await deferLater(self.reactor, 0)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _take(self, name: str) -> None:
        try:
            with open(self.directory / name, "rb") as file:
                body = file.read(_LARGEST_BYTES)
            report = parse(body, self.prefix, self.reactor.seconds())
            if report is not None and type(report) not in _KINDS:
                raise Malformed("type: not one that comes by files")
        except Malformed as problem:
            self._put_aside(name, problem.reason)
        except OSError as problem:
            self._known.discard(name)
            self._log.warn("{name}: {problem}", name=name, problem=problem.strerror)
        else:
            if report is None:
                self._remove(name)
            else:
                self._send(name, _KINDS[type(report)], body)

    def _send(self, name: str, kind: str, body: bytes) -> None:
        self._unconfirmed += 1

        def confirmed(_: object) -> None:
            self._unconfirmed -= 1
            self._remove(name)
            self._wake()

        self.publish(routing_key(self.prefix, kind), body).addCallbacks(
            confirmed, self._unsent
        )

    def _unsent(self, failure: Failure) -> None:
        # The file stays for the next start.
        if not failure.check(CancelledError):
            self._log.failure("a message could not be published", failure=failure)

    def _remove(self, name: str) -> None:
        try:
            os.unlink(self.directory / name)
            self._known.discard(name)
        except OSError as problem:
            # Still known, so that it is not told again and again.
            self._log.error(
                "{name} cannot be removed: {problem}",
                name=name,
                problem=problem.strerror,
            )

    def _put_aside(self, name: str, reason: str) -> None:
        self._log.error("{name} is put aside: {reason}", name=name, reason=reason)
        bad = self.directory / "bad"
        try:
            bad.mkdir(exist_ok=True)
            os.replace(self.directory / name, bad / name)
            self._known.discard(name)
        except OSError as problem:
            self._log.error(
                "{name} cannot be put aside: {problem}",
                name=name,
                problem=problem.strerror,
            )
