"""The database behind its threads, on a real PostgreSQL."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.core.errors import NotFound, Unavailable
from snf.storage.database import Database, connect
from snf.testing.database_contract import database_tests
from snf.testing.postgres import fresh_dsn, inline_database, threaded_database


class InlineDatabaseTests(database_tests(inline_database)):  # type: ignore[misc]
    """The database of tests."""


class ThreadedDatabaseTests(
    database_tests(lambda case: threaded_database(case, reactor))  # type: ignore[misc]
):
    """The real one."""


def ask(txn: Any, query: str = "SELECT 1") -> Any:
    txn.execute(query)
    return txn.fetchone()[0] if txn.description else None


class FaultTests(TestCase):
    """What can go wrong with a database."""

    timeout = 90
    threads = 4

    def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        self.database = Database(reactor, self.dsn, threads=self.threads)
        self.database.startService()
        self.addCleanup(self.stop)
        self.held = threading.Event()
        self.addCleanup(self.held.set)

    def stop(self) -> Any:
        return self.database.stopService() if self.database.running else None

    def run_in(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.database.run(function, *args))

    def hold(self, txn: Any) -> str:
        self.held.wait(60)
        return "held"

    def kill(self, *backends: int) -> None:
        """End backends; all but one's own when none is named."""
        connection = connect(self.dsn, None)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND (%s OR pid = ANY(%s))",
                (not backends, list(backends)),
            )
        connection.close()

    async def all_connected(self) -> None:
        """Let every thread have a connection."""
        together = threading.Barrier(self.threads)
        await gatherResults(
            [
                self.run_in(lambda txn: (ask(txn), together.wait(30)))
                for _ in range(self.threads)
            ]
        )

    async def test_deadlock(self) -> None:
        """Of two that wait for each other both succeed: one is run again."""
        await self.run_in(ask, "CREATE TABLE thing AS VALUES (1), (2)")
        together = threading.Barrier(2)
        calls: list[int] = []

        def lock(txn: Any, *numbers: int) -> str:
            calls.append(numbers[0])
            for number in numbers:
                txn.execute(
                    "SELECT FROM thing WHERE column1 = %s FOR UPDATE", (number,)
                )
                if number == numbers[0] and len(calls) <= 2:
                    together.wait(30)
            return "locked"

        answers = await gatherResults(
            [self.run_in(lock, 1, 2), self.run_in(lock, 2, 1)]
        )
        self.assertEqual(["locked", "locked"], answers)
        self.assertEqual(3, len(calls))

    async def test_lost_under_way(self) -> None:
        """A transaction whose connection is lost is run again, on a new one."""
        backends: list[int] = []

        def die_once(txn: Any) -> Any:
            backends.append(ask(txn, "SELECT pg_backend_pid()"))
            if len(backends) == 1:
                self.kill(*backends)
            return ask(txn, "SELECT 42")

        self.assertEqual(42, await self.run_in(die_once))
        self.assertEqual(2, len(set(backends)))

    async def test_standby(self) -> None:
        """Where the server takes no changes any more, a new connection is made."""
        backends: list[int] = []

        def demoted(txn: Any, times: int) -> Any:
            backends.append(ask(txn, "SELECT pg_backend_pid()"))
            if len(backends) <= times:
                ask(txn, "SET TRANSACTION READ ONLY")
            return ask(txn, "CREATE TABLE thing ()")

        await self.run_in(demoted, 1)
        self.assertEqual(2, len(set(backends)))
        failure = await self.run_in(demoted, 99).addCallbacks(
            lambda _: None, lambda failure: failure.value
        )
        self.assertIsInstance(failure, Unavailable)

    async def test_lost_while_idle(self) -> None:
        """When all connections were cut meanwhile, no caller notices."""
        await self.all_connected()
        self.kill()
        calls: list[int] = []

        def count(txn: Any) -> Any:
            calls.append(1)
            return ask(txn)

        answers = await gatherResults([self.run_in(count) for _ in range(20)])
        self.assertEqual([1] * 20, answers)
        self.assertLessEqual(len(calls), 20 + self.threads)

    async def test_lost_while_committing(self) -> None:
        """What may have been committed is not run again: the caller is told."""
        await self.run_in(ask, "CREATE TABLE thing (id int)")
        await self.run_in(
            ask,
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON thing"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()",
        )
        calls: list[int] = []

        def add(txn: Any) -> None:
            calls.append(1)
            txn.execute("INSERT INTO thing VALUES (1)")

        with self.assertRaises(Unavailable):
            await self.run_in(add)
        self.assertEqual([1], calls)
        self.assertEqual(0, await self.run_in(ask, "SELECT count(*) FROM thing"))

    async def test_lost_and_raised(self) -> None:
        """Whoever raises when the connection is lost as well is heard all the same."""

        def die_and_raise(txn: Any) -> None:
            self.kill(ask(txn, "SELECT pg_backend_pid()"))
            raise NotFound("no such thing")

        with self.assertRaises(NotFound):
            await self.run_in(die_and_raise)
        self.assertEqual(1, await self.run_in(ask))

    async def test_keeps_being_lost(self) -> None:
        """What loses its connection again and again is given up."""

        def die(txn: Any) -> Any:
            self.kill(ask(txn, "SELECT pg_backend_pid()"))
            return ask(txn)

        with self.assertRaises(Unavailable):
            await self.run_in(die)

    async def test_not_there(self) -> None:
        """Where nothing listens the database is unavailable; nothing leaks of its DSN."""
        database = Database(reactor, "host=127.0.0.1 port=1 dbname=x", "hush", 1)
        database.startService()
        self.addCleanup(database.stopService)
        with self.assertRaises(Unavailable) as caught:
            await database.run(ask)
        self.assertNotIn("hush", str(caught.exception))
        self.assertNotIn("hush", repr(database))

    async def test_too_slow(self) -> None:
        """A statement over its time is ended, and the connection is of use again."""

        def sleep(txn: Any) -> None:
            txn.execute("SET LOCAL statement_timeout = '50ms'")
            txn.execute("SELECT pg_sleep(30)")

        with self.assertRaises(Unavailable):
            await self.run_in(sleep)
        self.assertEqual("30s", await self.run_in(ask, "SHOW statement_timeout"))

    async def test_nonsense(self) -> None:
        """A wrong statement is a mistake of ours, and seen as one."""
        with self.assertRaises(psycopg2.ProgrammingError):
            await self.run_in(ask, "SELEKT 1")

    async def test_overloaded(self) -> None:
        """When too much is waiting no more is taken; what waits is done."""
        taken: list[Deferred[Any]] = []
        refused: Deferred[Any] | None = None
        while refused is None:
            call = self.run_in(self.hold)
            if call.called:
                refused = call
            else:
                taken.append(call)
            self.assertLess(len(taken), 10_000)
        with self.assertRaises(Unavailable) as caught:
            await refused
        self.assertEqual(2, caught.exception.wait_s)
        self.held.set()
        answers = await gatherResults(taken)
        self.assertEqual({"held"}, set(answers))
        self.assertEqual(1, await self.run_in(ask))

    async def test_overloaded_by_those_who_left(self) -> None:
        """Callers that hang up and come again make no more wait than others do."""
        refused = False
        for _ in range(10_000):
            call = self.run_in(self.hold)
            if call.called:
                refused = True
                call.addErrback(lambda failure: failure.trap(Unavailable))
                break
            call.addErrback(lambda failure: failure.trap(CancelledError))
            call.cancel()
        self.assertTrue(refused)
        self.held.set()

    async def test_canceled(self) -> None:
        """A caller that has gone troubles nobody; what it asked for is still done."""
        await self.run_in(ask, "CREATE TABLE thing (id int)")

        def add(txn: Any) -> None:
            self.hold(txn)
            txn.execute("INSERT INTO thing VALUES (1)")

        call = self.run_in(add)
        call.cancel()
        with self.assertRaises(CancelledError):
            await call
        self.held.set()
        await self.database.stopService()
        self.database.startService()
        self.assertEqual(1, await self.run_in(ask, "SELECT count(*) FROM thing"))

    async def test_stop(self) -> None:
        """Stopping waits for what is under way; what comes later is turned away."""
        calls = [self.run_in(self.hold) for _ in range(self.threads * 2)]
        stopped = self.database.stopService()
        with self.assertRaises(Unavailable):
            await self.run_in(ask)
        self.assertFalse(stopped.called)
        self.held.set()
        self.assertEqual(["held"] * len(calls), await gatherResults(calls))
        await stopped
        with self.assertRaises(Unavailable):
            await self.run_in(ask)

    async def test_stop_closes(self) -> None:
        """After it has stopped it has no connection left."""
        await self.all_connected()
        await self.database.stopService()
        left = 1
        connection = connect(self.dsn, None)
        self.addCleanup(connection.close)
        connection.autocommit = True
        for _ in range(100):
            with connection.cursor() as cursor:
                left = ask(
                    cursor,
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
            if not left:
                break
            await deferLater(reactor, 0.05)
        self.assertEqual(0, left)
