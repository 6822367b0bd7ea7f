"""Threads for files, and the keeper's rounds."""

import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from snf.core.errors import Unavailable
from snf.images.keeper import Keeper
from snf.images.store import Store
from snf.images.threads import Threads
from snf.testing.postgres import shared_database


class ThreadsTests(TestCase):
    """A service with threads."""

    def setUp(self) -> None:
        self.threads = Threads(reactor)
        self.threads.startService()
        self.addCleanup(self.threads.stopService)

    async def test_elsewhere(self) -> None:
        """What a function returns or raises comes from a thread that is not ours."""
        names = [await self.threads.run(threading.get_ident) for _ in range(3)]
        self.assertNotIn(threading.get_ident(), names)
        with self.assertRaises(ZeroDivisionError):
            await self.threads.run(lambda: 1 // 0)

    async def test_bounded(self) -> None:
        """When too much waits, no more is taken; when that has ended, it is again."""
        go = threading.Event()
        self.addCleanup(go.set)
        waiting = [
            Deferred.fromCoroutine(self.threads.run(go.wait, 30)) for _ in range(1000)
        ]
        with self.assertRaises(Unavailable):
            await self.threads.run(int)
        go.set()
        for one in waiting:
            self.assertTrue(await one)
        self.assertEqual(0, await self.threads.run(int))

    async def test_cancelled(self) -> None:
        """Who does not wait any more keeps nobody from working on."""
        go, done = threading.Event(), threading.Event()

        def work() -> None:
            go.wait(30)
            done.set()

        waiting = Deferred.fromCoroutine(self.threads.run(work))
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        go.set()
        self.assertTrue(await self.threads.run(done.wait, 30))

    async def test_stopped(self) -> None:
        """A service that does not run takes nothing."""
        other = Threads(reactor)
        with self.assertRaises(Unavailable):
            await other.run(int)


async def directly(function: Any, *args: Any) -> Any:
    """Return what a function returns, without a thread."""
    return function(*args)


class RoundsTests(SynchronousTestCase):
    """The keeper as a service."""

    def test_rounds(self) -> None:
        """It looks when it starts and each minute, whatever fails, until it stops."""
        clock, database = Clock(), shared_database(self)
        keeper = Keeper(clock, database, Store(Path(self.mktemp())), directly)
        keeper.startService()
        for failure, logged in ((Unavailable("away"), 0), (RuntimeError("a bug"), 1)):
            fails = self.patch(type(database), "run", _failing(failure))
            clock.advance(60)
            fails.restore()
            self.assertEqual(logged, len(self.flushLoggedErrors(RuntimeError)))
        database.queries.clear()
        clock.advance(60)
        self.assertEqual(2, len(database.queries))
        ended = keeper.stopService()
        assert ended is not None
        self.successResultOf(ended)
        clock.advance(600)
        self.assertEqual(2, len(database.queries))
        self.assertEqual([], clock.getDelayedCalls())


def _failing(failure: Exception) -> Any:
    async def run(database: Any, *args: Any) -> Any:
        raise failure

    return run
