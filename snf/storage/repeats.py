"""Requests that clients may repeat, and how they were answered the first time."""

from typing import Any
from uuid import UUID

from psycopg2.extras import Json

from snf.core.errors import Conflict
from snf.storage.database import Transaction
from snf.storage.rows import one

# How long an answer is kept.
HOURS = 24

# How many that are too old are removed by each new one.
_SWEEP = 100


def begin(txn: Transaction, project: UUID, key: str, digest: bytes) -> Any:
    """
    Return how a request was answered before, or None when it is the first one.

    Of several at once one is the first; the others wait here until it has committed.

    :param digest: Of what is asked for.
    :raises Conflict: With this key something else was asked for.
    """
    txn.execute(
        "DELETE FROM idempotent_request WHERE (project_id, key) IN ("
        "SELECT project_id, key FROM idempotent_request"
        f" WHERE created < now() - interval '{HOURS} hours'"
        f" ORDER BY created LIMIT {_SWEEP} FOR UPDATE SKIP LOCKED)"
    )
    first = one(
        txn,
        "INSERT INTO idempotent_request AS r (project_id, key, digest)"
        " VALUES (%s, %s, %s) ON CONFLICT (project_id, key) DO UPDATE"
        " SET digest = excluded.digest, answer = NULL, created = now()"
        f" WHERE r.created < now() - interval '{HOURS} hours' RETURNING true",
        (project, key, digest),
    )
    if first is not None:
        return None
    row = one(
        txn,
        "SELECT digest, answer FROM idempotent_request"
        " WHERE project_id = %s AND key = %s",
        (project, key),
    )
    assert row is not None
    if bytes(row[0]) != digest:
        raise Conflict("X-Idempotency-Key: was used for another request before")
    return row[1]


def end(txn: Transaction, project: UUID, key: str, answer: Any) -> None:
    """Store how a request is answered, for when it is repeated."""
    txn.execute(
        "UPDATE idempotent_request SET answer = %s WHERE project_id = %s AND key = %s",
        (Json(answer), project, key),
    )
