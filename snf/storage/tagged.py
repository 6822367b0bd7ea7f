"""The tags of what the network API has: an array in the row of each thing."""

from collections.abc import Sequence
from uuid import UUID

from snf.core.errors import BadRequest
from snf.storage.database import Transaction
from snf.storage.rows import one

# How many a thing may have (neutron/extensions/tagging.py, MAX_TAGS_COUNT).
AT_MOST = 50

_CHANGE = (
    "UPDATE {} SET tags = {}, updated = now(), revision = revision + 1"
    " WHERE id = %(thing)s {} RETURNING tags"
)


def begin(
    txn: Transaction, table: str, thing: UUID, tags: Sequence[str]
) -> tuple[str, ...]:
    """Give a new thing its first tags, which is no change of it; return them."""
    kept = tuple(sorted(set(tags)))
    if kept:
        txn.execute(f"UPDATE {table} SET tags = %s WHERE id = %s", ([*kept], thing))
    return kept


def replace(
    txn: Transaction, table: str, thing: UUID, tags: Sequence[str]
) -> list[str]:
    """Set all tags of a thing, and return them in their order."""
    kept = sorted(set(tags))
    change = _CHANGE.format(table, "%(tags)s::text[]", "")
    txn.execute(change, {"thing": thing, "tags": kept})
    return kept


def add(txn: Transaction, table: str, thing: UUID, tag: str) -> None:
    """
    Add a tag, which it may have.

    :raises BadRequest: It would have more than it may.
    """
    change = _CHANGE.format(
        table, "array_append(tags, %(tag)s)", "AND NOT %(tag)s = ANY(tags)"
    )
    row = one(txn, change, {"thing": thing, "tag": tag})
    if row is not None and len(row[0]) > AT_MOST:
        raise BadRequest(f"tags: there may be {AT_MOST} at most")


def remove(txn: Transaction, table: str, thing: UUID, tag: str) -> bool:
    """Remove a tag, and return whether there was one."""
    change = _CHANGE.format(
        table, "array_remove(tags, %(tag)s)", "AND %(tag)s = ANY(tags)"
    )
    return one(txn, change, {"thing": thing, "tag": tag}) is not None
