"""Images."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import fields, frozen
from psycopg2.errors import UniqueViolation
from psycopg2.extras import Json

from snf.core.catalog import Image
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import arguments, every, narrowed, one

COLUMNS = (
    "i.id, i.name, i.os, i.created, i.updated, i.project_id, i.status, i.visibility,"
    " i.disk_format, i.container_format, i.min_disk_gib, i.min_ram_mib, i.size_bytes,"
    " i.properties, i.os_parameters, i.hypervisor, i.sha256, i.hash_algo, i.hash_value,"
    " i.checksum, i.virtual_size_bytes, i.protected, i.hidden, i.tags"
)

# Which images a project may use: its own, everybody's, and those that are shared with it.
USABLE_BY = (
    "i.deleted IS NULL AND (i.visibility IN ('public', 'community')"
    " OR i.project_id = {0} OR i.visibility = 'shared' AND EXISTS (SELECT FROM"
    " image_member m WHERE m.image_id = i.id AND m.project_id = {0}))"
)

# Which ones a list has that asks for nothing else.
_LISTED = (
    "i.deleted IS NULL AND NOT i.hidden AND (i.visibility = 'public'"
    " OR i.project_id = %(project)s OR i.visibility = 'shared' AND EXISTS (SELECT FROM"
    " image_member m WHERE m.image_id = i.id AND m.project_id = %(project)s"
    " AND m.status = 'accepted'))"
)


@frozen
class Wanted:
    """Which images a listing asks for; what is empty does not narrow it.

    :ivar changed_since: Those that have changed then or later; deleted ones are no more.
    """

    name: str | None = None
    ids: Sequence[UUID] | None = None
    status: str | None = None
    visibility: str | None = None
    changed_since: datetime | None = None
    marker: UUID | None = None


def from_row(row: tuple) -> Image:
    """Return the image in a row of :data:`COLUMNS`."""
    return Image(*row)


_GET = Prepared(
    "image_get",
    f"SELECT {COLUMNS} FROM image i WHERE i.id = $1 AND {USABLE_BY.format('$2')}",
)


def get(
    txn: Transaction, project: UUID | None, image_id: UUID, everything: bool = False
) -> Image:
    """
    Return an image that a project may use.

    :param everything: Whether it may be any.
    :raises NotFound: There is none, or it may not.
    """
    if everything:
        row = one(
            txn,
            f"SELECT {COLUMNS} FROM image i WHERE i.id = %s AND i.deleted IS NULL",
            (image_id,),
        )
    else:
        row = _GET.one(txn, image_id, project)
    if row is None:
        raise NotFound(f"Image {image_id} could not be found.")
    return from_row(row)


def hold(txn: Transaction, image_id: UUID) -> None:
    """Have others who want to change an image wait for the end of the transaction."""
    txn.execute("SELECT FROM image WHERE id = %s FOR NO KEY UPDATE", (image_id,))


def listing(
    txn: Transaction, project: UUID | None, wanted: Wanted, limit: int
) -> list[Image]:
    """
    Return the images that a project is offered, newest first.

    :raises BadRequest: There is no such marker.
    """
    if (
        wanted.marker is not None
        and one(
            txn,
            f"SELECT true FROM image i WHERE i.id = %(marker)s AND {_LISTED}",
            {"marker": wanted.marker, "project": project},
        )
        is None
    ):
        raise BadRequest(f"marker [{wanted.marker}] not found")
    filters = {
        "name": "i.name = %(name)s",
        "ids": "i.id = ANY(%(ids)s)",
        "status": "i.status = %(status)s",
        "changed_since": "i.updated >= %(changed_since)s",
        "visibility": "i.visibility = %(visibility)s",
        "marker": "(i.created, i.id) < (SELECT m.created, m.id FROM image m"
        " WHERE m.id = %(marker)s)",
    }
    rows = every(
        txn,
        f"SELECT {COLUMNS} FROM image i WHERE {narrowed(_LISTED, filters, wanted)}"
        " ORDER BY i.created DESC, i.id DESC LIMIT %(limit)s",
        arguments(wanted, project=project, limit=limit),
    )
    return [from_row(row) for row in rows]


_NAMES = COLUMNS.replace("i.", "")
_PLACES = ", ".join(["%s"] * len(fields(Image)))


def add(txn: Transaction, image: Image) -> None:
    """
    Store a new image.

    :raises Conflict: There is one with its id, or was.
    """
    try:
        txn.execute(f"INSERT INTO image ({_NAMES}) VALUES ({_PLACES})", _values(image))
    except UniqueViolation:
        raise Conflict(f"Image ID {image.id} already exists or has existed.") from None


def change(txn: Transaction, image: Image) -> None:
    """Store what an image is from now on."""
    txn.execute(
        f"UPDATE image SET ({_NAMES}) = ROW({_PLACES}) WHERE id = %s",
        (*_values(image), image.id),
    )


def remove(txn: Transaction, image_id: UUID, now: datetime) -> None:
    """Delete an image; its row stays for the servers that were made from it."""
    txn.execute(
        "UPDATE image SET deleted = %s, updated = %s WHERE id = %s",
        (now, now, image_id),
    )
    txn.execute("DELETE FROM image_member WHERE image_id = %s", (image_id,))


def _values(image: Image) -> tuple[Any, ...]:
    return (
        image.id,
        image.name,
        image.os,
        image.created,
        image.updated,
        image.project,
        image.status,
        image.visibility,
        image.disk_format,
        image.container_format,
        image.min_disk_gib,
        image.min_ram_mib,
        image.size_bytes,
        Json(dict(image.properties)),
        Json(dict(image.os_parameters)),
        image.hypervisor,
        image.sha256,
        image.hash_algo,
        image.hash_value,
        image.checksum,
        image.virtual_size_bytes,
        image.protected,
        image.hidden,
        list(image.tags),
    )
