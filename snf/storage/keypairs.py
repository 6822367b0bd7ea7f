"""Key pairs of users."""

from uuid import UUID

from psycopg2.errors import UniqueViolation

from snf.core.errors import BadRequest, Conflict, NotFound, QuotaExceeded
from snf.core.keypair import AT_MOST, KeyPair, Type
from snf.storage.database import Transaction
from snf.storage.rows import every, one, required

_COLUMNS = "id, user_id, name, type, public_key, fingerprint, created"


def _from_row(row: tuple) -> KeyPair:
    values = (*row[:3], Type(row[3]), *row[4:])
    return KeyPair(*values)


def missing(name: str, user: UUID) -> str:
    """Return what to say of a key pair that is not there."""
    return f"Keypair {name} not found for user {user}"


def get(txn: Transaction, user: UUID, name: str) -> KeyPair:
    """
    Return a key pair by its name.

    :raises NotFound: The user has none of that name.
    """
    return _from_row(
        required(
            txn,
            missing(name, user),
            f"SELECT {_COLUMNS} FROM keypair WHERE user_id = %s AND name = %s",
            (user, name),
        )
    )


def listing(
    txn: Transaction, user: UUID, marker: str | None, limit: int
) -> list[KeyPair]:
    """
    Return the key pairs of a user, by name.

    :param marker: The name of the last one of the page before.
    :raises BadRequest: There is none of that name.
    """
    known = "SELECT true FROM keypair WHERE user_id = %s AND name = %s"
    if marker is not None and one(txn, known, (user, marker)) is None:
        raise BadRequest(f"marker [{marker}] not found")
    rows = every(
        txn,
        f"SELECT {_COLUMNS} FROM keypair WHERE user_id = %(user)s"
        " AND (%(marker)s::text IS NULL OR name > %(marker)s)"
        " ORDER BY name LIMIT %(limit)s",
        {"user": user, "marker": marker, "limit": limit},
    )
    return [_from_row(row) for row in rows]


def of_ssh(txn: Transaction, user: UUID) -> list[KeyPair]:
    """Return a user's key pairs for logging in to Unix, the oldest first."""
    rows = every(
        txn,
        f"SELECT {_COLUMNS} FROM keypair WHERE user_id = %s AND type = %s ORDER BY id",
        (user, Type.SSH.value),
    )
    return [_from_row(row) for row in rows]


def numbered(txn: Transaction, user: UUID, number: int) -> KeyPair:
    """
    Return one of these by its number.

    :raises NotFound: The user has none of that number.
    """
    return _from_row(
        required(
            txn,
            _UNNUMBERED,
            f"SELECT {_COLUMNS} FROM keypair"
            " WHERE user_id = %s AND id = %s AND type = %s",
            (user, number, Type.SSH.value),
        )
    )


_UNNUMBERED = "There is no such key"


def change(
    txn: Transaction,
    user: UUID,
    number: int,
    name: str | None,
    public_key: str | None,
    fingerprint: str | None,
) -> KeyPair:
    """
    Change one of these; None stays as it was.

    :raises NotFound: The user has none of that number.
    :raises Conflict: The user has another one of that name.
    """
    try:
        row = required(
            txn,
            _UNNUMBERED,
            "UPDATE keypair SET name = coalesce(%s, name),"
            " public_key = coalesce(%s, public_key),"
            " fingerprint = coalesce(%s, fingerprint)"
            f" WHERE user_id = %s AND id = %s AND type = %s RETURNING {_COLUMNS}",
            (name, public_key, fingerprint, user, number, Type.SSH.value),
        )
    except UniqueViolation:
        raise Conflict(_taken(name)) from None
    return _from_row(row)


def _taken(name: str | None) -> str:
    return f"Key pair '{name}' already exists."


def add(
    txn: Transaction,
    user: UUID,
    name: str,
    kind: Type,
    public_key: str,
    fingerprint: str,
) -> KeyPair:
    """
    Store a new key pair of a user.

    :raises Conflict: There is one of that name.
    :raises QuotaExceeded: The user has as many as anybody may have.
    :raises NotFound: There is no such user.
    """
    # Others of the same user wait here, lest two count the same.
    required(
        txn,
        f"User {user} could not be found.",
        "SELECT true FROM user_account WHERE id = %s FOR NO KEY UPDATE",
        (user,),
    )
    found = one(txn, "SELECT count(*) FROM keypair WHERE user_id = %s", (user,))
    if found is not None and found[0] >= AT_MOST:
        raise QuotaExceeded("Quota exceeded, too many key pairs.")
    try:
        txn.execute(
            "INSERT INTO keypair (user_id, name, type, public_key, fingerprint)"
            f" VALUES (%s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            (user, name, kind.value, public_key, fingerprint),
        )
    except UniqueViolation:
        raise Conflict(_taken(name)) from None
    row = txn.fetchone()
    assert row is not None
    return _from_row(row)


def remove(txn: Transaction, user: UUID, name: str) -> None:
    """
    Delete a key pair; guests keep what they have been told.

    :raises NotFound: The user has none of that name.
    """
    txn.execute("DELETE FROM keypair WHERE user_id = %s AND name = %s", (user, name))
    if not txn.rowcount:
        raise NotFound(missing(name, user))
