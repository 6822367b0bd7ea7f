"""Checking passwords off the reactor's thread, since each check takes a while."""

from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from snf.core import passwords
from snf.core.errors import Unavailable

_T = TypeVar("_T")

_WAITING_AT_MOST = 200


class PasswordChecker(Service):
    """Checks passwords on two threads of its own: each check costs 16 MiB."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.pool = ThreadPool(1, 2, "passwords")
        self.waiting = 0

    def startService(self) -> None:
        super().startService()
        self.pool.start()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return deferToThreadPool(
            self.reactor, self.reactor.getThreadPool(), self.pool.stop
        )

    async def verify(self, password: str, kept: str) -> bool:
        """
        Whether a password is the one that ``kept`` was made of.

        :raises Unavailable: Too many are waiting to be checked.
        """
        if self.waiting >= _WAITING_AT_MOST:
            raise Unavailable("Too many are logging in; try again later")
        self.waiting += 1
        work = deferToThreadPool(
            self.reactor, self.pool, passwords.matches, password, kept
        )
        work.addBoth(self._ended)
        # Whoever hangs up cancels; the check stays in the queue, and counts.
        answer: Deferred[bool] = Deferred()
        work.chainDeferred(answer)
        return await answer

    def _ended(self, result: _T) -> _T:
        self.waiting -= 1
        return result
