"""Who did what to a server, when, and how it ended.

How an action goes is never written down a second time: it is what its order says.
"""

from datetime import datetime
from uuid import UUID

from attrs import frozen

from snf.core.errors import BadRequest, NotFound
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, one


@frozen
class New:
    """What is stored of an action; one without an order is done at once."""

    server: int
    request_id: str
    action: str
    user: UUID
    project: UUID
    order: UUID | None = None


@frozen
class Event:
    """What was done at Ganeti for an action.

    :ivar cluster: The name of the cluster.
    :ivar succeeded: None until it has ended.
    """

    kind: str
    cluster: str
    started: datetime
    ended: datetime | None
    succeeded: bool | None
    error: str | None


@frozen
class Action:
    """One thing that somebody did to a server."""

    server: UUID
    request_id: str
    action: str
    user: UUID
    project: UUID
    started: datetime
    updated: datetime
    event: Event | None


@frozen
class Wanted:
    """Which of a server's actions a listing asks for; None does not narrow it."""

    server: int
    marker: str | None = None
    changed_since: datetime | None = None
    changed_before: datetime | None = None


# A deletion has succeeded when the server is gone, whatever became of its order.
_SUCCEEDED = (
    "CASE o.state WHEN 'done' THEN true"
    " WHEN 'failed' THEN o.kind = 'delete' AND s.deleted IS NOT NULL END"
)

_UPDATED = "greatest(a.started, o.claimed, o.ended)"

_SELECT = (
    "SELECT s.uuid, a.request_id, a.action, a.user_id, a.project_id, a.started,"
    f" {_UPDATED}, o.kind, c.name, o.created, o.ended, {_SUCCEEDED}, o.error"
    " FROM server_action a JOIN server s ON s.id = a.server_id"
    " LEFT JOIN orders o ON o.id = a.order_id"
    " LEFT JOIN cluster c ON c.id = o.cluster_id"
)

_FILTERS = {
    "marker": "a.id < (SELECT m.id FROM server_action m"
    " WHERE m.server_id = %(server)s AND m.request_id = %(marker)s)",
    "changed_since": f"{_UPDATED} >= %(changed_since)s",
    "changed_before": f"{_UPDATED} <= %(changed_before)s",
}


def add(txn: Transaction, new: New) -> None:
    """Note that somebody does something to a server."""
    txn.execute(
        "INSERT INTO server_action (server_id, request_id, action, user_id,"
        " project_id, order_id) VALUES (%s, %s, %s, %s, %s, %s)",
        (new.server, new.request_id, new.action, new.user, new.project, new.order),
    )


def get(txn: Transaction, server: int, request_id: str) -> Action:
    """
    Return what a request did to a server.

    :raises NotFound: No such request did anything to it.
    """
    row = one(
        txn,
        f"{_SELECT} WHERE a.server_id = %s AND a.request_id = %s",
        (server, request_id),
    )
    if row is None:
        raise NotFound(f"Action for request_id {request_id} not found")
    return _from_row(row)


def listing(txn: Transaction, wanted: Wanted, limit: int) -> list[Action]:
    """
    Return what was done to a server, the newest first.

    :raises BadRequest: There is no such marker.
    """
    if wanted.marker is not None:
        known = one(
            txn,
            "SELECT true FROM server_action WHERE server_id = %s AND request_id = %s",
            (wanted.server, wanted.marker),
        )
        if known is None:
            raise BadRequest(f"marker [{wanted.marker}] not found")
    where = narrowed("a.server_id = %(server)s", _FILTERS, wanted)
    rows = every(
        txn,
        f"{_SELECT} WHERE {where} ORDER BY a.id DESC LIMIT %(limit)s",
        arguments(wanted, limit=limit),
    )
    return [_from_row(row) for row in rows]


def _from_row(row: tuple) -> Action:
    values = (*row[:7], None if row[7] is None else Event(*row[7:]))
    return Action(*values)
