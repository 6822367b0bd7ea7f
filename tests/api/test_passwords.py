"""Passwords are checked by threads, and only so many at a time."""

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.api.identity import passwords
from snf.api.identity.passwords import PasswordChecker
from snf.core.errors import Unavailable
from snf.core.passwords import digest

KEPT = digest("right", b"0" * 16, cost=2)


class CheckerTests(TestCase):
    """The checker, with its threads."""

    timeout = 60

    def setUp(self) -> None:
        self.checker = PasswordChecker(reactor)
        self.addCleanup(self.checker.stopService)

    def check(self, password: str) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self.checker.verify(password, KEPT))

    async def test_answers(self) -> None:
        """The right password passes, and no other."""
        self.checker.startService()
        self.assertTrue(await self.check("right"))
        self.assertFalse(await self.check("wrong"))

    async def test_hung_up(self) -> None:
        """Who hangs up does not make room: the check is still to be done."""
        self.patch(passwords, "_WAITING_AT_MOST", 3)
        left = [self.check("right") for _ in range(3)]
        for one in left:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.failureResultOf(self.check("right"), Unavailable)
        self.checker.startService()
        while self.checker.waiting:
            await deferLater(reactor, 0.01)
        self.assertTrue(await self.check("right"))
