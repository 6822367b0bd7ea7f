"""Resizes as they are stored with their servers, and those that have waited long."""

from typing import Any
from uuid import UUID

from attrs import asdict

from snf.core.order import Sizes
from snf.core.resize import Phase, Resize
from snf.storage.database import Transaction
from snf.storage.rows import every


def stored(resize: Resize) -> dict[str, Any]:
    """Return a resize as the column holds it."""
    return {
        **asdict(resize),
        "phase": resize.phase.value,
        "old_flavor": str(resize.old_flavor),
        "new_flavor": str(resize.new_flavor),
        "order": str(resize.order),
    }


def from_stored(held: dict[str, Any]) -> Resize:
    """Return the resize that a column holds."""
    return Resize(
        server=held["server"],
        phase=Phase(held["phase"]),
        old_flavor=UUID(held["old_flavor"]),
        new_flavor=UUID(held["new_flavor"]),
        old=Sizes(**held["old"]),
        new=Sizes(**held["new"]),
        ran=held["ran"],
        order=UUID(held["order"]),
        since=held["since"],
    )


def waiting(
    txn: Transaction, before: float, limit: int
) -> dict[int, tuple[UUID, UUID]]:
    """
    Return servers resized before a time that nobody has said a word of, locked.

    Whoever else looks at the same time passes over them.

    :param before: In seconds since the epoch.
    :return: Their UUIDs and their projects, by their ids.
    """
    rows = every(
        txn,
        "SELECT id, uuid, project_id FROM server"
        " WHERE status = 'VERIFY_RESIZE' AND deleted IS NULL AND task IS NULL"
        " AND (resize ->> 'since')::double precision <= %s"
        " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
        (before, limit),
    )
    return {server: (uuid, project) for server, uuid, project in rows}
