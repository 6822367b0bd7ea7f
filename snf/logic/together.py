"""What many ask for at once, done in one go."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

_T = TypeVar("_T")

# How much is done in one go at most.
_AT_MOST = 200


@define(eq=False)
class Together(Generic[_T]):
    """
    Does at once what is asked for when nothing is under way, and what is asked for
    meanwhile in one go after that.

    Who asks waits for it, so that there is never more than there are who ask.

    :param work: Does it for some things; if it fails, it fails for all of them.
    """

    work: Callable[[Sequence[_T]], Awaitable[None]]
    _waiting: "list[tuple[_T, Deferred[None]]]" = field(init=False, factory=list)
    _at_work: bool = field(init=False, default=False)

    async def do(self, thing: _T) -> None:
        """Return when it has been done for one thing."""
        done: Deferred[None] = Deferred()
        self._waiting.append((thing, done))
        if not self._at_work:
            Deferred.fromCoroutine(self._all())
        await done

    async def _all(self) -> None:
        self._at_work = True
        try:
            while self._waiting:
                batch, self._waiting = (
                    self._waiting[:_AT_MOST],
                    self._waiting[_AT_MOST:],
                )
                await self._some(batch)
        finally:
            self._at_work = False

    async def _some(self, batch: "Sequence[tuple[_T, Deferred[None]]]") -> None:
        try:
            await self.work([thing for thing, _ in batch])
        except Exception as failure:
            for _, done in batch:
                done.errback(failure)
        else:
            for _, done in batch:
                done.callback(None)
