"""Statements that PostgreSQL plans once a connection, not at each call.

To plan a join of some tables takes it five times as long as to carry it out for one
row.  What every request needs is therefore prepared.
"""

from typing import Any

from attrs import frozen

from snf.storage.database import Transaction


@frozen
class Prepared:
    """A statement that is prepared where it is first called.

    :ivar name: No two statements may have the same.
    :ivar statement: Its parameters are ``$1``, ``$2`` and so on.
    """

    name: str
    statement: str

    def one(self, txn: Transaction, *arguments: Any) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        self._execute(txn, arguments)
        return txn.fetchone()

    def every(self, txn: Transaction, *arguments: Any) -> list[tuple[Any, ...]]:
        """Return all rows."""
        self._execute(txn, arguments)
        return txn.fetchall()

    def _execute(self, txn: Transaction, arguments: tuple[Any, ...]) -> None:
        # A transaction that is rolled back takes no prepared statement with it.
        known = txn.connection.prepared
        if self.name not in known:
            txn.execute(f"PREPARE {self.name} AS {self.statement}")
            known.add(self.name)
        places = ", ".join(["%s"] * len(arguments))
        txn.execute(f"EXECUTE {self.name} ({places})", arguments)
