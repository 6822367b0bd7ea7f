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


def _one(txn) -> int:
    txn.execute("SELECT 1")
    return txn.fetchone()[0]
