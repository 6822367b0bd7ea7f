"""Who has which role in which project: users, and groups of them."""

from collections.abc import Mapping
from enum import Enum
from uuid import UUID

from attrs import frozen

from snf.core.identity import Role
from snf.storage import console_tokens, tokens
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed


class Holder(Enum):
    """What can have a role."""

    USER = "user"
    GROUP = "group"


_TABLE = {
    Holder.USER: ("role_assignment", "user_id"),
    Holder.GROUP: ("group_role", "group_id"),
}


@frozen
class Assignment:
    """A role that somebody has in a project.

    :ivar user: Who; None where a group has it and is not taken apart.
    :ivar group: The group that has it, if one has.
    """

    role: Role
    project: UUID
    project_name: str
    project_domain: tuple[str, str]
    user: UUID | None = None
    group: UUID | None = None
    name: str = ""
    domain: tuple[str, str] = ("", "")


@frozen
class Wanted:
    """Which assignments a list is to have; None is all.

    :ivar effective: Take groups apart: what each user may do in the end.
    """

    user: UUID | None = None
    group: UUID | None = None
    project: UUID | None = None
    role: str | None = None
    effective: bool = False


def give(
    txn: Transaction, holder: Holder, who: UUID, project_id: UUID, role: Role
) -> None:
    """Give a role in a project; to have it already is fine."""
    table, column = _TABLE[holder]
    txn.execute(
        f"INSERT INTO {table} ({column}, project_id, role) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (who, project_id, role.value),
    )


def take(
    txn: Transaction, holder: Holder, who: UUID, project_id: UUID, role: Role
) -> bool:
    """Take a role away, with the tokens for that project; whether it was there."""
    table, column = _TABLE[holder]
    txn.execute(
        f"DELETE FROM {table} WHERE {column} = %s AND project_id = %s AND role = %s",
        (who, project_id, role.value),
    )
    taken = txn.rowcount > 0
    if taken and holder is Holder.USER:
        tokens.remove_of(txn, who, project_id)
        console_tokens.remove_of(txn, who, project_id)
    elif taken:
        txn.execute(
            "DELETE FROM token t USING group_member m WHERE m.group_id = %s"
            " AND t.user_id = m.user_id AND t.project_id = %s",
            (who, project_id),
        )
    return taken


def of(
    txn: Transaction, holder: Holder, who: UUID, project_id: UUID
) -> frozenset[Role]:
    """Return the roles that a user (not through groups) or a group has in a project."""
    table, column = _TABLE[holder]
    rows = every(
        txn,
        f"SELECT role FROM {table} WHERE {column} = %s AND project_id = %s",
        (who, project_id),
    )
    return frozenset(Role(role) for (role,) in rows)


# The same columns by each way that a role is had; the holder's name is of whichever
# of the two holds it.
_BY_USER = (
    "SELECT a.role, a.project_id, a.user_id, NULL::uuid AS group_id"
    " FROM role_assignment a"
)
_BY_GROUP = "SELECT g.role, g.project_id, NULL::uuid, g.group_id FROM group_role g"
_BY_MEMBER = (
    "SELECT g.role, g.project_id, m.user_id, g.group_id"
    " FROM group_role g JOIN group_member m ON m.group_id = g.group_id"
)

_FILTERS: Mapping[str, str] = {
    "user": "x.user_id = %(user)s",
    "group": "x.group_id = %(group)s",
    "project": "x.project_id = %(project)s",
    "role": "x.role = %(role)s",
}


def listing(txn: Transaction, wanted: Wanted) -> list[Assignment]:
    """Return assignments, by project and holder."""
    source = f"{_BY_USER} UNION ALL " + (_BY_MEMBER if wanted.effective else _BY_GROUP)
    rows = every(
        txn,
        "SELECT x.role, p.id, p.name, p.domain_id, pd.name, x.user_id, x.group_id,"
        f" coalesce(u.name, g.name), hd.id, hd.name FROM ({source}) x"
        " JOIN project p ON p.id = x.project_id"
        " JOIN domain pd ON pd.id = p.domain_id"
        " LEFT JOIN user_account u ON u.id = x.user_id"
        " LEFT JOIN user_group g ON g.id = x.group_id"
        " JOIN domain hd ON hd.id = coalesce(u.domain_id, g.domain_id) WHERE "
        + narrowed("true", _FILTERS, wanted)
        + " ORDER BY p.name, 8, x.role",
        arguments(wanted),
    )
    return [
        Assignment(
            role=Role(row[0]),
            project=row[1],
            project_name=row[2],
            project_domain=(row[3], row[4]),
            user=row[5],
            group=row[6],
            name=row[7],
            domain=(row[8], row[9]),
        )
        for row in rows
    ]
