"""The imports of images: how they are getting on, and how they have ended."""

from uuid import UUID

from snf.storage.database import Transaction
from snf.storage.rows import every
from snf.storage.uploads import Upload

_COLUMNS = (
    "u.id, u.image_id, u.kind, u.created, u.updated, u.method, u.state, u.user_id,"
    " u.request_id, u.message, u.received_bytes, u.total_bytes"
)


def of(txn: Transaction, image: UUID) -> list[Upload]:
    """Return the imports of an image, the newest first."""
    rows = every(
        txn,
        f"SELECT {_COLUMNS} FROM image_upload u WHERE u.image_id = %s"
        " AND u.kind = 'import' ORDER BY u.created DESC, u.id LIMIT 100",
        (image,),
    )
    return [Upload(*row) for row in rows]


def listing(
    txn: Transaction, project: UUID | None, only: UUID | None, limit: int
) -> list[Upload]:
    """
    Return imports, the newest first.

    :param project: Of whose images; None for everybody's.
    :param only: The one with this id.
    """
    rows = every(
        txn,
        f"SELECT {_COLUMNS} FROM image_upload u JOIN image i ON i.id = u.image_id"
        " WHERE u.kind = 'import'"
        " AND (%(project)s::uuid IS NULL OR i.project_id = %(project)s)"
        " AND (%(only)s::uuid IS NULL OR u.id = %(only)s)"
        " ORDER BY u.created DESC, u.id LIMIT %(limit)s",
        {"project": project, "only": only, "limit": limit},
    )
    return [Upload(*row) for row in rows]
