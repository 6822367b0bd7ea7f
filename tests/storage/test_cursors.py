"""Statements that travel together."""

import threading
import time
from typing import Any

from psycopg2.errors import UniqueViolation
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from snf.storage.rows import every, one
from snf.testing.postgres import threaded_database


def _make(txn: Any) -> None:
    txn.execute("CREATE TABLE thing (id int PRIMARY KEY, name text)")


def _all(txn: Any) -> Any:
    return every(txn, "SELECT id, name FROM thing ORDER BY id")


def _add(txn: Any, *things: tuple[int, str]) -> None:
    for thing in things:
        txn.later("INSERT INTO thing VALUES (%s, %s)", thing)


def _never(txn: Any) -> None:
    raise AssertionError("it was not refused")


def _add_and_refuse(txn: Any, explain: Any) -> str:
    """Add a thing, and last another, which is refused while there is the zeroth."""
    _add(txn, (1, "one"))
    txn.last(
        "INSERT INTO thing SELECT CASE WHEN NOT EXISTS"
        " (SELECT FROM thing WHERE id = 0) THEN 2 END, 'ok'",
        (),
        explain,
    )
    return "done"


class GatheringTests(TestCase):
    """Transactions of a threaded database, on one connection."""

    timeout = 60

    def setUp(self) -> Any:
        self.database = threaded_database(self, reactor, threads=1)
        return Deferred.fromCoroutine(self.database.run(_make))

    async def test_committed(self) -> None:
        """What is for later is executed when nothing else comes."""
        await self.database.run(_add, (1, "one"), (2, "50% of two; 'x'"))
        self.assertEqual(
            [(1, "one"), (2, "50% of two; 'x'")], await self.database.run(_all)
        )

    async def test_seen_by_the_next(self) -> None:
        """The next statement finds it done, and its own result is what is fetched."""

        def work(txn: Any) -> Any:
            _add(txn, (1, "one"))
            found = one(txn, "SELECT count(*) FROM thing")
            _add(txn, (2, "two"))
            return found, _all(txn), txn.rowcount

        self.assertEqual(
            ((1,), [(1, "one"), (2, "two")], 2), await self.database.run(work)
        )

    async def test_raised(self) -> None:
        """Who raises has nothing left behind: neither sent nor waiting."""

        def work(txn: Any, sent: bool) -> None:
            _add(txn, (1, "one"))
            if sent:
                _all(txn)
            _add(txn, (2, "two"))
            raise LookupError

        for sent in (False, True):
            with self.assertRaises(LookupError):
                await self.database.run(work, sent)
            self.assertEqual([], await self.database.run(_all))

    async def test_fails_with_the_next(self) -> None:
        """What fails has the statement fail that it went with, and the transaction."""

        def work(txn: Any) -> None:
            _add(txn, (1, "one"), (1, "again"))
            txn.execute("INSERT INTO thing VALUES (2, 'two')")

        with self.assertRaises(UniqueViolation):
            await self.database.run(work)
        self.assertEqual([], await self.database.run(_all))

    async def test_fails_with_the_commit(self) -> None:
        """Where nothing comes after it the commit fails: nothing is half done."""
        with self.assertRaises(UniqueViolation):
            await self.database.run(_add, (1, "one"), (1, "again"))
        self.assertEqual([], await self.database.run(_all))

    async def test_last(self) -> None:
        """What is for last is executed behind all else, and committed with it."""

        def work(txn: Any) -> Any:
            txn.last("INSERT INTO thing SELECT 9, count(*) FROM thing", (), _never)
            _add(txn, (1, "one"))
            return _all(txn)

        self.assertEqual([(1, "one")], await self.database.run(work))
        self.assertEqual([(1, "one"), (9, "1")], await self.database.run(_all))

    async def test_last_refused(self) -> None:
        """Where it would store a NULL nothing is stored, and what explains it is heard."""

        def explain(txn: Any) -> None:
            raise LookupError(_all(txn))

        await self.database.run(_add, (0, "zero"))
        with self.assertRaises(LookupError) as caught:
            await self.database.run(_add_and_refuse, explain)
        self.assertEqual("[(0, 'zero')]", str(caught.exception))
        self.assertEqual([(0, "zero")], await self.database.run(_all))

    async def test_last_refused_in_vain(self) -> None:
        """Where nothing explains it any more it is tried again, as others may be gone."""

        def explain(txn: Any) -> None:
            txn.execute("DELETE FROM thing")  # commits, as the end of another would

        await self.database.run(_add, (0, "zero"))
        self.assertEqual("done", await self.database.run(_add_and_refuse, explain))
        self.assertEqual([(1, "one"), (2, "ok")], await self.database.run(_all))

    async def test_nothing(self) -> None:
        """Who asks nothing of the database needs none."""
        self.assertEqual(42, await self.database.run(lambda txn: 42))

    async def test_one_transaction(self) -> None:
        """All statements are one transaction, and the next call has another."""

        def number(txn: Any) -> Any:
            txn.execute("SELECT 1")
            first = one(txn, "SELECT pg_current_xact_id()::text")
            return first == one(txn, "SELECT pg_current_xact_id()::text"), first

        same, before = await self.database.run(number)
        again, after = await self.database.run(number)
        self.assertTrue(same and again)
        self.assertNotEqual(before, after)


class TurnTests(TestCase):
    """Transactions that have fetched many rows, on as many connections."""

    timeout = 60

    def setUp(self) -> None:
        self.database = threaded_database(self, reactor, threads=4)

    async def test_one_at_a_time(self) -> None:
        """What is made of many rows is made by one of them after the other."""
        under_way: list[int] = []
        together: list[int] = []

        def work(txn: Any) -> int:
            rows = every(txn, "SELECT generate_series(1, 1000)")
            under_way.append(1)
            together.append(len(under_way))
            time.sleep(0.002)  # as long as others need to come in between
            total = sum(number for (number,) in rows)
            under_way.pop()
            return total

        answers = await gatherResults(
            [Deferred.fromCoroutine(self.database.run(work)) for _ in range(20)]
        )
        self.assertEqual([500_500] * 20, answers)
        self.assertEqual([1] * 20, together)

    async def test_not_while_asking(self) -> None:
        """Who asks the database again has no turn: others go on meanwhile."""
        met = threading.Barrier(2, timeout=20)

        def work(txn: Any) -> None:
            every(txn, "SELECT generate_series(1, 1000)")
            one(txn, "SELECT 1")
            met.wait()

        await gatherResults(
            [Deferred.fromCoroutine(self.database.run(work)) for _ in range(2)]
        )

    async def test_raised(self) -> None:
        """Who raises gives its turn away, as does who has returned."""

        def fail(txn: Any) -> None:
            every(txn, "SELECT generate_series(1, 1000)")
            raise LookupError

        def fetch(txn: Any) -> int:
            return len(every(txn, "SELECT generate_series(1, 1000)"))

        for _ in range(5):
            with self.assertRaises(LookupError):
                await self.database.run(fail)
            self.assertEqual(1000, await self.database.run(fetch))
