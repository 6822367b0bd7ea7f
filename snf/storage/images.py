"""Images."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from attrs import fields, frozen
from psycopg2.extras import Json

from snf.core.catalog import Image
from snf.core.errors import BadRequest, NotFound
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import arguments, every, narrowed, one

_COLUMNS = (
    "i.id, i.name, i.os, i.created, i.updated, i.project_id, i.status, i.visibility,"
    " i.disk_format, i.container_format, i.min_disk_gib, i.min_ram_mib, i.size_bytes,"
    " i.properties, i.os_parameters, i.hypervisor, i.sha256, i.hash_algo, i.hash_value,"
    " i.checksum, i.virtual_size_bytes, i.protected, i.hidden, i.tags"
)

# Which images a project may use: its own, everybody's, and those that are shared with it.
_VISIBLE_TO = (
    "i.deleted IS NULL AND (i.visibility IN ('public', 'community')"
    " OR i.project_id = {0} OR i.visibility = 'shared' AND EXISTS (SELECT FROM"
    " image_member m WHERE m.image_id = i.id AND m.project_id = {0}))"
)
_VISIBLE = _VISIBLE_TO.format("%(project)s")


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


def _from_row(row: tuple) -> Image:
    return Image(*row)


_GET = Prepared(
    "image_get",
    f"SELECT {_COLUMNS} FROM image i WHERE i.id = $1 AND {_VISIBLE_TO.format('$2')}",
)


def get(txn: Transaction, project: UUID | None, image_id: UUID) -> Image:
    """
    Return an image that a project may use.

    :raises NotFound: There is none, or it may not.
    """
    row = _GET.one(txn, image_id, project)
    if row is None:
        raise NotFound(f"Image {image_id} could not be found.")
    return _from_row(row)


def listing(
    txn: Transaction, project: UUID | None, wanted: Wanted, limit: int
) -> list[Image]:
    """
    Return the images that a project may use, newest first.

    :raises BadRequest: There is no such marker.
    """
    if (
        wanted.marker is not None
        and one(
            txn,
            f"SELECT true FROM image i WHERE i.id = %(marker)s AND {_VISIBLE}",
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
        f"SELECT {_COLUMNS} FROM image i WHERE {narrowed(_VISIBLE, filters, wanted)}"
        " ORDER BY i.created DESC, i.id DESC LIMIT %(limit)s",
        arguments(wanted, project=project, limit=limit),
    )
    return [_from_row(row) for row in rows]


def add(txn: Transaction, image: Image) -> None:
    """Store a new image."""
    txn.execute(
        f"INSERT INTO image ({_COLUMNS.replace('i.', '')})"
        f" VALUES ({', '.join(['%s'] * len(fields(Image)))})",
        (
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
        ),
    )
