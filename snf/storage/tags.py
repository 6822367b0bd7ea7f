"""The tags of servers: words by which their owners find them."""

from collections.abc import Collection

from psycopg2.extras import execute_values

from snf.core.errors import BadRequest, NotFound
from snf.storage.database import Transaction
from snf.storage.rows import every, one
from snf.storage.servers import touch

# How many a server may have (nova/objects/instance.py, MAX_TAG_COUNT).
AT_MOST = 50


def of(txn: Transaction, server: int) -> list[str]:
    """Return all tags of a server."""
    rows = every(
        txn, "SELECT tag FROM server_tag WHERE server_id = %s ORDER BY tag", (server,)
    )
    return [tag for (tag,) in rows]


def has(txn: Transaction, server: int, tag: str) -> bool:
    """Return whether a server has a tag."""
    found = one(
        txn,
        "SELECT true FROM server_tag WHERE server_id = %s AND tag = %s",
        (server, tag),
    )
    return found is not None


def add(txn: Transaction, server: int, tags: Collection[str]) -> None:
    """
    Add tags, some of which it may have.

    :raises BadRequest: It would have more than it may.
    """
    touch(txn, server)
    if tags:
        execute_values(
            txn,
            "INSERT INTO server_tag (server_id, tag) VALUES %s ON CONFLICT DO NOTHING",
            [(server, tag) for tag in tags],
        )
    if len(of(txn, server)) > AT_MOST:
        raise BadRequest(f"The number of tags exceeded the per-server limit {AT_MOST}")


def replace(txn: Transaction, server: int, tags: Collection[str]) -> None:
    """
    Set all tags of a server.

    :raises BadRequest: They are more than it may have.
    """
    touch(txn, server)
    txn.execute("DELETE FROM server_tag WHERE server_id = %s", (server,))
    add(txn, server, tags)


def remove(txn: Transaction, server: int, tag: str) -> None:
    """
    Remove one.

    :raises NotFound: The server does not have it.
    """
    touch(txn, server)
    txn.execute(
        "DELETE FROM server_tag WHERE server_id = %s AND tag = %s", (server, tag)
    )
    if not txn.rowcount:
        raise NotFound("Tag was not found")
