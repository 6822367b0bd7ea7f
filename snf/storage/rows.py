"""Small steps that every storage module takes."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from attrs import asdict

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


def narrowed(always: str, filters: Mapping[str, str], wanted: Any) -> str:
    """
    Return the condition of a listing.

    :param always: What holds of all that is listed.
    :param filters: The condition of each attribute of ``wanted``, which counts only
        where the attribute is not None.
    """
    asked = [
        condition
        for name, condition in filters.items()
        if getattr(wanted, name) is not None
    ]
    return " AND ".join([always, *asked])


def arguments(wanted: Any, **others: Any) -> dict[str, Any]:
    """Return the attributes of ``wanted`` as arguments of a query, and others."""
    given = asdict(wanted, recurse=False)
    return {name: _plain(value) for name, value in (given | others).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    # psycopg2 writes a list as an array, and a tuple as something else.
    return list(value) if isinstance(value, tuple) else value


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
