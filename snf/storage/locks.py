"""Who keeps which server from being changed: locked, or suspended."""

from uuid import UUID

from attrs import frozen

from snf.storage.database import Transaction
from snf.storage.rows import required
from snf.storage.servers import Lock, missing


@frozen
class Lockable:
    """A server, as far as locking it is concerned."""

    number: int
    project: UUID
    lock: Lock | None
    suspended: bool


def get(txn: Transaction, project: UUID | None, server: UUID) -> Lockable:
    """
    Return whether a server is locked or suspended, which stays so until the commit.

    :param project: Whose; None for anybody's.
    :raises NotFound: There is none, or it is somebody else's.
    """
    row = required(
        txn,
        missing(server),
        "SELECT s.id, s.project_id, s.locked_by, s.lock_reason, s.suspended"
        " FROM server s"
        " WHERE s.uuid = %(uuid)s AND s.deleted IS NULL"
        " AND (%(project)s IS NULL OR s.project_id = %(project)s) FOR UPDATE",
        {"uuid": server, "project": project},
    )
    lock = Lock(row[2], row[3]) if row[2] else None
    return Lockable(row[0], row[1], lock, row[4])


def put(txn: Transaction, number: int, by: str | None, reason: str | None) -> None:
    """Lock a server, or unlock it when nobody keeps it locked."""
    txn.execute(
        "UPDATE server SET locked_by = %s, lock_reason = %s, updated = now()"
        " WHERE id = %s",
        (by, reason, number),
    )
