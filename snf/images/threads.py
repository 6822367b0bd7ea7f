"""Threads for what reads, writes and hashes files, so that nothing else waits for it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from snf.core.errors import Unavailable

_R = TypeVar("_R")

_THREADS = 4
_WAITING_AT_MOST = 1000
_RETRY_AFTER_S = 5

# Calls a function in a thread, with the arguments that follow.
InThread = Callable[..., Awaitable[Any]]


class Threads(Service):
    """Some threads of their own; what they are given is small pieces of work."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.pool = ThreadPool(0, _THREADS, "images")
        self.waiting = 0

    def startService(self) -> None:
        super().startService()
        self.pool.start()

    def stopService(self) -> "Deferred[None]":
        """Fires when what is under way has ended."""
        super().stopService()
        return deferToThreadPool(
            self.reactor, self.reactor.getThreadPool(), self.pool.stop
        )

    async def run(self, function: Callable[..., _R], *args: Any) -> _R:
        """
        Return what a function returns, called in a thread.

        :raises Unavailable: Too much is waiting, or the service is not running.
        """
        if self.waiting >= _WAITING_AT_MOST or not self.running:
            raise Unavailable("Too many images are on their way", _RETRY_AFTER_S)
        self.waiting += 1
        work = deferToThreadPool(self.reactor, self.pool, function, *args)
        work.addBoth(self._ended)
        # Whoever waits may be cancelled; the thread goes on, and counts.
        answer: Deferred[_R] = Deferred()
        work.chainDeferred(answer)
        return await answer

    def _ended(self, result: _R) -> _R:
        self.waiting -= 1
        return result
