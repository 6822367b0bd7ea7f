"""What owners note on their servers: pairs of a key and a value."""

from collections.abc import Mapping

from psycopg2.extras import execute_values

from snf.core.errors import Forbidden, NotFound
from snf.storage.database import Transaction
from snf.storage.rows import every, one
from snf.storage.servers import touch

# How many a server may have (Nova's quota of metadata_items).
AT_MOST = 128


def of(txn: Transaction, server: int) -> dict[str, str]:
    """Return all that a server has."""
    return dict(
        every(
            txn,
            "SELECT key, value FROM server_metadata WHERE server_id = %s ORDER BY key",
            (server,),
        )
    )


def value(txn: Transaction, server: int, key: str) -> str:
    """
    Return one value.

    :raises NotFound: The server has no such key.
    """
    row = one(
        txn,
        "SELECT value FROM server_metadata WHERE server_id = %s AND key = %s",
        (server, key),
    )
    if row is None:
        raise NotFound(_MISSING)
    return row[0]


def merge(txn: Transaction, server: int, pairs: Mapping[str, str]) -> None:
    """
    Set some, and leave the others as they are.

    :raises Forbidden: The server would have more than it may.
    """
    touch(txn, server)
    if pairs:
        execute_values(
            txn,
            "INSERT INTO server_metadata (server_id, key, value) VALUES %s"
            " ON CONFLICT (server_id, key) DO UPDATE SET value = excluded.value",
            [(server, key, value) for key, value in pairs.items()],
            page_size=len(pairs),
        )
    row = one(
        txn, "SELECT count(*) FROM server_metadata WHERE server_id = %s", (server,)
    )
    if row is not None and row[0] > AT_MOST:
        raise Forbidden(f"Maximum number of metadata items exceeds {AT_MOST}")


def replace(txn: Transaction, server: int, pairs: Mapping[str, str]) -> None:
    """
    Set all that a server has.

    :raises Forbidden: It would have more than it may.
    """
    touch(txn, server)
    txn.execute("DELETE FROM server_metadata WHERE server_id = %s", (server,))
    merge(txn, server, pairs)


def remove(txn: Transaction, server: int, key: str) -> None:
    """
    Remove one.

    :raises NotFound: The server has no such key.
    """
    touch(txn, server)
    txn.execute(
        "DELETE FROM server_metadata WHERE server_id = %s AND key = %s", (server, key)
    )
    if not txn.rowcount:
        raise NotFound(_MISSING)


_MISSING = "Metadata item was not found"
