"""Small steps that every storage module takes."""

from typing import Any

from snf.core.errors import NotFound
from snf.storage.database import Transaction


def one(txn: Transaction, query: str, arguments: Any = ()) -> tuple[Any, ...] | None:
    """Return the first row of a query, or None."""
    txn.execute(query, arguments)
    return txn.fetchone()


def every(txn: Transaction, query: str, arguments: Any = ()) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    txn.execute(query, arguments)
    return txn.fetchall()


def required(
    txn: Transaction, missing: str, query: str, arguments: Any = ()
) -> tuple[Any, ...]:
    """
    Return the first row of a query.

    :raises NotFound: There is none; ``missing`` is what it says.
    """
    row = one(txn, query, arguments)
    if row is None:
        raise NotFound(missing)
    return row
