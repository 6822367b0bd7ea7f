"""Checking passwords off the reactor's thread, since each check takes a while."""

import os
import secrets
import threading
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any, TypeVar

from attrs import field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from snf.api.call import Call
from snf.core import passwords
from snf.core.checked import Checked
from snf.core.errors import TooMany, Unavailable
from snf.core.throttle import Throttle

_T = TypeVar("_T")

_WAITING_AT_MOST = 200
# What answers meanwhile has three times the right to a processor.
_NICE = 5
# What that many take on two cores.
_RETRY_AFTER_S = 5


class PasswordChecker(Service):
    """
    Checks passwords on two threads of its own: each check costs 16 MiB.

    A password that was right is known to be for some minutes.

    :ivar checked: Those.
    """

    def __init__(self, reactor: Any, checked: Checked | None = None) -> None:
        self.reactor = reactor
        self.pool = ThreadPool(1, 2, "passwords")
        self.waiting = 0
        if checked is None:
            checked = Checked(secrets.token_bytes(32))
        self.checked = checked
        self._tidying: Any = None

    def startService(self) -> None:
        super().startService()
        self.pool.start()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        return deferToThreadPool(
            self.reactor, self.reactor.getThreadPool(), self.pool.stop
        )

    async def verify(self, password: str, kept: str) -> bool:
        """
        Whether a password is the one that ``kept`` was made of.

        :raises Unavailable: Too many are waiting to be checked.
        """
        if self.checked.knows(password, kept, self.reactor.seconds()):
            return True
        good = await self._in_thread(passwords.matches, password, kept)
        if good:
            self.checked.add(password, kept, self.reactor.seconds())
            if self._tidying is None:
                self._tidy()
        return good

    async def digest(self, password: str) -> str:
        """
        Return what to keep of a password.

        :raises Unavailable: Too many are waiting to be checked.
        """
        salt = secrets.token_bytes(16)
        return await self._in_thread(passwords.digest, password, salt)

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        if self.waiting >= _WAITING_AT_MOST:
            raise Unavailable(
                "Too many are logging in; try again later", _RETRY_AFTER_S
            )
        self.waiting += 1
        work = deferToThreadPool(self.reactor, self.pool, _politely, function, *args)
        work.addBoth(self._ended)
        # Whoever hangs up cancels; the check stays in the queue, and counts.
        answer: Deferred[Any] = Deferred()
        work.chainDeferred(answer)
        return await answer

    def _ended(self, result: _T) -> _T:
        self.waiting -= 1
        return result

    def _tidy(self) -> None:
        """Drop what is too old, and see to it that the rest goes in its time."""
        self._tidying = None
        wait = self.checked.tidy(self.reactor.seconds())
        if wait is not None and self.running:
            self._tidying = self.reactor.callLater(wait, self._tidy)


def _politely(function: Callable[..., _T], *args: Any) -> _T:
    """Call a function in a thread that the reactor's and the database's come before."""
    thread = threading.current_thread()
    if not getattr(thread, "polite", False):
        # Of Linux a priority is a thread's own (setpriority(2), Bugs).
        number = threading.get_native_id()
        now = os.getpriority(os.PRIO_PROCESS, number)
        os.setpriority(os.PRIO_PROCESS, number, min(now + _NICE, 19))
        thread.polite = True  # type: ignore[attr-defined]
    return function(*args)


@frozen
class Guarded:
    """Checks passwords and secrets, but not as often as somebody who guesses wants.

    :ivar verify: A coroutine function of a password and what is kept of it: whether
        they match.
    """

    verify: Callable[[str, str], Awaitable[bool]]
    throttle: Throttle = field(factory=Throttle)

    async def check(
        self, call: Call, who: str, password: str, kept: str | None
    ) -> bool:
        """
        Whether a password is somebody's.

        :param who: Who it is for, which need not be somebody that there is.
        :param kept: What is kept of the right one; None where there is nobody.
        :raises TooMany: It was tried too often, whether or not it is right.
        """
        now = call.now.timestamp()
        wait = self.throttle.admit(who, call.address, now)
        if wait > 0:
            raise TooMany("Too many failed logins; try again later", ceil(wait))
        # Where there is nobody it takes as long.
        good = await self.verify(password, kept or passwords.NOBODY)
        if not good or kept is None:
            return False
        self.throttle.succeeded(who, call.address, now)
        return True
