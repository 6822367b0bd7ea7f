"""Statements that PostgreSQL plans once a connection, not at each call.

To plan a join of some tables takes it five times as long as to carry it out for one
row.  What every request needs is therefore prepared.
"""

from collections.abc import Callable
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

    def later(self, txn: Transaction, *arguments: Any) -> None:
        """Execute it, of whose result nothing is needed, now or a bit later."""
        self._prepare(txn)
        txn.later(self._call(arguments), arguments)

    def last(
        self, txn: Transaction, explain: Callable[[Transaction], None], *arguments: Any
    ) -> None:
        """Execute it together with the commit, see :meth:`Transaction.last`."""
        self._prepare(txn)
        txn.last(self._call(arguments), arguments, explain)

    def _execute(self, txn: Transaction, arguments: tuple[Any, ...]) -> None:
        self._prepare(txn)
        txn.execute(self._call(arguments), arguments)

    def _prepare(self, txn: Transaction) -> None:
        # A transaction that is rolled back takes no prepared statement with it.
        known = txn.connection.prepared
        if self.name not in known:
            txn.execute(f"PREPARE {self.name} AS {self.statement}")
            known.add(self.name)

    def _call(self, arguments: tuple[Any, ...]) -> str:
        if not arguments:
            return f"EXECUTE {self.name}"
        places = ", ".join(["%s"] * len(arguments))
        return f"EXECUTE {self.name} ({places})"
