"""``changePassword``: checked, and then refused, since no guest can be told."""

from typing import Any
from uuid import UUID

import msgspec

from snf.api import given
from snf.api.call import Call
from snf.api.compute.guests import AdminPass
from snf.api.compute.owned import locate
from snf.api.json import Answer
from snf.core.errors import Conflict
from snf.core.server import Action
from snf.storage.database import Transaction

NAMES = frozenset({Action.CHANGE_PASSWORD.value})


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """``changePassword``."""

    adminPass: AdminPass

    def __repr__(self) -> str:
        return "Change(...)"


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the action."""

    changePassword: Change


def change(txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any]) -> Answer:
    """
    Refuse to change the password of a guest.

    :raises BadRequest: The body names none.
    :raises NotFound: There is no such server.
    :raises Conflict: There is no agent in any guest.
    """
    given.converted(body, ChangeBody)
    locate(txn, call, str(uuid))
    raise Conflict(
        f"Unable to set the password of instance {uuid}: there is no agent in the "
        "guest that could be told. It gets one when it is made or rebuilt; otherwise "
        "it is set inside it"
    )
