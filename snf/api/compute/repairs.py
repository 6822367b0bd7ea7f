"""What admins do to servers that nobody else can: suspend them, and end a fault."""

from typing import Any
from uuid import UUID

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute.actions import admins, remember
from snf.core.errors import BadRequest
from snf.core.server import Action, permit, reset
from snf.storage import lives, servers, suspensions
from snf.storage.database import Transaction


def _suspend(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> None:
    name = "SNF:suspend"
    admins(call, name)
    _check_bare(name, body[name])
    server, _ = servers.locate(txn, None, uuid)
    order = suspensions.suspend(txn, uuid, call.request_id)
    remember(txn, call, server, "suspend", order)
    note(txn, call, "server suspend", uuid)


def _unsuspend(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> None:
    name = "SNF:unsuspend"
    admins(call, name)
    _check_bare(name, body[name])
    server, _ = servers.locate(txn, None, uuid)
    suspensions.end(txn, uuid)
    remember(txn, call, server, "unsuspend")
    note(txn, call, "server unsuspend", uuid)


def _reset(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> None:
    name = Action.RESET.value
    admins(call, name)
    # A server's state is what Ganeti says: nobody can put it in ERROR by a word.
    if body[name] != {"state": "active"}:
        raise BadRequest(f"{name}.state: must be active, and nothing else be given")
    server, _ = servers.locate(txn, None, uuid)
    before = lives.load(txn, [server])
    for life in before.values():
        permit(Action.RESET, life.status, life.task, uuid)
    lives.save(txn, before, {one: reset(life) for one, life in before.items()})
    remember(txn, call, server, "resetState")
    note(txn, call, "server reset", uuid)


# Each by the name that a body gives it; Synnefo has the first two as commands only.
ACTIONS = {
    "SNF:suspend": _suspend,
    "SNF:unsuspend": _unsuspend,
    Action.RESET.value: _reset,
}


def _check_bare(name: str, argument: Any) -> None:
    if argument not in (None, {}, ""):
        raise BadRequest(f"{name}: takes no arguments")
