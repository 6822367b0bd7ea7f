"""Actions of OpenStack that are known and not offered, and how each is refused."""

from typing import Any
from uuid import UUID

from snf.api.call import Call
from snf.api.compute.owned import locate
from snf.core.errors import Gone, NotOffered, SnfError
from snf.storage.database import Transaction

# Ganeti's remote API can neither freeze a guest nor save its memory, boots it from its
# own disks only, and makes no image of them (Ganeti 3.0, lib/rapi/connector.py).
_PAUSE = NotOffered, "Ganeti cannot pause a server; it can be stopped"
_SAVE = NotOffered, "Ganeti cannot save a server's memory; it can be stopped"
_SHELVE = NotOffered, "Servers are not shelved; a stopped one keeps its place"
_RESCUE = NotOffered, "Ganeti boots a server from its own disks only"
_IMAGE = NotOffered, "Images are not made from servers"
_DUMP = NotOffered, "Ganeti cannot have a server dump its memory"
# OpenStack 23.0.0 has taken them away, and answers so since.
_REMOVED = Gone, "This action has been removed"

_REFUSALS: dict[str, tuple[type[SnfError], str]] = {
    "pause": _PAUSE,
    "unpause": _PAUSE,
    "suspend": _SAVE,
    "resume": _SAVE,
    "shelve": _SHELVE,
    "shelveOffload": _SHELVE,
    "unshelve": _SHELVE,
    "rescue": _RESCUE,
    "unrescue": _RESCUE,
    "createBackup": _IMAGE,
    "createImage": _IMAGE,
    "trigger_crash_dump": _DUMP,
    "resetNetwork": _REMOVED,
    "injectNetworkInfo": _REMOVED,
}

NAMES = frozenset(_REFUSALS)


def refuse(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> None:
    """
    Refuse what a body names.

    :raises NotFound: There is no such server.
    :raises NotOffered: It is not offered, whatever its arguments.
    :raises Gone: It was offered once.
    """
    locate(txn, call, str(uuid))
    [name] = body
    refusal, text = _REFUSALS[name]
    raise refusal(text)
