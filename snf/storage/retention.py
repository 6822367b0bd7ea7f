"""Removing what has been kept for long enough, a batch at a time."""

from datetime import datetime

from snf.storage.database import Transaction
from snf.storage.rows import every

_BATCH = 1000


def remove_old(txn: Transaction, before: datetime) -> bool:
    """
    Remove some of what ended before a time; whether there may be more.

    That is activity, servers that have been deleted, and orders that have ended.  A
    server that has not been deleted keeps the order of its build.
    """
    removed = [
        _remove(txn, "activity", "id", "at < %s", before),
        _remove(txn, "orders", "id", "ended < %s AND kind <> 'create'", before),
        _remove_servers(txn, before),
    ]
    return max(removed) == _BATCH


def _remove(
    txn: Transaction, table: str, key: str, condition: str, before: datetime
) -> int:
    # Several processes may do this at once: what one has locked is left to it.
    txn.execute(
        f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table}"
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
    for table, key in (("orders", "server_id"), ("server", "id")):
        txn.execute(f"DELETE FROM {table} WHERE {key} = ANY(%s)", (servers,))
    return len(servers)
