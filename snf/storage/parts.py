"""What a new server is made of, read in one statement: each round trip takes its time."""

from uuid import UUID

from attrs import frozen

from snf.core.catalog import Flavor, Image
from snf.storage import flavors, images
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared


@frozen
class Parts:
    """What there is of what somebody wants; None where there is none for them.

    :ivar group: The project's default security group, held until the commit.
    """

    flavor: Flavor | None
    image: Image | None
    group: UUID | None


_GET = Prepared(
    "parts_get",
    f"SELECT {flavors.COLUMNS}, {images.COLUMNS}, (SELECT g.id FROM security_group g"
    " WHERE g.project_id = $1 AND g.is_default FOR KEY SHARE) FROM (SELECT) nothing"
    f" LEFT JOIN flavor f ON f.id = $2 AND ($4 OR {flavors.USABLE_BY.format('$1')})"
    f" LEFT JOIN image i ON i.id = $3 AND {images.USABLE_BY.format('$1')}",
)
_IMAGE_AT = flavors.COLUMNS.count(",") + 1


def get(
    txn: Transaction, project: UUID, flavor: UUID, image: UUID, any_flavor: bool
) -> Parts:
    """
    Return what a project may have a server of; flavors that have been deleted too.

    :param any_flavor: Whether the flavor may be one that is not the project's to use.
    """
    row = _GET.one(txn, project, flavor, image, any_flavor)
    assert row is not None
    return Parts(
        flavor=None if row[0] is None else flavors.from_row(row[:_IMAGE_AT]),
        image=None if row[_IMAGE_AT] is None else images.from_row(row[_IMAGE_AT:-1]),
        group=row[-1],
    )
