"""Writing down what a guest says, without anybody waiting for the disk."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf.serial.log import Log

# What waits for the disk; a guest that says more has to wait.
_WAITING_AT_MOST = 128 * 1024

InThread = Callable[..., Awaitable[Any]]
"""``in_thread(function, *given)``: has a thread do something, and returns what it returns."""


@define(eq=False)
class Recorder:
    """
    Writes into a log, one piece after the other, in a thread.

    :ivar hold: Called when so much waits that no more may come.
    :ivar go_on: Called when more may.
    """

    _log = Logger()

    log: Log
    in_thread: InThread
    hold: Callable[[], None]
    go_on: Callable[[], None]
    _waiting: bytearray = field(init=False, factory=bytearray)
    _held: bool = field(init=False, default=False)
    _failing: bool = field(init=False, default=False)
    _writing: bool = field(init=False, default=False)
    _wait: "list[Deferred[None]]" = field(init=False, factory=list)

    def record(self, said: bytes) -> None:
        """Write down what a guest has said, soon."""
        self._waiting += said
        if len(self._waiting) >= _WAITING_AT_MOST and not self._held:
            self._held = True
            self.hold()
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write()).addErrback(self._broken)

    async def written(self) -> None:
        """Return when all of it is written."""
        if self._writing:
            waiting: Deferred[None] = Deferred()
            self._wait.append(waiting)
            await waiting

    async def _write(self) -> None:
        while self._waiting:
            said, self._waiting = bytes(self._waiting), bytearray()
            try:
                await self.in_thread(self.log.append, said)
            except OSError as problem:
                self._failed(problem)
            else:
                self._failing = False
            if self._held and len(self._waiting) < _WAITING_AT_MOST:
                self._held = False
                self.go_on()
        self._done()

    def _done(self) -> None:
        self._writing = False
        waiting, self._wait = self._wait, []
        for one in waiting:
            one.callback(None)

    def _broken(self, failure: Failure) -> None:
        self._log.failure("{path} is not written", failure, path=self.log.path)
        self._done()

    def _failed(self, problem: OSError) -> None:
        """Say why, once; what a guest has said meanwhile is lost."""
        if not self._failing:
            self._failing = True
            self._log.error(
                "{path} cannot be written: {problem}",
                path=self.log.path,
                problem=problem.strerror,
            )
