"""Rows for the users and projects of a Keystone, as its tokens name them."""

from snf.core.identity import Domain, Grant, Project, User
from snf.core.passwords import NOBODY
from snf.storage.database import Transaction
from snf.storage.rows import one


def adopt(txn: Transaction, grant: Grant) -> None:
    """
    Take in whom a token is of and for, with the names that they have now.

    Keystone's word counts: whatever else has such a name here has had it before, and
    is from now on known by the name with its id behind it.  Nobody can log in here as
    a user who is taken in.
    """
    if _known(txn, grant):
        return
    _domain(txn, grant.user.domain)
    if grant.project is not None:
        _domain(txn, grant.project.domain)
        _give_up_name(txn, "project", grant.project)
        txn.execute(
            "INSERT INTO project (id, name, domain_id) VALUES (%s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, enabled = true,"
            " domain_id = excluded.domain_id, deleted = NULL",
            (grant.project.id, grant.project.name, grant.project.domain.id),
        )
    _give_up_name(txn, "user_account", grant.user)
    txn.execute(
        "INSERT INTO user_account (id, name, domain_id, password)"
        " VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, enabled = true,"
        " domain_id = excluded.domain_id, deleted = NULL",
        (grant.user.id, grant.user.name, grant.user.domain.id, NOBODY),
    )


def _known(txn: Transaction, grant: Grant) -> bool:
    """Whether all that a token names is here, as it is named: nothing is locked then."""
    project = grant.project
    row = one(
        txn,
        "SELECT EXISTS (SELECT FROM user_account u JOIN domain d ON d.id = u.domain_id"
        " WHERE (u.id, u.name, d.id, d.name) = (%s, %s, %s, %s)"
        " AND u.enabled AND u.deleted IS NULL)"
        " AND (%s::uuid IS NULL OR EXISTS ("
        "SELECT FROM project p JOIN domain d ON d.id = p.domain_id"
        " WHERE (p.id, p.name, d.id, d.name) = (%s, %s, %s, %s)"
        " AND p.enabled AND p.deleted IS NULL))",
        (
            grant.user.id,
            grant.user.name,
            grant.user.domain.id,
            grant.user.domain.name,
            grant.project_id,
            grant.project_id,
            None if project is None else project.name,
            None if project is None else project.domain.id,
            None if project is None else project.domain.name,
        ),
    )
    return row is not None and bool(row[0])


def _domain(txn: Transaction, domain: Domain) -> None:
    txn.execute(
        "UPDATE domain SET name = name || ' (' || id || ')'"
        " WHERE lower(name) = lower(%s) AND id <> %s AND deleted IS NULL",
        (domain.name, domain.id),
    )
    txn.execute(
        "INSERT INTO domain (id, name) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name, enabled = true, deleted = NULL",
        (domain.id, domain.name),
    )


def _give_up_name(txn: Transaction, table: str, newer: Project | User) -> None:
    txn.execute(
        f"UPDATE {table} SET name = name || ' (' || id || ')'"
        " WHERE domain_id = %s AND name = %s AND id <> %s AND deleted IS NULL",
        (newer.domain.id, newer.name, newer.id),
    )
