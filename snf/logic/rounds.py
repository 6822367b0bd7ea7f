"""Rounds: something done again and again for as long as a service runs."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall


@define(eq=False)
class Rounds:
    """Calls ``once`` when started, and then every ``interval_s`` seconds.

    Rounds never overlap.  ``once`` deals with its own failures: one that it lets out
    ends the rounds.
    """

    clock: IReactorTime
    interval_s: float
    once: Callable[[], Coroutine[Any, Any, None]]
    _loop: LoopingCall = field(init=False)
    _ended: "Deferred[LoopingCall] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self.once()))
        self._loop.clock = self.clock

    def start(self) -> None:
        """Begin with the first round, at once."""
        self._ended = self._loop.start(self.interval_s)

    def stop(self) -> "Deferred[LoopingCall] | None":
        """Begin no more; fires when the round under way has ended."""
        if self._loop.running:
            self._loop.stop()
        return self._ended
