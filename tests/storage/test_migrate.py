"""The schema's versions."""

from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from snf.storage.database import connect
from snf.storage.migrate import WrongSchema, check, migrate, versions
from snf.testing.postgres import fresh_dsn


class MigrateTests(TestCase):
    """``migrate`` and ``check``, on a database with nothing in it."""

    timeout = 60

    def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        self.run_in(_execute, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def run_in(self, function: Any, *args: Any) -> Any:
        connection = connect(self.dsn, None)
        try:
            with connection, connection.cursor() as txn:
                return function(txn, *args)
        finally:
            connection.close()

    def test_order(self) -> None:
        """Versions are applied in the order of their numbers, from 1."""
        numbers = [*versions()]
        self.assertEqual((1, sorted(numbers)), (numbers[0], numbers))

    def test_made_side_by_side(self) -> None:
        """A version that came later than one with a higher number is applied too."""
        *others, newest = versions()
        self.run_in(
            _execute,
            "CREATE TABLE schema_version (number integer, applied timestamptz);"
            f" INSERT INTO schema_version VALUES ({newest}, now())",
        )
        with self.assertRaises(WrongSchema):
            self.run_in(check)
        self.assertEqual(others, self.run_in(migrate))
        self.run_in(check)

    def test_empty(self) -> None:
        """An empty database gets all versions, and is then right."""
        self.assertEqual([*versions()], self.run_in(migrate))
        self.run_in(check)

    def test_twice(self) -> None:
        """The second time there is nothing to do."""
        self.run_in(migrate)
        self.assertEqual([], self.run_in(migrate))

    async def test_at_once(self) -> None:
        """Of several at once one does the work, and the others find it done."""
        applied = await gatherResults(
            [deferToThread(self.run_in, migrate) for _ in range(4)]
        )
        self.assertEqual([[], [], [], [*versions()]], sorted(applied, key=len))
        self.run_in(check)

    def test_too_old(self) -> None:
        """A program does not work on an older schema; it says what to do."""
        with self.assertRaises(WrongSchema) as caught:
            self.run_in(check)
        self.assertIn("snf-manage migrate", str(caught.exception))

    def test_too_new(self) -> None:
        """Neither does it work on a newer one, nor change it."""
        self.run_in(migrate)
        self.run_in(_execute, "INSERT INTO schema_version (number) VALUES (999)")
        for function in (migrate, check):
            with self.assertRaises(WrongSchema) as caught:
                self.run_in(function)
            self.assertIn("install the newer program", str(caught.exception))

    def test_check_only_looks(self) -> None:
        """To check takes no right to change anything."""
        self.run_in(migrate)

        def look(txn: Any) -> None:
            txn.execute("SET LOCAL transaction_read_only = on")
            check(txn)

        self.run_in(look)

    def test_failure(self) -> None:
        """A migration that fails leaves nothing of itself."""
        self.run_in(_execute, "CREATE TABLE port (other int)")
        with self.assertRaises(Exception):  # noqa: B017 - whatever PostgreSQL says
            self.run_in(migrate)
        self.run_in(_execute, "DROP TABLE port")
        self.assertEqual([*versions()], self.run_in(migrate))


def _execute(txn: Any, statement: str) -> None:
    txn.execute(statement)
