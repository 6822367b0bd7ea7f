"""Who did what to a server, when, and how it ended.

How an action goes is never written down a second time: it is what its orders say, all
those of its request.
"""

from datetime import datetime
from uuid import UUID

from attrs import evolve, frozen

from snf.core.errors import BadRequest, NotFound
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import arguments, every, narrowed, one


@frozen
class New:
    """What is stored of an action; one without an order is done at once."""

    server: int
    request_id: str
    action: str
    user: UUID | None
    project: UUID
    order: UUID | None = None


@frozen
class Event:
    """One thing that was done at Ganeti for an action.

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
    """One thing that somebody did to a server; nobody is the cloud itself.

    :ivar failed: Whether one of its events has.
    :ivar events: The oldest first, where they were asked for.
    """

    server: UUID
    request_id: str
    action: str
    user: UUID | None
    project: UUID
    started: datetime
    updated: datetime
    failed: bool
    events: tuple[Event, ...] = ()


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

_UPDATED = "greatest(a.started, went.updated)"

_ORDERS = "o.server_id = a.server_id AND o.request_id = a.request_id"

_SELECT = (
    "SELECT s.uuid, a.request_id, a.action, a.user_id, a.project_id, a.started,"
    f" {_UPDATED}, coalesce(went.failed, false)"
    " FROM server_action a JOIN server s ON s.id = a.server_id CROSS JOIN LATERAL"
    " (SELECT max(greatest(o.claimed, o.ended)) updated,"
    f" bool_or(NOT ({_SUCCEEDED})) failed FROM orders o WHERE {_ORDERS}) went"
)

_EVENTS = (
    f"SELECT o.kind, c.name, o.created, o.ended, {_SUCCEEDED}, o.error"
    " FROM server_action a JOIN server s ON s.id = a.server_id"
    f" JOIN orders o ON {_ORDERS} JOIN cluster c ON c.id = o.cluster_id"
    " WHERE a.server_id = %s AND a.request_id = %s ORDER BY o.number"
)

_FILTERS = {
    "marker": "a.id < (SELECT m.id FROM server_action m"
    " WHERE m.server_id = %(server)s AND m.request_id = %(marker)s)",
    "changed_since": f"{_UPDATED} >= %(changed_since)s",
    "changed_before": f"{_UPDATED} <= %(changed_before)s",
}


_ADD = Prepared(
    "action_add",
    "INSERT INTO server_action (server_id, request_id, action, user_id, project_id,"
    " order_id) VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (server_id, request_id) DO NOTHING",
)


def add(txn: Transaction, new: New) -> None:
    """Note that somebody does something to a server; what a request does is one thing."""
    who = (new.user, new.project)
    _ADD.later(txn, new.server, new.request_id, new.action, *who, new.order)


def get(txn: Transaction, server: int, request_id: str) -> Action:
    """
    Return what a request did to a server, with its events.

    :raises NotFound: No such request did anything to it.
    """
    row = one(
        txn,
        f"{_SELECT} WHERE a.server_id = %s AND a.request_id = %s",
        (server, request_id),
    )
    if row is None:
        raise NotFound(f"Action for request_id {request_id} not found")
    events = every(txn, _EVENTS, (server, request_id))
    return evolve(Action(*row), events=tuple(Event(*event) for event in events))


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
    return [Action(*row) for row in rows]
