"""With which projects images are shared."""

from datetime import datetime
from uuid import UUID

from attrs import frozen
from psycopg2.errors import UniqueViolation

from snf.core.errors import Conflict, TooLarge
from snf.storage.database import Transaction
from snf.storage.rows import every, one

# With how many an image may be shared (Glance's image_member_quota).
AT_MOST = 128


@frozen
class Member:
    """A project with which an image is shared, and what it thinks of that."""

    image: UUID
    project: UUID
    status: str
    created: datetime
    updated: datetime


_SELECT = (
    "SELECT image_id, project_id, status, created, updated FROM image_member"
    " WHERE image_id = %s"
)


def of(txn: Transaction, image: UUID) -> list[Member]:
    """Return all members of an image, in the order in which they became such."""
    rows = every(txn, f"{_SELECT} ORDER BY created, project_id", (image,))
    return [Member(*row) for row in rows]


def get(txn: Transaction, image: UUID, project: UUID) -> Member | None:
    """Return one member; None when the project is none."""
    row = one(txn, f"{_SELECT} AND project_id = %s", (image, project))
    return None if row is None else Member(*row)


def add(txn: Transaction, member: Member) -> None:
    """
    Share an image, which the transaction holds, with a project.

    :raises Conflict: It is shared with it already.
    :raises TooLarge: It is shared with too many.
    """
    try:
        txn.execute(
            "INSERT INTO image_member (image_id, project_id, status, created, updated)"
            " VALUES (%s, %s, %s, %s, %s)",
            (
                member.image,
                member.project,
                member.status,
                member.created,
                member.updated,
            ),
        )
    except UniqueViolation:
        raise Conflict(
            f"Image {member.image} is already shared with {member.project}."
        ) from None
    if len(of(txn, member.image)) > AT_MOST:
        raise TooLarge(f"An image may be shared with {AT_MOST} projects at most")


def change(txn: Transaction, member: Member) -> None:
    """Store what a project thinks of an image from now on."""
    txn.execute(
        "UPDATE image_member SET status = %s, updated = %s"
        " WHERE image_id = %s AND project_id = %s",
        (member.status, member.updated, member.image, member.project),
    )


def remove(txn: Transaction, image: UUID, project: UUID) -> bool:
    """Share an image with a project no more, and return whether it was."""
    txn.execute(
        "DELETE FROM image_member WHERE image_id = %s AND project_id = %s",
        (image, project),
    )
    return bool(txn.rowcount)
