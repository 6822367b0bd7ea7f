"""Removing what has been kept for long enough, a batch at a time."""

from datetime import datetime

from snf.storage.database import Transaction
from snf.storage.rows import every

_BATCH = 1000


def remove_old(txn: Transaction, before: datetime) -> bool:
    """
    Remove some of what ended before a time; whether there may be more.

    That is images and how they got their data, activity, who had which address, servers that have been deleted, and of
    those that have not what was ordered.  These keep the order of their build.
    """
    removed = [
        _remove(txn, "activity", "at < %s", before),
        _remove(txn, "address_history", "until < %s", before),
        _remove(txn, "server_action", "started < %s AND " + _SETTLED, before),
        _remove(txn, "orders", "ended < %s AND " + _UNTOLD, before),
        _remove_servers(txn, before),
        _remove(txn, "image_upload", "updated < %s AND " + _ENDED, before),
        _remove(txn, "image", "deleted < %s AND " + _UNUSED, before),
    ]
    return max(removed) == _BATCH


# How an action went is how its order went: of the two, it goes first.
_SETTLED = (
    "NOT EXISTS (SELECT FROM orders o WHERE o.id = it.order_id AND o.ended IS NULL)"
)
_UNTOLD = (
    "kind <> 'create'"
    " AND NOT EXISTS (SELECT FROM server_action a WHERE a.order_id = it.id)"
)


_ENDED = "state IN ('success', 'failure')"
_UNUSED = "NOT EXISTS (SELECT FROM server s WHERE s.image_id = it.id)"


def _remove(txn: Transaction, table: str, condition: str, before: datetime) -> int:
    # Several processes may do this at once: what one has locked is left to it.
    txn.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT it.id FROM {table} it"
        f" WHERE {condition} LIMIT {_BATCH} FOR UPDATE SKIP LOCKED)",
        (before,),
    )
    return txn.rowcount


def _remove_servers(txn: Transaction, before: datetime) -> int:
    rows = every(
        txn,
        f"SELECT id FROM server WHERE deleted < %s LIMIT {_BATCH}"
        " FOR UPDATE SKIP LOCKED",
        (before,),
    )
    servers = [server for (server,) in rows]
    for table in ("server_action", "orders"):
        txn.execute(f"DELETE FROM {table} WHERE server_id = ANY(%s)", (servers,))
    txn.execute("DELETE FROM server WHERE id = ANY(%s)", (servers,))
    return len(servers)
