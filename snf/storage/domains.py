"""Domains, in which names are unique."""

from datetime import datetime

from psycopg2.errors import UniqueViolation

from snf.core.errors import Conflict
from snf.core.identity import Domain
from snf.storage import users
from snf.storage.database import Transaction
from snf.storage.rows import every, one


def listing(
    txn: Transaction, name: str | None = None, enabled: bool | None = None
) -> list[Domain]:
    """Return all domains, or those with a name in any case, by name."""
    rows = every(
        txn,
        "SELECT id, name, description, enabled FROM domain WHERE deleted IS NULL"
        " AND (%(name)s::text IS NULL OR lower(name) = lower(%(name)s))"
        " AND (%(enabled)s::boolean IS NULL OR enabled = %(enabled)s) ORDER BY name",
        {"name": name, "enabled": enabled},
    )
    return [Domain(*row) for row in rows]


def get(txn: Transaction, domain_id: str, keep: bool = False) -> Domain | None:
    """
    Return a domain; None when there is none.

    :param keep: Whether it is not to be deleted before the transaction has ended.
    """
    row = one(
        txn,
        "SELECT id, name, description, enabled FROM domain"
        " WHERE id = %s AND deleted IS NULL" + (" FOR KEY SHARE" if keep else ""),
        (domain_id,),
    )
    return None if row is None else Domain(*row)


def add(txn: Transaction, domain: Domain) -> None:
    """
    Store a new domain.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO domain (id, name, description, enabled)"
            " VALUES (%s, %s, %s, %s)",
            (domain.id, domain.name, domain.description, domain.enabled),
        )
    except UniqueViolation:
        raise _taken(domain) from None


def change(txn: Transaction, domain: Domain) -> None:
    """
    Store what a domain is from now on; of one that is disabled all tokens end.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "UPDATE domain SET name = %s, description = %s, enabled = %s"
            " WHERE id = %s AND deleted IS NULL",
            (domain.name, domain.description, domain.enabled, domain.id),
        )
    except UniqueViolation:
        raise _taken(domain) from None
    if not domain.enabled:
        txn.execute(
            "DELETE FROM token WHERE"
            " user_id IN (SELECT id FROM user_account WHERE domain_id = %(domain)s)"
            " OR project_id IN (SELECT id FROM project WHERE domain_id = %(domain)s)",
            {"domain": domain.id},
        )


def remove(txn: Transaction, domain: Domain, now: datetime) -> None:
    """
    Delete a domain with its users, groups and projects.

    :raises Conflict: One of the projects owns something still.
    """
    # Whoever makes something in it at this moment is waited for, or has to wait.
    txn.execute("SELECT FROM domain WHERE id = %s FOR UPDATE", (domain.id,))
    users.remove_projects(txn, _ids(txn, "project", domain), now)
    txn.execute(
        "DELETE FROM token t USING group_member m, group_role r, user_group g"
        " WHERE g.domain_id = %s AND m.group_id = g.id AND r.group_id = g.id"
        " AND t.user_id = m.user_id AND t.project_id = r.project_id",
        (domain.id,),
    )
    txn.execute("DELETE FROM user_group WHERE domain_id = %s", (domain.id,))
    users.remove_users(txn, _ids(txn, "user_account", domain), now)
    txn.execute(
        "UPDATE domain SET deleted = %s, enabled = false WHERE id = %s",
        (now, domain.id),
    )


def _ids(txn: Transaction, table: str, domain: Domain) -> list:
    rows = every(
        txn,
        f"SELECT id FROM {table} WHERE domain_id = %s AND deleted IS NULL",
        (domain.id,),
    )
    return [row[0] for row in rows]


def _taken(domain: Domain) -> Conflict:
    return Conflict(f"there is a domain named {domain.name!r} already")
