"""The audit trail: who did what to what, append only."""

from uuid import UUID

from attrs import frozen

from snf.storage.database import Transaction


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


def add(txn: Transaction, activity: Activity) -> None:
    """Append to the trail."""
    txn.later(
        "INSERT INTO activity (user_id, project_id, action, object, outcome,"
        " request_id, address) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            activity.user,
            activity.project,
            activity.action,
            activity.object,
            activity.outcome,
            activity.request_id,
            activity.address,
        ),
    )
