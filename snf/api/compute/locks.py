"""Locking servers: what is locked is not changed by mistake, nor what is suspended."""

from typing import Any
from uuid import UUID

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute.actions import remember
from snf.api.compute.owned import owner
from snf.api.compute.versions import LOCK_REASON
from snf.core.errors import BadRequest, Forbidden
from snf.core.server import permit_owner
from snf.storage import locks
from snf.storage.database import Transaction

NAMES = frozenset({"lock", "unlock"})

_REASON_AT_MOST = 255


def change(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> None:
    """
    Lock or unlock a server, as a body names it.

    Who has locked one unlocks it: its project, or an admin; an admin may always.

    :raises BadRequest: The body has more than it may.
    :raises Forbidden: An admin has locked it, or it is suspended.
    :raises NotFound: There is no such server.
    """
    [(name, argument)] = body.items()
    reason = _reason(call, name, argument)
    check(txn, call, uuid, heeds_lock=False)
    server = locks.get(txn, owner(call), uuid)
    by = "owner" if server.project == call.project.id else "admin"
    if name == "lock":
        if server.lock is None or by == "admin":
            locks.put(txn, server.number, by, reason)
    else:
        if server.lock is not None and server.lock.by != by and not call.is_admin:
            raise Forbidden("Policy doesn't allow unlock_override to be performed.")
        locks.put(txn, server.number, None, None)
    remember(txn, call, server.number, name)
    note(txn, call, f"server {name}", uuid)


def check(txn: Transaction, call: Call, uuid: UUID, heeds_lock: bool = True) -> None:
    """
    Return if a server may be changed; admins may always.

    :param heeds_lock: Whether a lock is against it; a suspension is in any case.
    :raises Forbidden: It is suspended.
    :raises Conflict: It is locked.
    :raises NotFound: There is no such server.
    """
    if not call.is_admin:
        server = locks.get(txn, owner(call), uuid)
        locked = heeds_lock and server.lock is not None
        permit_owner(server.suspended, locked, uuid)


def _reason(call: Call, name: str, argument: Any) -> str | None:
    if argument is None or (name == "unlock" and argument in ({}, "")):
        return None
    if name == "lock" and not call.since(LOCK_REASON) and argument in ({}, ""):
        return None
    if name != "lock" or not call.since(LOCK_REASON):
        raise BadRequest(f"{name}: takes no arguments")
    if not isinstance(argument, dict) or set(argument) != {"locked_reason"}:
        raise BadRequest("lock: takes locked_reason, or null")
    reason = argument["locked_reason"]
    if not isinstance(reason, str) or not 1 <= len(reason) <= _REASON_AT_MOST:
        raise BadRequest("lock.locked_reason: must have 1 to 255 characters")
    if "\0" in reason:
        raise BadRequest("lock.locked_reason: must have no NUL")
    return reason
