"""Application credentials."""

from uuid import UUID

from psycopg2.errors import UniqueViolation

from snf.core.errors import Conflict
from snf.core.identity import Credential, Role
from snf.storage.database import Transaction
from snf.storage.rows import every, one

# The columns that credential_from takes.
CREDENTIAL = (
    "c.id, c.user_id, c.project_id, c.name, c.roles, c.description, c.unrestricted,"
    " c.expires"
)
_COLUMNS = 8

# More than anybody needs; a loop that makes one a run comes to an end.
EACH_AT_MOST = 500


def credential_from(row: tuple) -> Credential:
    """Return the application credential in a row of :data:`CREDENTIAL`."""
    return Credential(
        id=row[0],
        user=row[1],
        project=row[2],
        name=row[3],
        roles=frozenset(Role(role) for role in row[4]),
        description=row[5],
        unrestricted=row[6],
        expires=row[7],
    )


def add(txn: Transaction, credential: Credential, secret: str) -> None:
    """
    Store a new application credential.

    :param secret: What ``snf.core.passwords`` made of it.
    :raises Conflict: Its user has one of that name, or very many.
    """
    try:
        txn.execute(
            "INSERT INTO application_credential (id, user_id, project_id, name, roles,"
            " description, unrestricted, expires, secret)"
            " SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s WHERE"
            " (SELECT count(*) FROM application_credential WHERE user_id = %s) < %s",
            (
                credential.id,
                credential.user,
                credential.project,
                credential.name,
                sorted(role.value for role in credential.roles),
                credential.description,
                credential.unrestricted,
                credential.expires,
                secret,
                credential.user,
                EACH_AT_MOST,
            ),
        )
    except UniqueViolation:
        raise Conflict(
            f"there is an application credential named {credential.name!r} already"
        ) from None
    if txn.rowcount == 0:
        raise Conflict(f"a user may have {EACH_AT_MOST} application credentials")


def listing(
    txn: Transaction, user_id: UUID, name: str | None = None
) -> list[Credential]:
    """Return the application credentials of a user, by name."""
    rows = every(
        txn,
        f"SELECT {CREDENTIAL} FROM application_credential c WHERE c.user_id = %(user)s"
        " AND (%(name)s::text IS NULL OR c.name = %(name)s) ORDER BY c.name",
        {"user": user_id, "name": name},
    )
    return [credential_from(row) for row in rows]


def get(
    txn: Transaction,
    credential_id: UUID | None,
    user_id: UUID | None,
    name: str | None = None,
) -> tuple[Credential, str] | None:
    """
    Return one found by its id or else by its name, with what is kept of its secret.

    :param user_id: Whose it must be; None is anybody's, where it goes by id.
    """
    row = one(
        txn,
        f"SELECT {CREDENTIAL}, c.secret FROM application_credential c WHERE"
        + (" c.id = %(id)s" if credential_id is not None else " c.name = %(name)s")
        + " AND (c.user_id = %(user)s OR %(user)s::uuid IS NULL AND c.id = %(id)s)",
        {"id": credential_id, "user": user_id, "name": name},
    )
    return None if row is None else (credential_from(row), row[_COLUMNS])


def remove(txn: Transaction, credential_id: UUID, user_id: UUID) -> bool:
    """Delete one of a user, with its tokens; whether there was one."""
    txn.execute(
        "DELETE FROM application_credential WHERE id = %s AND user_id = %s",
        (credential_id, user_id),
    )
    return txn.rowcount > 0
