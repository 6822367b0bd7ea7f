"""Who may open which console: a digest of each token, and until when it is good."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from attrs import frozen

from snf.core.console import Console, Kind
from snf.storage.database import Transaction
from snf.storage.rows import every, one


@frozen
class NewToken:
    """What is stored of a token; ``server`` is the server's number."""

    id: UUID
    digest: bytes
    kind: Kind
    server: int
    project: UUID
    user: UUID
    expires: datetime


def add(txn: Transaction, token: NewToken) -> None:
    """Store a new token."""
    txn.execute(
        "INSERT INTO console_token (id, digest, kind, server_id, project_id, user_id,"
        " expires) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            token.id,
            token.digest,
            token.kind.value,
            token.server,
            token.project,
            token.user,
            token.expires,
        ),
    )


# Of whom nothing forbids it: neither a user nor a project that has been disabled.
_VALID = (
    "s.id = t.server_id AND p.id = t.project_id AND u.id = t.user_id"
    " AND s.deleted IS NULL AND u.enabled AND p.enabled AND NOT EXISTS (SELECT"
    " FROM domain d WHERE d.id IN (u.domain_id, p.domain_id) AND NOT d.enabled)"
)
_WITH = "server s, project p, user_account u"
_COLUMNS = (
    "t.id, t.kind, s.id, s.uuid, s.name, s.cluster_id, p.id, p.name, u.id, u.name"
)


def redeem(
    txn: Transaction,
    digest: bytes,
    kind: Kind | None,
    now: datetime,
    until: datetime,
    renewed: bytes,
) -> Console | None:
    """
    Redeem a token: nobody else can; return what it opens.

    None when there is no such token, it has been redeemed or has expired, is for another
    kind of console, or its user or project has been disabled.

    :param kind: None for any.
    :param until: When the right expires that the token becomes.
    :param renewed: The digest of the secret that stands for it from now on.
    """
    row = one(
        txn,
        "UPDATE console_token t SET redeemed = %s, expires = %s, digest = %s"
        f" FROM {_WITH} WHERE t.digest = %s AND t.redeemed IS NULL AND t.expires > %s"
        f" AND t.kind = coalesce(%s, t.kind) AND {_VALID} RETURNING {_COLUMNS}",
        (now, until, renewed, digest, now, None if kind is None else kind.value),
    )
    return None if row is None else _from_row(row)


def resume(
    txn: Transaction, token: UUID, digest: bytes, now: datetime
) -> Console | None:
    """Return what somebody may open again; None where nobody may (any more)."""
    row = one(
        txn,
        f"SELECT {_COLUMNS} FROM console_token t, {_WITH} WHERE t.id = %s"
        f" AND t.digest = %s AND t.redeemed IS NOT NULL AND t.expires > %s AND {_VALID}",
        (token, digest, now),
    )
    return None if row is None else _from_row(row)


def look(txn: Transaction, digest: bytes, now: datetime) -> Console | None:
    """Return what a token would open, without redeeming it; None as :func:`redeem`."""
    row = one(
        txn,
        f"SELECT {_COLUMNS} FROM console_token t, {_WITH} WHERE t.digest = %s"
        f" AND t.redeemed IS NULL AND t.expires > %s AND {_VALID}",
        (digest, now),
    )
    return None if row is None else _from_row(row)


def lasting(
    txn: Transaction, opened: Collection[UUID], now: datetime, until: datetime
) -> set[UUID]:
    """
    Return which of the consoles that are open may stay so; their rights last longer.

    :param until: Until when they are to be good at least.
    """
    txn.execute(
        "UPDATE console_token SET expires = %s WHERE id = ANY(%s)"
        # Not with each look: half of the time that there is will do.
        " AND expires < %s::timestamptz + (%s::timestamptz - %s::timestamptz) / 2",
        (until, list(opened), now, until, now),
    )
    rows = every(
        txn,
        f"SELECT t.id FROM console_token t, {_WITH} WHERE t.id = ANY(%s) AND {_VALID}",
        (list(opened),),
    )
    return {found for (found,) in rows}


def remove_of(txn: Transaction, user: UUID, project: UUID) -> None:
    """End what a user may open in a project."""
    txn.execute(
        "DELETE FROM console_token WHERE user_id = %s AND project_id = %s",
        (user, project),
    )


_BATCH = 1000


def remove_expired(txn: Transaction, now: datetime) -> bool:
    """Remove some of those that have expired; whether there may be more."""
    txn.execute(
        "DELETE FROM console_token WHERE id IN (SELECT id FROM console_token"
        f" WHERE expires <= %s LIMIT {_BATCH} FOR UPDATE SKIP LOCKED)",
        (now,),
    )
    return txn.rowcount == _BATCH


def _from_row(row: tuple) -> Console:
    token, kind, *rest = row
    return Console(token, Kind(kind), *rest)
