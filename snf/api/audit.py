"""The audit trail of what callers have done."""

from uuid import UUID

from snf.api.call import Call
from snf.storage import activities
from snf.storage.activities import Activity
from snf.storage.database import Transaction

ACCEPTED = "accepted"


def note(
    txn: Transaction,
    call: Call,
    action: str,
    thing: UUID | None,
    outcome: str = ACCEPTED,
) -> None:
    """Note that the caller did something to a thing; None where its id is no UUID."""
    activities.add(
        txn,
        Activity(
            action=action,
            user=call.grant.user.id,
            project=call.grant.project_id,
            object=thing,
            outcome=outcome,
            request_id=call.request_id,
            address=call.address,
        ),
    )
