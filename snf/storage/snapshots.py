"""Images that are being made of servers' disks: an order, an image and its upload.

Whoever changes one of them locks the server first.  What is to happen to the image when
the order fails, a trigger of the database sees to.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve, frozen

from snf.core.catalog import Image
from snf.core.errors import Gone
from snf.core.image import Status
from snf.core.order import Order, Snapshot
from snf.core.quota import Amounts, Resource
from snf.core.server import Life, with_order
from snf.storage import images, lives, orders, quotas, uploads
from snf.storage.database import Transaction
from snf.storage.rows import every, one
from snf.storage.uploads import Data, Upload

_OPEN = "kind = 'image' AND state IN ('new', 'submitting', 'submitted')"


def add(txn: Transaction, image: Image, upload: Upload, limits: Amounts) -> None:
    """
    Store a new image of which the data is to come from a node.

    :raises QuotaExceeded: Its project may not have a single byte more.
    """
    if image.project is not None:
        known = quotas.limits(txn, image.project, limits)
        one_more = {Resource.IMAGE_BYTES: 1}
        quotas.check(one_more, quotas.used(txn, image.project), known)
    images.add(txn, image)
    uploads.begin(txn, upload, Status.SAVING, limits)


@frozen
class _Work:
    """An open order, its server, locked, and its image's upload."""

    server: int
    life: Life
    order: Order
    image: UUID
    upload: UUID

    def save(self, txn: Transaction, order: Order) -> None:
        """Store the order as it is from now on, and what that makes of the server."""
        after = with_order(self.life, order)
        lives.save(txn, {self.server: self.life}, {self.server: after})


def heard(txn: Transaction, order: UUID, percent: int, now: datetime) -> None:
    """
    Note that a node works at an image, and how far it is.

    :raises Gone: It has been ended.
    """
    # Not locked: this comes every few seconds, and changes nothing of the server.
    row = one(
        txn,
        "UPDATE image_upload u SET percent = greatest(percent, %s), updated = %s"
        f" FROM (SELECT arguments #>> '{{snapshot,image}}' AS image FROM orders"
        f"  WHERE id = %s AND {_OPEN}) o"
        " WHERE u.image_id = o.image::uuid AND u.state = 'running' RETURNING u.id",
        (percent, now, order),
    )
    if row is None:
        raise Gone(_ENDED)


def receive(
    txn: Transaction, order: UUID, total: int | None, now: datetime, limits: Amounts
) -> UUID:
    """
    Begin to take the data of an image; return the upload.

    A node that was cut off begins anew: whoever still takes what came before has to
    find that it is nobody's.

    :raises Gone: It has been ended.
    :raises QuotaExceeded: So many bytes are more than its project may have.
    """
    work = _work(txn, order)
    snapshot = Snapshot(work.image, uploading=True)
    if work.order.snapshot != snapshot:
        uploading = evolve(work.order, snapshot=snapshot)
        orders.save_arguments(txn, uploading)
        work.save(txn, uploading)
    row = one(
        txn,
        "SELECT user_id, request_id, percent FROM image_upload WHERE id = %s",
        (work.upload,),
    )
    assert row is not None
    user, request, percent = row
    uploads.fail(txn, work.upload, "The node begins anew.", now)
    upload = Upload(
        uuid4(),
        work.image,
        "snapshot",
        now,
        now,
        user=user,
        request_id=request,
        total=total,
    )
    uploads.begin(txn, upload, Status.SAVING, limits)
    txn.execute(
        "UPDATE image_upload SET percent = %s WHERE id = %s", (percent, upload.id)
    )
    return upload.id


def succeed(
    txn: Transaction,
    order: UUID,
    upload: UUID,
    data: Data,
    now: datetime,
    limits: Amounts,
    place: Callable[[], None],
) -> None:
    """
    Make an image active with the data that came; its order is done.

    :param place: As for :func:`snf.storage.uploads.succeed`.
    :raises Gone: It has been ended, or has begun anew.
    :raises QuotaExceeded: It is more than its project may have.
    """
    work = _work(txn, order)
    work.save(txn, work.order.ended(None))
    uploads.succeed(txn, upload, data, now, limits, place)
    _rotate(txn, work.image, now)


def rotate(
    txn: Transaction,
    project: UUID,
    server: UUID,
    backup_type: str,
    keep: int,
    now: datetime,
) -> None:
    """Delete the backups of one type of a server, but for the newest ones."""
    rows = every(
        txn,
        "SELECT id, size_bytes FROM image WHERE project_id = %s AND deleted IS NULL"
        " AND NOT protected AND status = 'active'"
        " AND properties @> jsonb_build_object('image_type', 'backup',"
        "  'instance_uuid', %s, 'backup_type', %s)"
        " ORDER BY created DESC, id OFFSET %s FOR NO KEY UPDATE",
        (project, str(server), backup_type, keep),
    )
    for image, size in rows:
        quotas.put_back(txn, project, Resource.IMAGE_BYTES, size)
        images.remove(txn, image, now)


def _rotate(txn: Transaction, image: UUID, now: datetime) -> None:
    made = images.known(txn, image)
    if made is None or made.project is None:
        return
    said = made.properties
    if said.get("image_type") == "backup" and said.get("rotation", "").isdecimal():
        server, kind = UUID(said["instance_uuid"]), said["backup_type"]
        rotate(txn, made.project, server, kind, int(said["rotation"]), now)


def fail(txn: Transaction, order: UUID, message: str) -> None:
    """
    End an order of which no image comes.

    :raises Gone: It has been ended already.
    """
    work = _work(txn, order)
    work.save(txn, work.order.ended(message))


def call_off(txn: Transaction, image: UUID, message: str) -> bool:
    """Return whether an image was being made, which has ended now, and the image too."""
    row = one(
        txn,
        f"SELECT id FROM orders WHERE {_OPEN}"
        " AND arguments #>> '{snapshot,image}' = %s",
        (str(image),),
    )
    if row is None:
        return False
    try:
        fail(txn, row[0], message)
    except Gone:
        return False
    return True


def abandoned(txn: Transaction, silent_since: datetime) -> list[UUID]:
    """
    End the orders of whose nodes nobody has heard for long; return their ids.

    Those are left alone that Ganeti has not taken, or has not come to yet: they wait
    for a cluster, and that is told elsewhere.
    """
    rows = every(
        txn,
        "SELECT o.id FROM image_upload u JOIN orders o ON o.kind = 'image'"
        " AND o.arguments #>> '{snapshot,image}' = u.image_id::text"
        " WHERE u.state = 'running' AND u.kind = 'snapshot' AND u.updated < %s"
        " AND o.state = 'submitted' AND o.claimed < %s ORDER BY o.number LIMIT 100",
        (silent_since, silent_since),
    )
    return [order for (order,) in rows if _given_up(txn, order)]


def _given_up(txn: Transaction, order: UUID) -> bool:
    try:
        fail(txn, order, "Nothing was heard of the node that makes the image")
    except Gone:
        return False
    return True


def busy(txn: Transaction, servers: Sequence[int]) -> set[int]:
    """Return those of some servers of which images are being made."""
    rows = every(
        txn,
        f"SELECT server_id FROM orders WHERE server_id = ANY(%s) AND {_OPEN}",
        (list(servers),),
    )
    return {server for (server,) in rows}


def percents(txn: Transaction, of: Sequence[Image]) -> dict[UUID, int]:
    """Return how far those of some images are that are being made of servers."""
    made = [image.id for image in of if image.status == Status.SAVING]
    if not made:
        return {}
    rows = every(
        txn,
        "SELECT image_id, percent FROM image_upload WHERE image_id = ANY(%s)"
        " AND state = 'running' AND kind = 'snapshot'",
        (made,),
    )
    return dict(rows)


def _work(txn: Transaction, order: UUID) -> _Work:
    """
    Return what belongs to an open order, and have others wait for it.

    :raises Gone: It is not open, or there is none.
    """
    row: Any = one(
        txn, f"SELECT server_id FROM orders WHERE id = %s AND {_OPEN}", (order,)
    )
    if row is not None:
        [server] = row
        life = lives.load(txn, [server]).get(server, Life())
        for known in life.orders:
            if known.id == order and known.snapshot is not None:
                image = known.snapshot.image
                images.hold(txn, image)
                upload = uploads.under_way(txn, image)
                if upload is not None:
                    return _Work(server, life, known, image, upload)
    raise Gone(_ENDED)


_ENDED = "No image is made for this order, or no longer."
