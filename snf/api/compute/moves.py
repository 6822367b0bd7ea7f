"""Taking servers to other nodes of their cluster: ``migrate`` and what is like it.

To clients a cluster is a host, and a server stays on its cluster: a ``host`` is the
cluster itself, which leaves the node to Ganeti, or the name of one of its nodes.
"""

import re
from typing import Any
from uuid import UUID

from snf.api.call import Call
from snf.api.compute.actions import act, admins
from snf.api.compute.versions import (
    EVACUATION_FORCED,
    EVACUATION_PLAIN,
    HOST_OF_MIGRATION,
    LIVE_AUTOMATIC,
    LIVE_FORCED,
    NOTHING_FORCED,
)
from snf.api.json import Answer
from snf.core.errors import BadRequest
from snf.core.server import Action
from snf.storage import clusters, servers
from snf.storage.database import Transaction


def _migrate(txn: Transaction, call: Call, uuid: UUID, body: dict) -> None:
    admins(call, "migrate")
    given = body["migrate"]
    known = {"host"} if call.since(HOST_OF_MIGRATION) else set()
    fields = _fields("migrate", {} if given in (None, "") else given, known)
    _move(txn, call, uuid, Action.MIGRATE, fields)


def _migrate_live(txn: Transaction, call: Call, uuid: UUID, body: dict) -> None:
    admins(call, "os-migrateLive")
    name = "os-migrateLive"
    needed = {"host", "block_migration"}
    if not call.since(LIVE_AUTOMATIC):
        needed |= {"disk_over_commit"}
    forced = call.since(LIVE_FORCED) and not call.since(NOTHING_FORCED)
    fields = _fields(name, body[name], needed | ({"force"} if forced else set()))
    for field in sorted(needed - fields.keys()):
        raise BadRequest(f"{name}.{field}: must be given in this version")
    automatic = call.since(LIVE_AUTOMATIC) and fields["block_migration"] == "auto"
    if not automatic and _flag(name, fields, "block_migration"):
        raise BadRequest(
            f"{name}.block_migration: must be false, since disks are not copied: "
            "both nodes have them, or the server cannot be migrated"
        )
    _flag(name, fields, "disk_over_commit")  # of disks that are copied
    _move(txn, call, uuid, Action.MIGRATE_LIVE, fields)


def _evacuate(txn: Transaction, call: Call, uuid: UUID, body: dict) -> Answer:
    admins(call, "evacuate")
    name, known, plain = "evacuate", {"host", "adminPass"}, call.since(EVACUATION_PLAIN)
    if not plain:
        known |= {"onSharedStorage"}
    if call.since(EVACUATION_FORCED) and not call.since(NOTHING_FORCED):
        known |= {"force"}
    fields = _fields(name, body[name], known)
    if not plain and not _flag(name, fields, "onSharedStorage", needed=True):
        raise BadRequest(
            f"{name}.onSharedStorage: must be true, since a server keeps its disks"
        )
    if "adminPass" in fields:
        raise BadRequest(f"{name}.adminPass: a server keeps its disks and passwords")
    _move(txn, call, uuid, Action.EVACUATE, fields)
    # OpenStack's own is no 202, and has said a password where there was one.
    return Answer(None if plain else {}, code=200)


# Each by the name that a body gives it.
ACTIONS = {
    "migrate": _migrate,
    "os-migrateLive": _migrate_live,
    "evacuate": _evacuate,
}


def _move(
    txn: Transaction, call: Call, uuid: UUID, action: Action, fields: dict[str, Any]
) -> None:
    force = _flag(action.value, fields, "force")
    host = fields.get("host")
    if force and host is None:
        raise BadRequest(f"{action.value}.force: needs a host")
    _, cluster = servers.locate(txn, None, uuid)
    node = _node(txn, cluster, action.value, host)
    act(txn, call, None, uuid, action, node=node, force=force)


def _node(txn: Transaction, cluster: int, name: str, host: Any) -> str | None:
    """
    Return the node that a host stands for; None leaves it to Ganeti.

    Whether the cluster has such a node is for Ganeti to say when it comes to it.

    :raises BadRequest: It is no name, or another cluster's.
    """
    if host is None:
        return None
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise BadRequest(f"{name}.host: must be the name of a host, or null")
    for known in clusters.listing(txn):
        if known.name == host:
            if known.id == cluster:
                return None
            raise BadRequest(
                f"{name}.host: {host} is another cluster; a server can be taken to "
                "other nodes of its own cluster only"
            )
    return host


# nova/api/validation/parameter_types.py, fqdn; Ganeti must not take it for an option.
_HOST = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,254}")


def _fields(name: str, given: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadRequest(f"{name}: must be an object")
    for field in given:
        if field not in known:
            raise BadRequest(
                f"{name}: Additional properties are not allowed "
                f"({field!r} was unexpected)"
            )
    return given


def _flag(name: str, fields: dict[str, Any], field: str, needed: bool = False) -> bool:
    """
    Return what a field says; no where it is not given.

    :raises BadRequest: It says something else than yes or no, or is needed.
    """
    value = fields.get(field, None if needed else False)
    word = value.lower() if isinstance(value, str) else value
    if isinstance(word, bool | str) and word in _FLAGS:
        return _FLAGS[word]
    raise BadRequest(f"{name}.{field}: must be true or false")


# nova/api/validation/parameter_types.py, boolean.
_FLAGS: dict[bool | str, bool] = {
    **dict.fromkeys((True, "true", "1", "on", "yes"), True),
    **dict.fromkeys((False, "false", "0", "off", "no"), False),
}
