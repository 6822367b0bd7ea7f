"""Flavors."""

from uuid import UUID

from psycopg2.errors import UniqueViolation

from snf.core.catalog import Flavor
from snf.core.errors import BadRequest, Conflict
from snf.storage.database import Transaction
from snf.storage.rows import every, one, required

COLUMNS = (
    "f.id, f.name, f.vcpus, f.ram_mib, f.disk_gib, f.disk_template, f.public, f.deleted"
)


def from_row(row: tuple) -> Flavor:
    """Return the flavor in a row of :data:`COLUMNS`."""
    return Flavor(*row)


def get(txn: Transaction, flavor_id: UUID) -> Flavor:
    """
    Return a flavor; deleted ones too, since servers refer to them.

    :raises NotFound: There is none.
    """
    return from_row(
        required(
            txn,
            f"Flavor {flavor_id} could not be found.",
            f"SELECT {COLUMNS} FROM flavor f WHERE f.id = %s",
            (flavor_id,),
        )
    )


def listing(txn: Transaction, marker: UUID | None, limit: int) -> list[Flavor]:
    """
    Return public flavors, smallest first, those after a marker.

    :raises BadRequest: There is no such marker.
    """
    if (
        marker is not None
        and one(txn, "SELECT true FROM flavor WHERE id = %s", (marker,)) is None
    ):
        raise BadRequest(f"marker [{marker}] not found")
    rows = every(
        txn,
        f"SELECT {COLUMNS} FROM flavor f WHERE NOT f.deleted AND f.public"
        " AND (%(marker)s IS NULL OR (f.ram_mib, f.vcpus, f.disk_gib, f.id) >"
        " (SELECT m.ram_mib, m.vcpus, m.disk_gib, m.id FROM flavor m"
        " WHERE m.id = %(marker)s))"
        " ORDER BY f.ram_mib, f.vcpus, f.disk_gib, f.id LIMIT %(limit)s",
        {"marker": marker, "limit": limit},
    )
    return [from_row(row) for row in rows]


def add(txn: Transaction, flavor: Flavor) -> None:
    """
    Store a new flavor.

    :raises Conflict: The name is taken.
    """
    try:
        txn.execute(
            "INSERT INTO flavor (id, name, vcpus, ram_mib, disk_gib, disk_template,"
            " public) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                flavor.id,
                flavor.name,
                flavor.vcpus,
                flavor.ram_mib,
                flavor.disk_gib,
                flavor.disk_template,
                flavor.public,
            ),
        )
    except UniqueViolation:
        raise Conflict(f"there is a flavor named {flavor.name!r} already") from None
