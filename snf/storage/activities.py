"""The audit trail: who did what to what, append only."""

from uuid import UUID

from attrs import frozen

from snf.storage.database import Transaction
from snf.storage.prepared import Prepared


@frozen
class Activity:
    """One thing that somebody did, or tried to do."""

    action: str
    user: UUID | None = None
    project: UUID | None = None
    object: UUID | None = None
    outcome: str = "accepted"
    request_id: str | None = None
    address: str | None = None


_ADD = Prepared(
    "activity_add",
    "INSERT INTO activity (user_id, project_id, action, object, outcome, request_id,"
    " address) VALUES ($1, $2, $3, $4, $5, $6, $7)",
)


def add(txn: Transaction, activity: Activity) -> None:
    """Append to the trail."""
    _ADD.later(
        txn,
        activity.user,
        activity.project,
        activity.action,
        activity.object,
        activity.outcome,
        activity.request_id,
        activity.address,
    )
