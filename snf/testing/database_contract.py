"""What every database has to keep, as tests: run on the real one and on that of tests."""

from collections.abc import Callable
from typing import Any

import psycopg2.errors
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from snf.core.errors import NotFound


def database_tests(  # noqa: C901 - a class is inside, none of its methods has a branch
    create: Callable[[TestCase], Any],
) -> type[TestCase]:
    """
    Return a class of tests.

    :param create: Makes a database, and has it closed when the test ends.
    """

    class DatabaseTests(TestCase):
        """What a database promises to those who run transactions."""

        timeout = 60

        def setUp(self) -> Any:
            self.database = create(self)
            return Deferred.fromCoroutine(
                self.database.run(_execute, "CREATE TABLE thing (id int PRIMARY KEY)")
            )

        async def things(self) -> list[int]:
            return await self.database.run(_things)

        async def test_commit(self) -> None:
            """What a function that returns has done stays, and it has its answer."""
            answer = await self.database.run(_add, 1, answer="done")
            self.assertEqual("done", answer)
            self.assertEqual([1], await self.things())

        async def test_roll_back(self) -> None:
            """What a function that raises has done is undone, and its error is seen."""

            def add_and_raise(txn: Any) -> None:
                _add(txn, 1)
                raise NotFound("no such thing")

            with self.assertRaises(NotFound) as caught:
                await self.database.run(add_and_raise)
            self.assertEqual("no such thing", str(caught.exception))
            self.assertEqual([], await self.things())

        async def test_refused_by_the_database(self) -> None:
            """An error of a statement is seen as it is; the next call is not troubled."""
            await self.database.run(_add, 1)
            with self.assertRaises(psycopg2.errors.UniqueViolation):
                await self.database.run(_add, 1)
            await self.database.run(_add, 2)
            self.assertEqual([1, 2], await self.things())

        async def test_error_made_ours(self) -> None:
            """A function may turn an error of the database into one of ours."""

            def add(txn: Any) -> None:
                try:
                    _add(txn, 1)
                except psycopg2.errors.UniqueViolation:
                    raise NotFound("taken") from None

            await self.database.run(add)
            with self.assertRaises(NotFound):
                await self.database.run(add)
            self.assertEqual([1], await self.things())

        async def test_at_once(self) -> None:
            """Calls that are made at once each get their own answer."""
            answers = await gatherResults(
                [
                    Deferred.fromCoroutine(self.database.run(_add, n, answer=n))
                    for n in range(50)
                ]
            )
            self.assertEqual([*range(50)], answers)
            self.assertEqual([*range(50)], await self.things())

        async def test_time_zone(self) -> None:
            """Times are in UTC, whatever the server's zone is."""
            self.assertEqual("UTC", await self.database.run(_shown, "timezone"))

        async def test_nothing_lasts_for_ever(self) -> None:
            """Statements and waits for locks have their limits."""
            for name in ("statement_timeout", "lock_timeout"):
                self.assertNotEqual("0", await self.database.run(_shown, name))

    return DatabaseTests


def _execute(txn: Any, statement: str) -> None:
    txn.execute(statement)


def _add(txn: Any, number: int, answer: Any = None) -> Any:
    txn.execute("INSERT INTO thing VALUES (%s)", (number,))
    return answer


def _things(txn: Any) -> list[int]:
    txn.execute("SELECT id FROM thing ORDER BY id")
    return [number for (number,) in txn.fetchall()]


def _shown(txn: Any, name: str) -> str:
    txn.execute(f"SHOW {name}")
    return txn.fetchone()[0]
