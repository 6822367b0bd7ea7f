"""``snf-manage address``."""

import json
from typing import Any
from uuid import uuid4

from attrs import evolve

from snf.storage import ports
from snf.storage.database import Transaction, connect
from snf.testing import world
from tests.manage.case import ManageTestCase


class AddressTests(ManageTestCase):
    """Who had an address."""

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(0, self.manage("migrate").code)
        self.run_in(_make)

    def run_in(self, function: Any, *arguments: Any) -> Any:
        """Return what a storage function returns."""
        connection = connect(self.dsn, self.environment.get("PGPASSWORD"))
        try:
            with connection, connection.cursor() as txn:
                return function(txn, *arguments)
        finally:
            connection.close()

    def told(self, *words: str) -> list[dict[str, Any]]:
        said = self.manage("address", "history", "192.0.2.10", "--json", *words)
        self.assertEqual(0, said.code, said.err)
        return json.loads(said.out)

    def test_history(self) -> None:
        """Who had it is told when it has gone, too, and who had it at a time."""
        [one] = self.told()
        self.assertEqual(str(world.PROJECT_A.id), one["project"])
        self.assertIsNone(one["until"])
        self.run_in(_remove)
        [one] = self.told()
        self.assertIsNotNone(one["until"])
        self.assertEqual([], self.told("--at", "2020-01-01"))
        self.assertEqual([], self.told("--at", "2199-01-01"))
        self.assertEqual(1, len(self.told("--at", "2026-11-02T12:00")))
        self.assertEqual([], self.told("--limit", "0"))

    def test_no_address(self) -> None:
        """What is no address is refused."""
        said = self.manage("address", "history", "somewhere")
        self.assertEqual(1, said.code)
        self.assertIn("'somewhere' is not an address", said.err)


def _make(txn: Transaction) -> None:
    world.make(txn)
    arguments = (world.PROJECT_A.id, None, 0, "aa:00:00", lambda size: bytes(size))
    network = evolve(world.NETWORK, subnets=(world.SUBNET.id,))
    ports.add(txn, uuid4(), network, *arguments)  # type: ignore[arg-type]
    txn.execute("UPDATE address_history SET since = '2026-11-02'")


def _remove(txn: Transaction) -> None:
    txn.execute("DELETE FROM port")
    txn.execute("UPDATE address_history SET until = '2026-11-03'")
