"""Databases for tests, on a private real PostgreSQL that ``./cloud test`` starts.

Each test gets a database of its own, copied from a template that has the schema; or,
where there are very many tests, one that they share and that is emptied for each.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from snf.storage.cursors import Cursor
from snf.storage.database import Database, connect
from snf.storage.migrate import migrate

_VARIABLE = "CYCLADES_TEST_POSTGRES"


@define
class InlineDatabase:
    """A database whose transactions run in the caller's turn, without threads.

    It keeps the promises of :class:`snf.storage.database.Database` that do not
    concern lost connections.

    :ivar queries: All that it has executed.
    """

    dsn: str
    queries: list[str] = field(init=False, factory=list)
    _connection: Any = field(init=False, default=None)
    _rehearsing: bool = field(init=False, default=False)

    async def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what ``function(txn, ...)`` returns, called in a transaction."""
        if self._connection is None:
            self._connection = connect(self.dsn, None)
        bounds = self._step() if self._rehearsing else self._connection
        with bounds, self._connection.cursor(cursor_factory=_Recording) as txn:
            txn.queries = self.queries
            return function(txn, *args, **kwargs)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """
        Forget what happens inside: transactions are parts of one, which is undone.

        ``now()`` stands still there.  A rehearsal may be inside of another one.
        """
        before, self._rehearsing = self._rehearsing, True
        try:
            with self._step(keep=False):
                yield
        finally:
            self._rehearsing = before
            if not before:
                self._connection.rollback()

    @contextmanager
    def _step(self, keep: bool = True) -> Iterator[None]:
        with self._connection.cursor() as cursor:
            cursor.execute("SAVEPOINT step")
            try:
                yield
            except BaseException:
                keep = False
                raise
            finally:
                if not keep:
                    cursor.execute("ROLLBACK TO SAVEPOINT step")
                cursor.execute("RELEASE SAVEPOINT step")

    def close(self) -> None:
        """Close the connection; another is made when one is needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def mend(self) -> None:
        """Close the connection if it has been lost: other tests end PostgreSQL."""
        try:
            if self._connection is not None:
                with self._connection, self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
        except psycopg2.Error:
            self.close()


class _Recording(Cursor):
    """A cursor that notes what it executes."""

    queries: list[Any]

    def execute(self, query: Any, arguments: Any = None) -> None:
        self.queries.append(query)
        super().execute(query, arguments)


class _Server:
    """The PostgreSQL of this run, and the template made on it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.made = 0
        self.template = f"snf_test_{os.getpid()}"
        self._drop(self.template)
        self._execute(f"CREATE DATABASE {self.template}")
        atexit.register(self._drop, self.template)
        connection = connect(self.dsn_of(self.template), None)
        with connection, connection.cursor() as txn:
            migrate(txn)
        connection.close()

    def dsn_of(self, name: str) -> str:
        return psycopg2.extensions.make_dsn(self.dsn, dbname=name)

    def fresh(self) -> str:
        self.made += 1
        name = f"{self.template}_{self.made}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        return name

    def _drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    drop = _drop

    def _execute(self, statement: str) -> None:
        connection = psycopg2.connect(self.dsn)
        try:
            connection.autocommit = True
            connection.cursor().execute(statement)
        finally:
            connection.close()


_server: _Server | None = None
_shared: InlineDatabase | None = None


def fresh_dsn(case: SynchronousTestCase | None) -> str:
    """
    Return the DSN of a database of the test's own, with the schema and nothing else.

    It is dropped when the test ends, or for no test, when all have ended.  Skips the test where there is no PostgreSQL for tests.
    """
    global _server
    if _VARIABLE not in os.environ:
        raise SkipTest("needs a PostgreSQL for tests: run ./cloud test")
    if _server is None:
        _server = _Server(os.environ[_VARIABLE])
    name = _server.fresh()
    if case is None:
        atexit.register(_server.drop, name)
    else:
        case.addCleanup(_server.drop, name)
    return _server.dsn_of(name)


def inline_database(case: SynchronousTestCase) -> InlineDatabase:
    """Return a database of the test's own that works in the test's turn."""
    database = InlineDatabase(fresh_dsn(case))
    case.addCleanup(database.close)
    return database


def shared_database(case: SynchronousTestCase) -> InlineDatabase:
    """
    Return an empty database that works in the test's turn, shared with other tests.

    To empty one takes a tenth of the time that making one takes.
    """
    global _shared
    if _shared is None:
        dsn = fresh_dsn(None)
        _shared = InlineDatabase(dsn)
        atexit.register(_shared.close)
    _shared.mend()
    case.successResultOf(Deferred.fromCoroutine(_shared.run(_empty)))
    _shared.queries.clear()
    return _shared


def _empty(txn: Any) -> None:
    # The migrations make one domain, which is always there.
    txn.execute(
        "SELECT string_agg(format('DELETE FROM %I;', tablename), ' ')"
        " || 'DELETE FROM domain WHERE id <> ''default'';' FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename NOT IN ('schema_version', 'domain')"
    )
    [(statements,)] = txn.fetchall()
    # As a replica, so that the order does not matter.
    txn.execute(f"SET LOCAL session_replication_role = replica; {statements}")


def threaded_database(case: Any, reactor: Any, threads: int = 4) -> Database:
    """Return a started real one, stopped when the test ends."""
    database = Database(reactor, fresh_dsn(case), threads=threads)
    database.startService()
    case.addCleanup(database.stopService)
    return database
