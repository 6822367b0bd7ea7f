"""Servers as operators look at them: whose, where, and what is the matter."""

from typing import Any
from uuid import UUID

from attrs import frozen

from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, required
from snf.storage.servers import missing

# What is told of each server.
COLUMNS = (
    "id",
    "name",
    "project",
    "user",
    "cluster",
    "instance",
    "status",
    "task",
    "suspended",
    "fault",
    "created",
)


@frozen
class Wanted:
    """Which a listing asks for; None does not narrow it."""

    project: str | None = None
    cluster: str | None = None
    status: str | None = None
    suspended: bool | None = None


_SELECT = (
    "SELECT s.uuid, s.name, p.name, u.name, c.name, s.id, s.status, s.task,"
    " s.suspended, s.fault->>'message', s.created FROM server s"
    " JOIN project p ON p.id = s.project_id JOIN user_account u ON u.id = s.user_id"
    " JOIN cluster c ON c.id = s.cluster_id"
)

_FILTERS = {
    "project": "p.name = %(project)s",
    "cluster": "c.name = %(cluster)s",
    "status": "s.status = %(status)s",
    "suspended": "s.suspended = %(suspended)s",
}


def listing(txn: Transaction, wanted: Wanted, limit: int) -> list[tuple[Any, ...]]:
    """Return what is told of servers that have not been deleted, the newest first."""
    where = narrowed("s.deleted IS NULL", _FILTERS, wanted)
    return every(
        txn,
        f"{_SELECT} WHERE {where} ORDER BY s.created DESC, s.id DESC LIMIT %(limit)s",
        arguments(wanted, limit=limit),
    )


def get(txn: Transaction, server: UUID) -> tuple[Any, ...]:
    """
    Return what is told of a server.

    :raises NotFound: There is none.
    """
    return required(
        txn,
        missing(server),
        f"{_SELECT} WHERE s.deleted IS NULL AND s.uuid = %s",
        (server,),
    )


def numbered(txn: Transaction, number: int) -> UUID:
    """
    Return the id of the server with a number at Ganeti.

    :raises NotFound: There is none.
    """
    row = required(
        txn,
        f"there is no server with the number {number}",
        "SELECT uuid FROM server WHERE id = %s AND deleted IS NULL",
        (number,),
    )
    return row[0]
