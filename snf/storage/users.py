"""Users, projects, and who has which role where."""

from uuid import UUID

from attrs import frozen
from psycopg2.errors import UniqueViolation

from snf.core.errors import Conflict
from snf.core.identity import Project, Role, User
from snf.storage.database import Transaction
from snf.storage.rows import every, one


@frozen
class Credentials:
    """A user and what is kept of the password."""

    user: User
    password: str


_USER = "u.id, u.name, u.enabled, u.default_project"
_PROJECT = "p.id, p.name, p.description, p.enabled"


def user_from(row: tuple) -> User:
    """Return the user in a row of ``id, name, enabled, default_project``."""
    return User(id=row[0], name=row[1], enabled=row[2], default_project=row[3])


def project_from(row: tuple) -> Project:
    """Return the project in a row of ``id, name, description, enabled``."""
    return Project(id=row[0], name=row[1], description=row[2], enabled=row[3])


def credentials(
    txn: Transaction, user_id: UUID | None, name: str | None
) -> Credentials | None:
    """Return a user found by id or else by name; None when there is none."""
    row = one(
        txn,
        f"SELECT {_USER}, u.password FROM user_account u WHERE "
        + ("u.id = %s" if user_id is not None else "u.name = %s"),
        (user_id if user_id is not None else name,),
    )
    return None if row is None else Credentials(user_from(row[:4]), row[4])


def project(
    txn: Transaction, project_id: UUID | None, name: str | None
) -> Project | None:
    """Return a project found by id or else by name; None when there is none."""
    row = one(
        txn,
        f"SELECT {_PROJECT} FROM project p WHERE "
        + ("p.id = %s" if project_id is not None else "p.name = %s"),
        (project_id if project_id is not None else name,),
    )
    return None if row is None else project_from(row)


def roles(txn: Transaction, user_id: UUID, project_id: UUID) -> frozenset[Role]:
    """Return the roles of a user in a project."""
    rows = every(
        txn,
        "SELECT role FROM role_assignment WHERE user_id = %s AND project_id = %s",
        (user_id, project_id),
    )
    return frozenset(Role(role) for (role,) in rows)


def projects_of(txn: Transaction, user_id: UUID) -> list[Project]:
    """Return the projects in which a user has a role, by name."""
    rows = every(
        txn,
        f"SELECT {_PROJECT} FROM project p WHERE p.enabled AND EXISTS (SELECT FROM"
        " role_assignment a WHERE a.project_id = p.id AND a.user_id = %s)"
        " ORDER BY p.name",
        (user_id,),
    )
    return [project_from(row) for row in rows]


def add_project(txn: Transaction, project: Project) -> None:
    """
    Store a new project.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO project (id, name, description, enabled)"
            " VALUES (%s, %s, %s, %s)",
            (project.id, project.name, project.description, project.enabled),
        )
    except UniqueViolation:
        raise Conflict(f"there is a project named {project.name!r} already") from None


def add_user(txn: Transaction, user: User, password: str) -> None:
    """
    Store a new user.

    :param password: What ``snf.core.passwords.digest`` made of it.
    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO user_account (id, name, password, default_project, enabled)"
            " VALUES (%s, %s, %s, %s, %s)",
            (user.id, user.name, password, user.default_project, user.enabled),
        )
    except UniqueViolation:
        raise Conflict(f"there is a user named {user.name!r} already") from None


def set_password(txn: Transaction, user_id: UUID, password: str) -> None:
    """Replace what is kept of a user's password, and end the user's tokens."""
    txn.execute(
        "UPDATE user_account SET password = %s WHERE id = %s", (password, user_id)
    )
    txn.execute("DELETE FROM token WHERE user_id = %s", (user_id,))


def assign(txn: Transaction, user_id: UUID, project_id: UUID, role: Role) -> None:
    """Give a user a role in a project; to have it already is fine."""
    txn.execute(
        "INSERT INTO role_assignment (user_id, project_id, role) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (user_id, project_id, role.value),
    )


def projects(txn: Transaction) -> list[Project]:
    """Return all projects, by name."""
    return [
        project_from(row)
        for row in every(txn, f"SELECT {_PROJECT} FROM project p ORDER BY p.name")
    ]


def overview(txn: Transaction) -> list[tuple[User, dict[str, list[str]]]]:
    """Return all users, by name, each with the roles by project."""
    rows = every(
        txn,
        f"SELECT {_USER}, (SELECT jsonb_object_agg(r.name, r.roles) FROM"
        " (SELECT p.name, jsonb_agg(a.role ORDER BY a.role) AS roles"
        "  FROM role_assignment a JOIN project p ON p.id = a.project_id"
        "  WHERE a.user_id = u.id GROUP BY p.name) r)"
        " FROM user_account u ORDER BY u.name",
    )
    return [(user_from(row[:4]), row[4] or {}) for row in rows]
