"""What has been taken from node to node: OpenStack's migrations, read from orders.

Nothing is written down a second time: a migration is as old as its order, and is
forgotten with it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from attrs import frozen

from snf.core.errors import BadRequest
from snf.core.order import Kind, State
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, one


@frozen
class Move:
    """One migration.

    :ivar node: Where to, as an admin has named it; None where Ganeti chooses.
    :ivar status: OpenStack's word, one of :data:`STATUSES`.
    :ivar user: Who asked for it, working in which ``project``; None where that has
        been forgotten.
    """

    number: int
    id: UUID
    server: UUID
    cluster: str
    kind: Kind
    state: State
    node: str | None
    status: str
    created: datetime
    updated: datetime
    user: UUID | None
    project: UUID | None


@frozen
class Wanted:
    """Which a listing asks for; None does not narrow it.

    :ivar host: The name of the cluster.
    :ivar marker: The id of the one after which the listing goes on.
    """

    marker: UUID | None = None
    number: int | None = None
    server: UUID | None = None
    host: str | None = None
    status: str | None = None
    kind: Kind | None = None
    states: Sequence[str] | None = None
    user: UUID | None = None
    project: UUID | None = None
    changed_since: datetime | None = None
    changed_before: datetime | None = None


# nova/compute/manager.py sets these, each in its own place.
_COLD = {
    State.NEW: "pre-migrating",
    State.SUBMITTING: "pre-migrating",
    State.SUBMITTED: "migrating",
    # There is nothing for anybody to confirm.
    State.DONE: "confirmed",
    State.FAILED: "error",
}
STATUSES: Mapping[Kind, Mapping[State, str]] = {
    Kind.MIGRATE: _COLD,
    Kind.MIGRATE_LIVE: {
        State.NEW: "queued",
        State.SUBMITTING: "preparing",
        State.SUBMITTED: "running",
        State.DONE: "completed",
        State.FAILED: "error",
    },
    Kind.EVACUATE: {
        **_COLD,
        State.NEW: "accepted",
        State.DONE: "done",
        State.FAILED: "failed",
    },
}

_STATUS = (
    "CASE "
    + " ".join(
        f"WHEN o.kind = '{kind.value}' AND o.state = '{state.value}' THEN '{word}'"
        for kind, words in STATUSES.items()
        for state, word in words.items()
    )
    + " END"
)
_KINDS = ", ".join(f"'{kind.value}'" for kind in STATUSES)
_UPDATED = "greatest(o.created, o.claimed, o.ended)"

_SELECT = (
    "SELECT o.number, o.id, s.uuid, c.name, o.kind, o.state, o.arguments->>'node',"
    f" {_STATUS}, o.created, {_UPDATED}, a.user_id, a.project_id"
    " FROM orders o JOIN server s ON s.id = o.server_id"
    " JOIN cluster c ON c.id = o.cluster_id"
    " LEFT JOIN server_action a ON a.order_id = o.id"
)

_FILTERS = {
    "marker": "o.number < (SELECT m.number FROM orders m WHERE m.id = %(marker)s)",
    "number": "o.number = %(number)s",
    "server": "s.uuid = %(server)s",
    "host": "c.name = %(host)s",
    "status": f"{_STATUS} = %(status)s",
    "kind": "o.kind = %(kind)s",
    "states": "o.state = ANY(%(states)s)",
    "user": "a.user_id = %(user)s",
    "project": "a.project_id = %(project)s",
    "changed_since": f"{_UPDATED} >= %(changed_since)s",
    "changed_before": f"{_UPDATED} <= %(changed_before)s",
}


def listing(txn: Transaction, wanted: Wanted, limit: int) -> list[Move]:
    """
    Return migrations, the newest first.

    :raises BadRequest: There is no such marker.
    """
    if wanted.marker is not None:
        known = one(
            txn,
            f"SELECT true FROM orders WHERE id = %s AND kind IN ({_KINDS})",
            (wanted.marker,),
        )
        if known is None:
            raise BadRequest(f"marker [{wanted.marker}] not found")
    where = narrowed(f"o.kind IN ({_KINDS})", _FILTERS, wanted)
    rows = every(
        txn,
        f"{_SELECT} WHERE {where} ORDER BY o.number DESC LIMIT %(limit)s",
        arguments(wanted, limit=limit),
    )
    return [_from_row(row) for row in rows]


def _from_row(row: tuple) -> Move:
    values = (*row[:4], Kind(row[4]), State(row[5]), *row[6:])
    return Move(*values)
