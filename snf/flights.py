"""Work that many want at the same time, done once."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

_T = TypeVar("_T")


@define(eq=False)
class Flights(Generic[_T]):
    """What is under way, by key; who gives up waiting takes it from nobody else."""

    _waiting: "dict[bytes, list[Deferred[_T]]]" = field(init=False, factory=dict)

    async def join(self, key: bytes, begin: Callable[[], Awaitable[_T]]) -> _T:
        """Return what comes of the work of a key, which is begun if it is not under way."""
        mine: Deferred[_T] = Deferred()
        if key in self._waiting:
            self._waiting[key].append(mine)
        else:
            self._waiting[key] = [mine]
            work = Deferred.fromCoroutine(_awaited(begin))
            work.addBoth(self._landed, key)
        return await mine

    def _landed(self, result: Any, key: bytes) -> None:
        for one in self._waiting.pop(key):
            one.callback(result)


async def _awaited(begin: Callable[[], Awaitable[_T]]) -> _T:
    return await begin()
