"""Groups of users, and who is in which."""

from uuid import UUID

from psycopg2.errors import UniqueViolation

from snf.core.errors import Conflict
from snf.core.identity import Domain, Group
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, one
from snf.storage.users import Wanted

_GROUP = (
    "g.id, g.name, g.description, g.domain_id,"
    " (SELECT d.name FROM domain d WHERE d.id = g.domain_id)"
)


def _group(row: tuple) -> Group:
    return Group(row[0], row[1], row[2], Domain(row[3], row[4]))


def listing(txn: Transaction, wanted: Wanted) -> list[Group]:
    """Return groups, by name."""
    filters = {
        "ids": "g.id = ANY(%(ids)s)",
        "name": "g.name = %(name)s",
        "domain": "g.domain_id = %(domain)s",
        "user": "EXISTS (SELECT FROM group_member m WHERE m.group_id = g.id"
        " AND m.user_id = %(user)s)",
        "marker": "(g.name, g.id) > (SELECT name, id FROM user_group"
        " WHERE id = %(marker)s)",
    }
    rows = every(
        txn,
        f"SELECT {_GROUP} FROM user_group g WHERE "
        + narrowed("true", filters, wanted)
        + " ORDER BY g.name, g.id LIMIT %(limit)s",
        arguments(wanted),
    )
    return [_group(row) for row in rows]


def get(txn: Transaction, group_id: UUID) -> Group | None:
    """Return a group; None when there is none."""
    row = one(txn, f"SELECT {_GROUP} FROM user_group g WHERE g.id = %s", (group_id,))
    return None if row is None else _group(row)


def add(txn: Transaction, group: Group) -> None:
    """
    Store a new group.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO user_group (id, domain_id, name, description)"
            " VALUES (%s, %s, %s, %s)",
            (group.id, group.domain.id, group.name, group.description),
        )
    except UniqueViolation:
        raise _taken(group) from None


def change(txn: Transaction, group: Group) -> None:
    """
    Store what a group is from now on.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "UPDATE user_group SET name = %s, description = %s WHERE id = %s",
            (group.name, group.description, group.id),
        )
    except UniqueViolation:
        raise _taken(group) from None


def remove(txn: Transaction, group_id: UUID) -> None:
    """Delete a group; tokens that its members have by its roles end."""
    _end_tokens(txn, group_id, None)
    txn.execute("DELETE FROM user_group WHERE id = %s", (group_id,))


def join(txn: Transaction, group_id: UUID, user_id: UUID) -> None:
    """Put a user into a group; to be in it already is fine."""
    txn.execute(
        "INSERT INTO group_member (group_id, user_id) VALUES (%s, %s)"
        " ON CONFLICT DO NOTHING",
        (group_id, user_id),
    )


def leave(txn: Transaction, group_id: UUID, user_id: UUID) -> bool:
    """Take a user out of a group; whether the user was in it."""
    _end_tokens(txn, group_id, user_id)
    txn.execute(
        "DELETE FROM group_member WHERE group_id = %s AND user_id = %s",
        (group_id, user_id),
    )
    return txn.rowcount > 0


def has(txn: Transaction, group_id: UUID, user_id: UUID) -> bool:
    """Whether a user is in a group."""
    found = one(
        txn,
        "SELECT 1 FROM group_member WHERE group_id = %s AND user_id = %s",
        (group_id, user_id),
    )
    return found is not None


def _end_tokens(txn: Transaction, group_id: UUID, user_id: UUID | None) -> None:
    txn.execute(
        "DELETE FROM token t USING group_member m, group_role r"
        " WHERE m.group_id = %(group)s AND r.group_id = m.group_id"
        " AND t.user_id = m.user_id AND t.project_id = r.project_id"
        " AND (%(user)s::uuid IS NULL OR m.user_id = %(user)s)",
        {"group": group_id, "user": user_id},
    )


def _taken(group: Group) -> Conflict:
    return Conflict(f"there is a group named {group.name!r} already")
