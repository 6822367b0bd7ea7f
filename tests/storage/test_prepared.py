"""Statements that are prepared."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from snf.storage.prepared import Prepared
from snf.testing.postgres import threaded_database

_THING = Prepared("thing", "SELECT number, name FROM thing WHERE number >= $1 LIMIT $2")

_ALL = Prepared("thing_all", "SELECT number, name FROM thing ORDER BY number")

_SOME = Prepared("thing_some", "SELECT name FROM thing WHERE number = ANY($1)")

_ADD = Prepared("thing_add", "INSERT INTO thing VALUES ($1, $2)")


def _make(txn: Any) -> None:
    txn.execute("CREATE TABLE thing (number int, name text)")
    txn.execute("INSERT INTO thing VALUES (1, 'one'), (2, 'two')")


def _change(txn: Any) -> None:
    txn.execute("ALTER TABLE thing ALTER number TYPE bigint, ADD more text DEFAULT ''")


def _fail(txn: Any) -> None:
    _THING.one(txn, 1, 1)
    raise LookupError("after it was prepared")


class PreparedTests(TestCase):
    """What is prepared on a connection."""

    timeout = 60

    def setUp(self) -> Any:
        self.database = threaded_database(self, reactor, threads=2)
        return Deferred.fromCoroutine(self.database.run(_make))

    async def test_every_connection(self) -> None:
        """It is found on whatever connection it is asked for, again and again."""
        answers = await gatherResults(
            [
                Deferred.fromCoroutine(self.database.run(_THING.one, 2, 1))
                for _ in range(10)
            ]
        )
        self.assertEqual([(2, "two")] * 10, answers)
        self.assertEqual(
            [(1, "one"), (2, "two")], await self.database.run(_THING.every, 1, 10)
        )

    async def test_no_parameters(self) -> None:
        """A statement may have none."""
        self.assertEqual([(1, "one"), (2, "two")], await self.database.run(_ALL.every))

    async def test_planned_once(self) -> None:
        """There is one plan for all values, also where they are arrays."""

        def plans(txn: Any) -> Any:
            for wanted in ([1], [2], [1, 2], []):
                self.assertEqual(len(wanted), len(_SOME.every(txn, wanted)))
            txn.execute(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
                " WHERE name = 'thing_some'"
            )
            return txn.fetchone()

        self.assertEqual((4, 0), await self.database.run(plans))

    async def test_grown(self) -> None:
        """A plan that was made for a small table is given up, not kept for ever."""

        def plan(txn: Any) -> str:
            _SOME.every(txn, [7])
            txn.execute("EXPLAIN EXECUTE thing_some ('{7}')")
            return "\n".join(line for (line,) in txn.fetchall())

        def grow(txn: Any) -> None:
            txn.execute(
                "INSERT INTO thing SELECT i, 'more' FROM generate_series(3, 30000) i"
            )

        def age(txn: Any) -> None:
            txn.connection.plans_age_s = 0.0

        database = threaded_database(self, reactor, threads=1)
        await database.run(_make)
        await database.run(
            lambda txn: txn.execute("CREATE INDEX ON thing (number); ANALYZE thing")
        )
        self.assertIn("Seq Scan", await database.run(plan))
        await database.run(grow)
        self.assertIn("Seq Scan", await database.run(plan))
        await database.run(age)
        self.assertIn("Index Scan", await database.run(plan))

    async def test_nothing_found(self) -> None:
        """Where there is no row, there is None."""
        self.assertIsNone(await self.database.run(_THING.one, 3, 1))

    async def test_later(self) -> None:
        """What is for later finds its statement, and is done when it is committed."""

        def work(txn: Any) -> Any:
            _ADD.later(txn, 3, "three")
            _ADD.later(txn, 4, "four")
            return _THING.every(txn, 3, 10)

        for _ in range(4):
            seen = await self.database.run(work)
            self.assertEqual([(3, "three"), (4, "four")], seen[-2:])
        self.assertEqual(10, len(await self.database.run(_THING.every, 1, 20)))

    async def test_rolled_back(self) -> None:
        """A transaction that fails takes nothing with it that others rely on."""
        for _ in range(4):
            with self.assertRaises(LookupError):
                await self.database.run(_fail)
            self.assertEqual((1, "one"), await self.database.run(_THING.one, 1, 1))

    async def test_migrated(self) -> None:
        """A table that has changed since is no harm: it is prepared anew."""
        for _ in range(4):
            await self.database.run(_THING.one, 1, 1)
        await self.database.run(_change)
        for _ in range(4):
            self.assertEqual((1, "one"), await self.database.run(_THING.one, 1, 1))
