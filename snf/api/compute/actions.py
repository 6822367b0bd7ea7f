"""What may be asked of a server that exists: ``/servers/{id}/action``, and DELETE."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from snf.api.audit import note
from snf.api.call import Call
from snf.core.errors import BadRequest, Forbidden
from snf.core.order import Kind, Order
from snf.core.server import Action, Task, ask_to_delete, permit, with_order
from snf.storage import actions, lives, orders, servers
from snf.storage.database import Transaction


def act(
    txn: Transaction,
    call: Call,
    project: UUID | None,
    uuid: UUID,
    action: Action,
    **more: Any,
) -> None:
    """
    Order what an action asks for.

    :param project: Whose server it must be; None for anybody's.
    :param more: What else the order says.
    :raises NotFound: There is no such server.
    :raises Conflict: Its state forbids the action.
    """
    server, cluster = servers.locate(txn, project, uuid)
    before = lives.load(txn, [server])
    if server not in before:
        return  # it has just been deleted, by Ganeti's word
    life = before[server]
    if action is Action.DELETE and life.task is Task.DELETING:
        return
    permit(action, life.status, life.task, uuid)
    order = Order(id=uuid4(), server=server, **_ORDERS[action], **more)
    after = _ADDS.get(action, with_order)(life, order)
    ordered = order in after.orders
    if ordered:
        orders.add(txn, order, cluster, call.request_id)
    remember(txn, call, server, order.kind.value, order.id if ordered else None)
    lives.save(txn, before, {server: after})
    note(txn, call, f"server {action.value}", uuid)


def remember(
    txn: Transaction, call: Call, server: int, action: str, order: UUID | None = None
) -> None:
    """
    Remember for the owner that a caller does something to a server.

    :param order: Whose end is the action's; None where it has ended already.
    """
    actions.add(
        txn,
        actions.New(
            server=server,
            request_id=call.request_id,
            action=action,
            user=call.grant.user.id,
            project=call.project.id,
            order=order,
        ),
    )


_ORDERS: dict[Action, dict[str, Any]] = {
    Action.START: {"kind": Kind.START},
    Action.STOP: {"kind": Kind.STOP},
    Action.REBOOT: {"kind": Kind.REBOOT},
    Action.REBOOT_HARD: {"kind": Kind.REBOOT, "hard": True},
    Action.DELETE: {"kind": Kind.DELETE},
    Action.MIGRATE: {"kind": Kind.MIGRATE},
    Action.MIGRATE_LIVE: {"kind": Kind.MIGRATE_LIVE},
    Action.EVACUATE: {"kind": Kind.EVACUATE},
}

_ADDS = {Action.DELETE: ask_to_delete}


def named(body: dict) -> Action:
    """
    Return the one action that a body names.

    :raises BadRequest: It names none, several, or one that there is not.
    """
    if len(body) != 1:
        raise BadRequest("body: must have exactly one key, the action")
    [(name, argument)] = body.items()
    read = _READ.get(name)
    if read is None:
        raise BadRequest(f"There is no such action: {name}")
    return read(name, argument)


def admins(call: Call, name: str) -> None:
    """
    Return if the caller may ask for what only admins may.

    :raises Forbidden: The caller is no admin.
    """
    if not call.is_admin:
        raise Forbidden(f"Policy doesn't allow {name} to be performed.")


def _plain(action: Action) -> Callable[[str, Any], Action]:
    def read(name: str, argument: Any) -> Action:
        if argument not in (None, {}, ""):
            raise BadRequest(f"{name}: takes no arguments")
        return action

    return read


def _reboot(name: str, argument: Any) -> Action:
    kind = argument.get("type", "SOFT") if isinstance(argument, dict) else None
    if isinstance(kind, str) and kind.upper() in _REBOOTS:
        return _REBOOTS[kind.upper()]
    raise BadRequest("reboot.type: must be SOFT or HARD")


_REBOOTS = {"SOFT": Action.REBOOT, "HARD": Action.REBOOT_HARD}

# OpenStack's names, then Synnefo's.
_READ: dict[str, Callable[[str, Any], Action]] = {
    "os-start": _plain(Action.START),
    "os-stop": _plain(Action.STOP),
    "reboot": _reboot,
    # Nothing is put off that could be forced: it is a deletion like any other.
    "forceDelete": _plain(Action.DELETE),
    "restore": _plain(Action.RESTORE),
    "start": _plain(Action.START),
    "shutdown": _plain(Action.STOP),
}
