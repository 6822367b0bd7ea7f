"""Getting the verdicts on a batch, however often that takes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import random

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from snf.bus.interface import Delivery, Receive, Verdict


def delays(
    first: float, cap: float, jitter: Callable[[], float] = random
) -> Iterator[float]:
    """Yield seconds to wait before each retry: doubled up to ``cap``, spread by half."""
    for attempt in count():
        yield min(cap, first * 2 ** min(attempt, 30)) * (0.5 + jitter() / 2)


class Stopped(Exception):
    """Nobody wants the verdicts any more: the messages were not dealt with."""


@define(eq=False)
class Settler:
    """Hands batches to ``receive`` until it answers."""

    _log = Logger()

    clock: IReactorTime
    receive: Receive
    first_delay_s: float = 0.2
    longest_delay_s: float = 15.0
    _waiting: "Deferred[None] | None" = field(init=False, default=None)

    async def verdicts(
        self, batch: Sequence[Delivery], wanted: Callable[[], bool]
    ) -> Sequence[Verdict]:
        """
        Return one verdict a message.

        While ``receive`` raises the same batch is handed over again, later and later.

        :raises Stopped: It raised, and ``wanted()`` is false or ``stop`` was called.
        """
        for delay in delays(self.first_delay_s, self.longest_delay_s):
            try:
                verdicts = await self.receive(batch)
                if len(verdicts) != len(batch):
                    raise ValueError("there must be one verdict a message")
                return verdicts
            except Exception:
                self._log.failure(
                    "{count} messages could not be dealt with; again in {delay:.1f} s",
                    count=len(batch),
                    delay=delay,
                )
            if not wanted():
                break
            await self._wait(delay)
        raise Stopped

    def stop(self) -> None:
        """Let a batch that waits to be handed over again be given up instead."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def _wait(self, delay: float) -> None:
        self._waiting = deferLater(self.clock, delay)
        try:
            await self._waiting
        except CancelledError:
            raise Stopped from None
        finally:
            self._waiting = None
