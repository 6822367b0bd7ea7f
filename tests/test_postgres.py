"""The databases that tests are given."""

import psycopg2
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.testing.postgres import shared_database


class SharedTests(SynchronousTestCase):
    """One database for many tests."""

    def test_connection_lost(self) -> None:
        """A test that ends PostgreSQL does not spoil the ones after it."""
        dsn = shared_database(self).dsn
        killer = psycopg2.connect(dsn)
        with killer, killer.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        killer.close()
        database = shared_database(self)
        found = self.successResultOf(Deferred.fromCoroutine(database.run(_one)))
        self.assertEqual(1, found)

    def test_rehearsal(self) -> None:
        """What happens in a rehearsal is seen there, and nowhere afterwards."""
        database = shared_database(self)
        with database.rehearsal():
            self.do(database, _add, "outer")
            with database.rehearsal():
                self.do(database, _add, "inner")
                self.assertEqual(["inner", "outer"], self.do(database, _domains))
            failure = self.failureResultOf(
                Deferred.fromCoroutine(database.run(_add, "outer"))
            )
            failure.trap(psycopg2.errors.UniqueViolation)
            self.assertEqual(["outer"], self.do(database, _domains))
        self.assertEqual([], self.do(database, _domains))
        self.do(database, _add, "kept")
        database.close()
        self.assertEqual(["kept"], self.do(database, _domains))

    def do(self, database, *work):
        """Return what a transaction returns."""
        return self.successResultOf(Deferred.fromCoroutine(database.run(*work)))


def _add(txn, name: str) -> None:
    txn.execute("INSERT INTO domain (id, name) VALUES (%s, %s)", (name, name))


def _domains(txn) -> list[str]:
    txn.execute("SELECT id FROM domain WHERE id <> 'default' ORDER BY id")
    return [row[0] for row in txn.fetchall()]


def _one(txn) -> int:
    txn.execute("SELECT 1")
    return txn.fetchone()[0]
