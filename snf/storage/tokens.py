"""Tokens: a digest of each, whom it stands for, and until when."""

from datetime import datetime

from snf.core.identity import Grant, Role
from snf.storage.database import Transaction
from snf.storage.rows import one
from snf.storage.users import project_from, user_from


def add(txn: Transaction, digest: bytes, grant: Grant) -> None:
    """Store a new token."""
    txn.execute(
        "INSERT INTO token (digest, audit_id, user_id, project_id, methods, issued,"
        " expires) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            digest,
            grant.audit_id,
            grant.user.id,
            grant.project_id,
            list(grant.methods),
            grant.issued,
            grant.expires,
        ),
    )


def get(txn: Transaction, digest: bytes, now: datetime) -> Grant | None:
    """
    Return what a token stands for.

    None when there is no such token, it has expired, its user or project has been
    disabled, or the user has lost every role in the project.
    """
    row = one(
        txn,
        "SELECT u.id, u.name, u.enabled, u.default_project, p.id, p.name,"
        " p.description, p.enabled, t.methods, t.audit_id, t.issued, t.expires,"
        " ARRAY(SELECT role FROM role_assignment a WHERE a.user_id = t.user_id"
        " AND a.project_id = t.project_id)"
        " FROM token t JOIN user_account u ON u.id = t.user_id"
        " LEFT JOIN project p ON p.id = t.project_id"
        " WHERE t.digest = %s AND t.expires > %s AND u.enabled"
        " AND coalesce(p.enabled, true)",
        (digest, now),
    )
    if row is None:
        return None
    roles = frozenset(Role(role) for role in row[12])
    if row[4] is not None and not roles:
        return None
    return Grant(
        user=user_from(row[:4]),
        project=None if row[4] is None else project_from(row[4:8]),
        roles=roles,
        methods=tuple(row[8]),
        audit_id=row[9],
        issued=row[10],
        expires=row[11],
    )


def remove(txn: Transaction, digest: bytes) -> bool:
    """Revoke a token; whether there was one."""
    txn.execute("DELETE FROM token WHERE digest = %s", (digest,))
    return txn.rowcount > 0


_BATCH = 1000


def remove_expired(txn: Transaction, now: datetime) -> bool:
    """Remove some of the tokens that have expired; whether there may be more."""
    txn.execute(
        "DELETE FROM token WHERE digest IN (SELECT digest FROM token"
        f" WHERE expires <= %s LIMIT {_BATCH} FOR UPDATE SKIP LOCKED)",
        (now,),
    )
    return txn.rowcount == _BATCH
