"""How images get their data: what is under way, and what came of it.

Of each image one upload at most is under way.  Who works at one says so from time to
time (:func:`progress`); one that nobody has worked at for a while is of a process that
has died, and anybody may end it (:func:`abandoned`).

What a project's images hold is counted while it comes, so that nobody gets more onto the
disk than the project may have.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from attrs import frozen
from psycopg2.extras import Json

from snf.core.errors import Gone
from snf.core.image import Status
from snf.core.quota import Amounts, Resource
from snf.storage import quotas
from snf.storage.database import Transaction
from snf.storage.rows import every, one

_BYTES = Resource.IMAGE_BYTES


@frozen
class Upload:
    """How an image gets its data.

    :ivar kind: ``upload``, ``stage`` or ``import``.
    :ivar method: Of an import: ``glance-direct`` or ``web-download``.
    :ivar state: ``running``, ``staged``, ``success`` or ``failure``.
    :ivar total: How many bytes there will be; None when nobody has said.
    """

    id: UUID
    image: UUID
    kind: str
    created: datetime
    updated: datetime
    method: str | None = None
    state: str = "running"
    user: UUID | None = None
    request_id: str | None = None
    message: str = ""
    received: int = 0
    total: int | None = None


@frozen
class Data:
    """What has been found out of data that came: sizes in bytes, hashes in hex."""

    size: int
    sha256: str
    sha512: str
    md5: str
    virtual_size: int | None


def begin(txn: Transaction, upload: Upload, status: Status, limits: Amounts) -> None:
    """
    Begin, and give the image, which the transaction holds, its status.

    :param limits: The limits of a project for which none are set.
    :raises QuotaExceeded: So many bytes would be more than its project may have.
    """
    txn.execute(
        "INSERT INTO image_upload (id, image_id, kind, created, updated, method, state,"
        " user_id, request_id, message, received_bytes, total_bytes)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            upload.id,
            upload.image,
            upload.kind,
            upload.created,
            upload.updated,
            upload.method,
            upload.state,
            upload.user,
            upload.request_id,
            upload.message,
            upload.received,
            upload.total,
        ),
    )
    txn.execute(
        "UPDATE image SET status = %s, updated = %s WHERE id = %s",
        (status.value, upload.created, upload.image),
    )
    if upload.total:
        _count(txn, _held(txn, upload.id), upload.total, limits)


def running(txn: Transaction, project: UUID | None) -> int:
    """Return how many uploads of a project's images are under way."""
    row = one(
        txn,
        "SELECT count(*) FROM image_upload u JOIN image i ON i.id = u.image_id"
        " WHERE u.state = 'running' AND i.project_id IS NOT DISTINCT FROM %s",
        (project,),
    )
    return 0 if row is None else row[0]


def progress(
    txn: Transaction, upload_id: UUID, received: int, now: datetime, limits: Amounts
) -> None:
    """
    Note that somebody works at an upload, and how far it is.

    :raises Gone: It has been ended: its image was deleted, or nobody was heard of.
    :raises QuotaExceeded: So many bytes are more than the project may have.
    """
    _note(txn, upload_id, "received_bytes", received, now, limits)


def expect(
    txn: Transaction, upload_id: UUID, total: int, now: datetime, limits: Amounts
) -> None:
    """
    Note how many bytes there will be.

    :raises Gone: It has been ended.
    :raises QuotaExceeded: They are more than the project may have.
    """
    _note(txn, upload_id, "total_bytes", total, now, limits)


def _note(
    txn: Transaction,
    upload_id: UUID,
    column: str,
    size: int,
    now: datetime,
    limits: Amounts,
) -> None:
    """Note a number of bytes, and count them if they are more than any before."""
    held = _held(txn, upload_id)
    txn.execute(
        f"UPDATE image_upload SET {column} = %s, updated = %s WHERE id = %s",
        (size, now, upload_id),
    )
    if size > held.counted:
        _count(txn, held, size, limits)


def keep(
    txn: Transaction, upload_id: UUID, data: Data, now: datetime, limits: Amounts
) -> None:
    """
    Note that what is to be imported later has come in full.

    :raises Gone: It has been ended.
    :raises QuotaExceeded: It is more than the project may have.
    """
    _count(txn, _held(txn, upload_id), data.size, limits)
    found = {
        "size": data.size,
        "sha256": data.sha256,
        "sha512": data.sha512,
        "md5": data.md5,
        "virtual_size": data.virtual_size,
    }
    txn.execute(
        "UPDATE image_upload SET state = 'staged', received_bytes = %s, found = %s,"
        " updated = %s WHERE id = %s",
        (data.size, Json(found), now, upload_id),
    )


def staged(txn: Transaction, image: UUID) -> tuple[UUID, Data] | None:
    """Return the upload that is staged for an image, and what is known of its data."""
    row = one(
        txn,
        "SELECT id, found FROM image_upload WHERE image_id = %s AND state = 'staged'",
        (image,),
    )
    return None if row is None else (row[0], Data(**row[1]))


def as_import(txn: Transaction, upload_id: UUID, method: str, request_id: str) -> None:
    """Note that what was staged is imported now."""
    txn.execute(
        "UPDATE image_upload SET kind = 'import', method = %s, request_id = %s"
        " WHERE id = %s",
        (method, request_id, upload_id),
    )


def succeed(
    txn: Transaction,
    upload_id: UUID,
    data: Data,
    now: datetime,
    limits: Amounts,
    place: Callable[[], None],
) -> None:
    """
    Make an image active with the data that came.

    :param place: Puts the file where it is found by its content.  It may be called
        again after it has been.
    :raises Gone: The upload has been ended.
    :raises QuotaExceeded: It is more than the project may have.
    """
    held = _held(txn, upload_id)
    _count(txn, held, data.size, limits)
    txn.execute(
        "UPDATE image SET status = %s, updated = %s, size_bytes = %s, sha256 = %s,"
        " hash_algo = 'sha512', hash_value = %s, checksum = %s, virtual_size_bytes = %s"
        " WHERE id = %s",
        (
            Status.ACTIVE.value,
            now,
            data.size,
            data.sha256,
            data.sha512,
            data.md5,
            data.virtual_size,
            held.image,
        ),
    )
    txn.execute(
        "UPDATE image_upload SET state = 'success', received_bytes = %s,"
        " counted_bytes = 0, found = NULL, updated = %s WHERE id = %s",
        (data.size, now, upload_id),
    )
    # From here on nobody finds the file to be nobody's.
    _hold_content(txn, data.sha256)
    place()


def fail(txn: Transaction, upload_id: UUID, message: str, now: datetime) -> bool:
    """
    End an upload of which nothing comes, and have its image wait for another one.

    Returns whether it had not been ended yet.
    """
    try:
        held = _held(txn, upload_id)
    except Gone:
        return False
    _end(txn, held, message, now)
    txn.execute(
        "UPDATE image SET status = %s, updated = %s WHERE id = %s",
        (Status.QUEUED.value, now, held.image),
    )
    return True


def drop(txn: Transaction, image: UUID, now: datetime) -> None:
    """End what is under way for an image that is being deleted."""
    row = one(
        txn,
        "SELECT id FROM image_upload WHERE image_id = %s"
        " AND state IN ('running', 'staged')",
        (image,),
    )
    if row is not None:
        _end(txn, _held(txn, row[0]), "The image was deleted.", now)


def abandoned(
    txn: Transaction, silent_since: datetime, staged_since: datetime, now: datetime
) -> list[UUID]:
    """
    End the uploads of which nobody was heard for long; return their ids.

    :param staged_since: What was staged before that is not imported any more.
    """
    rows = every(
        txn,
        "SELECT id, state FROM image_upload WHERE state = 'running' AND updated < %s"
        " OR state = 'staged' AND updated < %s ORDER BY id LIMIT 100",
        (silent_since, staged_since),
    )
    reasons = {
        "running": "It was interrupted.",
        "staged": "What was staged has not been imported in time.",
    }
    return [upload for upload, state in rows if fail(txn, upload, reasons[state], now)]


def open_ones(txn: Transaction, among: Sequence[UUID]) -> set[UUID]:
    """Return which of some uploads are under way, or staged."""
    rows = every(
        txn,
        "SELECT id FROM image_upload WHERE id = ANY(%s)"
        " AND state IN ('running', 'staged')",
        (list(among),),
    )
    return {upload for (upload,) in rows}


def unused(txn: Transaction, among: Sequence[str]) -> list[str]:
    """Return which of some SHA-256s no image has, and no server is being made of."""
    rows = every(
        txn,
        "SELECT a.sha256 FROM unnest(%s::text[]) a (sha256) WHERE NOT EXISTS"
        " (SELECT FROM image i WHERE i.sha256 = a.sha256 AND (i.deleted IS NULL"
        " OR EXISTS (SELECT FROM server s JOIN orders o ON o.server_id = s.id"
        " WHERE s.image_id = i.id AND o.state IN ('new', 'submitting', 'submitted'))))",
        (list(among),),
    )
    return [sha256 for (sha256,) in rows]


def forget(txn: Transaction, sha256: str, unlink: Callable[[], None]) -> bool:
    """
    Remove the file of some data if nobody has it; return whether it was removed.

    :param unlink: Removes it.  It may be called again after it has been.
    """
    _hold_content(txn, sha256)
    if not unused(txn, [sha256]):
        return False
    unlink()
    return True


@frozen
class _Held:
    """An upload under way that others wait for."""

    id: UUID
    image: UUID
    project: UUID | None
    counted: int


def _held(txn: Transaction, upload_id: UUID) -> _Held:
    """
    Return an upload that is under way, and have others wait for it.

    :raises Gone: It has been ended.
    """
    # The image first, as everybody does.
    row = one(
        txn,
        "SELECT i.id, i.project_id FROM image i WHERE i.deleted IS NULL AND i.id ="
        " (SELECT u.image_id FROM image_upload u WHERE u.id = %s) FOR NO KEY UPDATE",
        (upload_id,),
    )
    counted = one(
        txn,
        "SELECT counted_bytes FROM image_upload WHERE id = %s"
        " AND state IN ('running', 'staged') FOR UPDATE",
        (upload_id,),
    )
    if row is None or counted is None:
        raise Gone(
            "The upload has been ended: the image was deleted, or it took too long."
        )
    image, project = row
    return _Held(upload_id, image, project, counted[0])


def _count(txn: Transaction, held: _Held, size: int, limits: Amounts) -> None:
    """
    Count so many bytes for an upload, and no others.

    :raises QuotaExceeded: They are more than the project may have.
    """
    more = size - held.counted
    if held.project is not None and more > 0:
        quotas.take(txn, held.project, {_BYTES: more}, limits)
    elif held.project is not None and more < 0:
        quotas.put_back(txn, held.project, _BYTES, -more)
    txn.execute(
        "UPDATE image_upload SET counted_bytes = %s WHERE id = %s", (size, held.id)
    )


def _end(txn: Transaction, held: _Held, message: str, now: datetime) -> None:
    if held.project is not None:
        quotas.put_back(txn, held.project, _BYTES, held.counted)
    txn.execute(
        "UPDATE image_upload SET state = 'failure', message = %s, counted_bytes = 0,"
        " found = NULL, updated = %s WHERE id = %s",
        (message, now, held.id),
    )


def _hold_content(txn: Transaction, sha256: str) -> None:
    """Have others wait who put or remove the file of some data."""
    number = int(sha256[:16], 16) - 2**63
    txn.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
