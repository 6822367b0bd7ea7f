"""Whose servers a caller may look at and change."""

from uuid import UUID

from snf.api.call import Call, identifier
from snf.storage import servers
from snf.storage.database import Transaction

MISSING = "Instance {} could not be found."


def owner(call: Call) -> UUID | None:
    """Return whose servers a caller may act on: the project's id, or None for all."""
    return None if call.is_admin else call.project.id


def locate(
    txn: Transaction, call: Call, server: str, deleted: bool = False
) -> tuple[int, UUID]:
    """
    Return the number and the id of the server that a URL names.

    :param deleted: Whether it may have been deleted.
    :raises NotFound: There is none, or it is somebody else's.
    """
    uuid = identifier(server, MISSING)
    return servers.locate(txn, owner(call), uuid, deleted)[0], uuid
