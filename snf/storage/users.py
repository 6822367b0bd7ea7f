"""Users, projects, and who has which role where."""

from datetime import datetime
from uuid import UUID

from attrs import field, frozen
from psycopg2.errors import UniqueViolation

from snf.core.errors import Conflict
from snf.core.identity import Domain, Project, Role, User
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, one


@frozen
class Credentials:
    """A user and what is kept of the password."""

    user: User
    password: str = field(repr=False)


@frozen
class DomainRef:
    """A domain as somebody names it: by its id, or else by its name in any case."""

    id: str | None = "default"
    name: str | None = None


HERE = DomainRef()

# The columns that user_from and project_from take, of which there are so many.
USER = (
    "u.id, u.name, u.enabled, u.default_project, u.domain_id,"
    " (SELECT d.name FROM domain d WHERE d.id = u.domain_id), u.description, u.email,"
    " (SELECT d.enabled FROM domain d WHERE d.id = u.domain_id)"
)
USER_COLUMNS = 9
PROJECT = (
    "p.id, p.name, p.description, p.enabled, p.domain_id,"
    " (SELECT d.name FROM domain d WHERE d.id = p.domain_id),"
    " (SELECT d.enabled FROM domain d WHERE d.id = p.domain_id)"
)
PROJECT_COLUMNS = 7

_IN_DOMAIN = (
    " = (SELECT d.id FROM domain d WHERE CASE WHEN %(domain_id)s::text IS NULL"
    " THEN lower(d.name) = lower(%(domain_name)s) ELSE d.id = %(domain_id)s END"
    " AND d.enabled)"
)


def user_from(row: tuple) -> User:
    """Return the user in a row of the columns :data:`USER`."""
    return User(
        id=row[0],
        name=row[1],
        enabled=row[2],
        default_project=row[3],
        domain=Domain(row[4], row[5], enabled=row[8]),
        description=row[6],
        email=row[7],
    )


def project_from(row: tuple) -> Project:
    """Return the project in a row of the columns :data:`PROJECT`."""
    return Project(
        id=row[0],
        name=row[1],
        description=row[2],
        enabled=row[3],
        domain=Domain(row[4], row[5], enabled=row[6]),
    )


def credentials(
    txn: Transaction, user_id: UUID | None, name: str | None, domain: DomainRef = HERE
) -> Credentials | None:
    """Return a user found by id or else by name; None when there is none."""
    row = one(
        txn,
        f"SELECT {USER}, u.password FROM user_account u WHERE u.deleted IS NULL AND "
        + _named("u", user_id),
        _naming(user_id, name, domain),
    )
    if row is None:
        return None
    return Credentials(user_from(row), row[USER_COLUMNS])


def project(
    txn: Transaction,
    project_id: UUID | None,
    name: str | None,
    domain: DomainRef = HERE,
) -> Project | None:
    """Return a project found by id or else by name; None when there is none."""
    row = one(
        txn,
        f"SELECT {PROJECT} FROM project p WHERE p.deleted IS NULL AND "
        + _named("p", project_id),
        _naming(project_id, name, domain),
    )
    return None if row is None else project_from(row)


def _named(table: str, by_id: UUID | None) -> str:
    if by_id is not None:
        return f"{table}.id = %(id)s"
    return f"{table}.name = %(name)s AND {table}.domain_id{_IN_DOMAIN}"


def _naming(by_id: UUID | None, name: str | None, domain: DomainRef) -> dict:
    return {
        "id": by_id,
        "name": name,
        "domain_id": domain.id,
        "domain_name": domain.name,
    }


def roles(txn: Transaction, user_id: UUID, project_id: UUID) -> frozenset[Role]:
    """Return the roles of a user in a project, those by groups as well."""
    rows = every(
        txn,
        "SELECT role FROM effective_role WHERE user_id = %s AND project_id = %s",
        (user_id, project_id),
    )
    return frozenset(Role(role) for (role,) in rows)


def add_project(txn: Transaction, project: Project) -> None:
    """
    Store a new project.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO project (id, name, description, enabled, domain_id)"
            " VALUES (%s, %s, %s, %s, %s)",
            (
                project.id,
                project.name,
                project.description,
                project.enabled,
                project.domain.id,
            ),
        )
    except UniqueViolation:
        raise _taken("project", project.name) from None


def change_project(txn: Transaction, project: Project) -> None:
    """
    Store what a project is from now on; one that is disabled loses its tokens.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "UPDATE project SET name = %s, description = %s, enabled = %s"
            " WHERE id = %s",
            (project.name, project.description, project.enabled, project.id),
        )
    except UniqueViolation:
        raise _taken("project", project.name) from None
    if not project.enabled:
        txn.execute("DELETE FROM token WHERE project_id = %s", (project.id,))


# What a project may not have any more when it is deleted: who has some, and how many.
_OWNED = (
    (
        "servers",
        "SELECT project_id FROM server"
        " WHERE project_id = ANY(%(ids)s) AND deleted IS NULL",
    ),
    (
        "images",
        "SELECT project_id FROM image"
        " WHERE project_id = ANY(%(ids)s) AND deleted IS NULL",
    ),
    ("networks", "SELECT project_id FROM network WHERE project_id = ANY(%(ids)s)"),
    # Also those that some node may still have: their address is not free yet.
    (
        "floating IPs",
        "SELECT project_id FROM floating_ip WHERE project_id = ANY(%(ids)s)",
    ),
)

# What goes with a project.
_GO_ALONG = (
    "role_assignment",
    "group_role",
    "application_credential",
    "token",
    "server_group",
    "security_group",
    "flavor_access",
    "quota_limit",
    "quota_usage",
)


def remove_projects(txn: Transaction, ids: list[UUID], now: datetime) -> None:
    """
    Delete projects with their roles, tokens, application credentials, server groups,
    security groups, quotas, and their access to flavors.

    They stay as rows, so that what refers to them does not go by itself.

    :raises Conflict: One owns something still.
    """
    # Whoever makes a server for one at this moment is waited for, or has to wait.
    txn.execute("SELECT FROM project WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (ids,))
    for what, query in _OWNED:
        row = one(
            txn,
            f"SELECT p.name, count(*) FROM ({query}) o"
            " JOIN project p ON p.id = o.project_id GROUP BY 1 ORDER BY 1 LIMIT 1",
            {"ids": ids},
        )
        if row is not None:
            raise Conflict(f"Project {row[0]} still has {what}: {row[1]}")
    for table in _GO_ALONG:
        txn.execute(f"DELETE FROM {table} WHERE project_id = ANY(%s)", (ids,))
    txn.execute(
        "UPDATE user_account SET default_project = NULL"
        " WHERE default_project = ANY(%s)",
        (ids,),
    )
    txn.execute(
        "UPDATE project SET deleted = %s, enabled = false WHERE id = ANY(%s)",
        (now, ids),
    )


def add_user(txn: Transaction, user: User, password: str) -> None:
    """
    Store a new user.

    :param password: What ``snf.core.passwords.digest`` made of it.
    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO user_account (id, name, password, default_project, enabled,"
            " domain_id, description, email) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                user.id,
                user.name,
                password,
                user.default_project,
                user.enabled,
                user.domain.id,
                user.description,
                user.email,
            ),
        )
    except UniqueViolation:
        raise _taken("user", user.name) from None


def change_user(txn: Transaction, user: User) -> None:
    """
    Store what a user is from now on; one who is disabled loses all tokens.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "UPDATE user_account SET name = %s, description = %s, email = %s,"
            " enabled = %s, default_project = %s WHERE id = %s",
            (
                user.name,
                user.description,
                user.email,
                user.enabled,
                user.default_project,
                user.id,
            ),
        )
    except UniqueViolation:
        raise _taken("user", user.name) from None
    if not user.enabled:
        txn.execute("DELETE FROM token WHERE user_id = %s", (user.id,))


def remove_users(txn: Transaction, ids: list[UUID], now: datetime) -> None:
    """Delete users, with roles, memberships, application credentials and tokens.

    What they made belongs to projects, and stays.
    """
    for table in ("role_assignment", "group_member", "application_credential", "token"):
        txn.execute(f"DELETE FROM {table} WHERE user_id = ANY(%s)", (ids,))
    txn.execute(
        "UPDATE user_account SET deleted = %s, enabled = false, password = ''"
        " WHERE id = ANY(%s)",
        (now, ids),
    )


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


@frozen
class Wanted:
    """Which users, projects or groups a list is to have; None is all.

    :ivar ids: Those that the caller may see.
    :ivar user: Projects in which this user has a role; groups that have the user.
    :ivar group: Users who are in this group.
    :ivar marker: Only what comes after this one.
    """

    ids: list[UUID] | None = None
    name: str | None = None
    domain: str | None = None
    enabled: bool | None = None
    user: UUID | None = None
    group: UUID | None = None
    marker: UUID | None = None
    limit: int | None = None


def projects(txn: Transaction, wanted: Wanted | None = None) -> list[Project]:
    """Return projects, by name."""
    wanted = wanted or Wanted()
    filters = {
        "ids": "p.id = ANY(%(ids)s)",
        "name": "p.name = %(name)s",
        "domain": "p.domain_id = %(domain)s",
        "enabled": "p.enabled = %(enabled)s",
        "user": "EXISTS (SELECT FROM effective_role a WHERE a.project_id = p.id"
        " AND a.user_id = %(user)s)",
        "marker": "(p.name, p.id) > (SELECT name, id FROM project"
        " WHERE id = %(marker)s)",
    }
    rows = every(
        txn,
        f"SELECT {PROJECT} FROM project p WHERE "
        + narrowed("p.deleted IS NULL", filters, wanted)
        + " ORDER BY p.name, p.id LIMIT %(limit)s",
        arguments(wanted),
    )
    return [project_from(row) for row in rows]


def users(txn: Transaction, wanted: Wanted) -> list[User]:
    """Return users, by name."""
    filters = {
        "ids": "u.id = ANY(%(ids)s)",
        "name": "u.name = %(name)s",
        "domain": "u.domain_id = %(domain)s",
        "enabled": "u.enabled = %(enabled)s",
        "group": "EXISTS (SELECT FROM group_member m WHERE m.user_id = u.id"
        " AND m.group_id = %(group)s)",
        "marker": "(u.name, u.id) > (SELECT name, id FROM user_account"
        " WHERE id = %(marker)s)",
    }
    rows = every(
        txn,
        f"SELECT {USER} FROM user_account u WHERE "
        + narrowed("u.deleted IS NULL", filters, wanted)
        + " ORDER BY u.name, u.id LIMIT %(limit)s",
        arguments(wanted),
    )
    return [user_from(row) for row in rows]


def overview(txn: Transaction) -> list[tuple[User, dict[str, list[str]]]]:
    """Return all users, by name, each with the roles by project."""
    rows = every(
        txn,
        f"SELECT {USER}, (SELECT jsonb_object_agg(r.name, r.roles) FROM"
        " (SELECT p.name, jsonb_agg(DISTINCT a.role) AS roles"
        "  FROM effective_role a JOIN project p ON p.id = a.project_id"
        "  WHERE a.user_id = u.id GROUP BY p.name) r)"
        " FROM user_account u WHERE u.deleted IS NULL ORDER BY u.name",
    )
    return [(user_from(row), row[USER_COLUMNS] or {}) for row in rows]


def _taken(noun: str, name: str) -> Conflict:
    return Conflict(f"there is a {noun} named {name!r} already")
