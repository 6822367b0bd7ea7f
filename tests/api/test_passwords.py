"""Passwords are checked by threads, and only so many at a time."""

import os
import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.trial.unittest import TestCase

from snf.api.identity import passwords
from snf.api.identity.passwords import PasswordChecker
from snf.core.checked import Checked
from snf.core.errors import Unavailable
from snf.core.passwords import digest

KEPT = digest("right", b"0" * 16, cost=2)


class CheckerTests(TestCase):
    """The checker, with its threads."""

    timeout = 60

    def setUp(self) -> None:
        self.checker = PasswordChecker(reactor, Checked(b"k" * 32, lifetime_s=60.0))
        self.addCleanup(self.checker.stopService)

    def check(self, password: str) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self.checker.verify(password, KEPT))

    async def test_answers(self) -> None:
        """The right password passes, and no other."""
        self.checker.startService()
        self.assertTrue(await self.check("right"))
        self.assertFalse(await self.check("wrong"))

    async def test_known(self) -> None:
        """A password that was right needs no thread again; one that was wrong does."""
        self.checker.startService()
        self.assertTrue(await self.check("right"))
        self.assertFalse(await self.check("wrong"))
        self.patch(passwords, "_WAITING_AT_MOST", 0)
        self.assertTrue(self.successResultOf(self.check("right")))
        self.failureResultOf(self.check("wrong"), Unavailable)

    async def test_polite(self) -> None:
        """The threads have less of a right to the processor than the reactor has."""
        self.checker.pool.adjustPoolsize(1, 1)
        self.checker.startService()
        own = os.getpriority(os.PRIO_PROCESS, 0)
        for _ in range(2):
            self.assertFalse(await self.check("wrong"))
        found = await deferToThreadPool(
            reactor,
            self.checker.pool,
            lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()),
        )
        self.assertEqual(min(own + 5, 19), found)
        self.assertEqual(own, os.getpriority(os.PRIO_PROCESS, 0))

    async def test_forgotten(self) -> None:
        """What is known goes in its time, even if nobody asks again."""
        self.checker.checked.lifetime_s = 0.05
        self.checker.startService()
        self.assertTrue(await self.check("right"))
        self.assertEqual(1, len(self.checker.checked))
        while len(self.checker.checked):
            await deferLater(reactor, 0.01)

    async def test_hung_up(self) -> None:
        """Who hangs up does not make room: the check is still to be done."""
        self.patch(passwords, "_WAITING_AT_MOST", 3)
        left = [self.check("right") for _ in range(3)]
        for one in left:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        refused = self.failureResultOf(self.check("right"), Unavailable)
        self.assertEqual(5, refused.value.wait_s)
        self.checker.startService()
        while self.checker.waiting:
            await deferLater(reactor, 0.01)
        self.assertTrue(await self.check("right"))
