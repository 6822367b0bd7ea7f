"""Tokens: a digest of each, whom it stands for, and until when."""

from datetime import datetime
from uuid import UUID

from snf.core.identity import Grant, Role, restricted
from snf.storage.credentials import CREDENTIAL, credential_from
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.users import (
    PROJECT,
    PROJECT_COLUMNS,
    USER,
    USER_COLUMNS,
    project_from,
    user_from,
)


def add(txn: Transaction, digest: bytes, grant: Grant) -> None:
    """Store a new token."""
    txn.later(
        "INSERT INTO token (digest, audit_id, user_id, project_id, methods, issued,"
        " expires, credential_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            digest,
            grant.audit_id,
            grant.user.id,
            grant.project_id,
            list(grant.methods),
            grant.issued,
            grant.expires,
            None if grant.credential is None else grant.credential.id,
        ),
    )


_PROJECT_AT = USER_COLUMNS
_TOKEN_AT = _PROJECT_AT + PROJECT_COLUMNS
_CREDENTIAL_AT = _TOKEN_AT + 5

_GET = Prepared(
    "token_get",
    f"SELECT {USER}, {PROJECT}, t.methods, t.audit_id, t.issued, t.expires,"
    " ARRAY(SELECT role FROM effective_role a WHERE a.user_id = t.user_id"
    f" AND a.project_id = t.project_id), {CREDENTIAL}"
    " FROM token t JOIN user_account u ON u.id = t.user_id"
    " LEFT JOIN project p ON p.id = t.project_id"
    " LEFT JOIN application_credential c ON c.id = t.credential_id"
    " WHERE t.digest = $1 AND t.expires > $2 AND u.enabled"
    " AND coalesce(p.enabled, true) AND NOT EXISTS (SELECT FROM domain d"
    " WHERE d.id IN (u.domain_id, p.domain_id) AND NOT d.enabled)",
)


def get(txn: Transaction, digest: bytes, now: datetime) -> Grant | None:
    """
    Return what a token stands for.

    None when there is no such token, it has expired, its user or project or the domain
    of one has been disabled, or the user has lost every role in the project.
    """
    row = _GET.one(txn, digest, now)
    if row is None:
        return None
    methods, audit_id, issued, expires, held = row[_TOKEN_AT:_CREDENTIAL_AT]
    roles = frozenset(Role(role) for role in held)
    credential = None
    if row[_CREDENTIAL_AT] is not None:
        credential = credential_from(row[_CREDENTIAL_AT:])
        roles = restricted(roles, credential.roles)
    project = row[_PROJECT_AT:_TOKEN_AT]
    if project[0] is not None and not roles:
        return None
    return Grant(
        user=user_from(row),
        project=None if project[0] is None else project_from(project),
        roles=roles,
        methods=tuple(methods),
        audit_id=audit_id,
        issued=issued,
        expires=expires,
        credential=credential,
    )


def remove_of(txn: Transaction, user_id: UUID, project_id: UUID) -> None:
    """End the tokens of a user for a project."""
    txn.execute(
        "DELETE FROM token WHERE user_id = %s AND project_id = %s",
        (user_id, project_id),
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
