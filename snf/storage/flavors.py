"""Flavors, and who may use those that are not public."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from attrs import frozen
from psycopg2.errors import UniqueViolation
from psycopg2.extras import execute_values

from snf.core.catalog import Flavor
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import arguments, every, narrowed, one

COLUMNS = (
    "f.id, f.name, f.vcpus, f.ram_mib, f.disk_gib, f.disk_template, f.public,"
    " f.deleted, f.description"
)


@frozen
class Wanted:
    """Which flavors a listing asks for; what is None does not narrow it.

    :ivar project: Who may use them.
    """

    project: UUID | None = None
    public: bool | None = None
    ram_mib: int | None = None
    disk_gib: int | None = None
    marker: UUID | None = None


USABLE_BY = (
    "(f.public OR EXISTS (SELECT FROM flavor_access a"
    " WHERE a.flavor_id = f.id AND a.project_id = {}))"
)

_FILTERS = {
    "project": USABLE_BY.format("%(project)s"),
    "public": "f.public = %(public)s",
    "ram_mib": "f.ram_mib >= %(ram_mib)s",
    "disk_gib": "f.disk_gib >= %(disk_gib)s",
    "marker": "(f.ram_mib, f.vcpus, f.disk_gib, f.id) >"
    " (SELECT m.ram_mib, m.vcpus, m.disk_gib, m.id FROM flavor m"
    " WHERE m.id = %(marker)s)",
}


def from_row(row: tuple) -> Flavor:
    """Return the flavor in a row of :data:`COLUMNS`."""
    return Flavor(*row)


_GET = Prepared(
    "flavor_get",
    f"SELECT {COLUMNS} FROM flavor f WHERE f.id = $1"
    f" AND ($2::uuid IS NULL OR {USABLE_BY.format('$2')})",
)


def get(txn: Transaction, flavor_id: UUID, project: UUID | None = None) -> Flavor:
    """
    Return a flavor; deleted ones too, since servers refer to them.

    :param project: Who must be allowed to use it; None for anybody.
    :raises NotFound: There is none.
    """
    row = _GET.one(txn, flavor_id, project)
    if row is None:
        raise NotFound(f"Flavor {flavor_id} could not be found.")
    return from_row(row)


def listing(txn: Transaction, wanted: Wanted, limit: int) -> list[Flavor]:
    """
    Return flavors that are not deleted, smallest first, those after the marker.

    :raises BadRequest: There is no such marker.
    """
    if (
        wanted.marker is not None
        and one(txn, "SELECT true FROM flavor WHERE id = %s", (wanted.marker,)) is None
    ):
        raise BadRequest(f"marker [{wanted.marker}] not found")
    rows = every(
        txn,
        f"SELECT {COLUMNS} FROM flavor f"
        f" WHERE {narrowed('NOT f.deleted', _FILTERS, wanted)}"
        " ORDER BY f.ram_mib, f.vcpus, f.disk_gib, f.id LIMIT %(limit)s",
        arguments(wanted, limit=limit),
    )
    return [from_row(row) for row in rows]


def disk_templates(txn: Transaction) -> list[str]:
    """Return those of the flavors that there are with a disk."""
    rows = every(
        txn,
        "SELECT DISTINCT disk_template FROM flavor"
        " WHERE NOT deleted AND disk_gib > 0 ORDER BY 1",
    )
    return [template for (template,) in rows]


def add(txn: Transaction, flavor: Flavor) -> None:
    """
    Store a new flavor.

    :raises Conflict: The name or the id is taken.
    """
    try:
        txn.execute(
            "INSERT INTO flavor (id, name, vcpus, ram_mib, disk_gib, disk_template,"
            " public, description) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                flavor.id,
                flavor.name,
                flavor.vcpus,
                flavor.ram_mib,
                flavor.disk_gib,
                flavor.disk_template,
                flavor.public,
                flavor.description,
            ),
        )
    except UniqueViolation as failure:
        if failure.diag.constraint_name == "flavor_pkey":
            raise Conflict(f"Flavor with ID {flavor.id} already exists.") from None
        raise Conflict(f"there is a flavor named {flavor.name!r} already") from None


def describe(txn: Transaction, flavor_id: UUID, description: str | None) -> None:
    """Store what is said of a flavor."""
    txn.execute(
        "UPDATE flavor SET description = %s WHERE id = %s", (description, flavor_id)
    )


def delete(txn: Transaction, flavor_id: UUID) -> None:
    """
    Let a flavor not be used for new servers any more; those there are keep it.

    :raises NotFound: There is none, or not any more.
    """
    txn.execute(
        "UPDATE flavor SET deleted = true WHERE id = %s AND NOT deleted", (flavor_id,)
    )
    if not txn.rowcount:
        raise NotFound(f"Flavor {flavor_id} could not be found.")


def projects(txn: Transaction, flavor_id: UUID) -> list[UUID]:
    """Return who may use a flavor that is not public."""
    rows = every(
        txn,
        "SELECT project_id FROM flavor_access WHERE flavor_id = %s ORDER BY project_id",
        (flavor_id,),
    )
    return [project for (project,) in rows]


def allow(txn: Transaction, flavor_id: UUID, project: UUID) -> None:
    """
    Let a project use a flavor.

    :raises Conflict: It may already.
    """
    txn.execute(
        "INSERT INTO flavor_access (flavor_id, project_id) VALUES (%s, %s)"
        " ON CONFLICT DO NOTHING",
        (flavor_id, project),
    )
    if not txn.rowcount:
        raise Conflict(
            f"Flavor access already exists for flavor {flavor_id} and project {project}"
            " combination."
        )


def forbid(txn: Transaction, flavor_id: UUID, project: UUID) -> None:
    """
    Let a project not use a flavor any more.

    :raises NotFound: It may not anyway.
    """
    txn.execute(
        "DELETE FROM flavor_access WHERE flavor_id = %s AND project_id = %s",
        (flavor_id, project),
    )
    if not txn.rowcount:
        raise NotFound(
            f"Flavor access not found for {flavor_id} / {project} combination."
        )


def specs(
    txn: Transaction, flavor_ids: Sequence[UUID]
) -> Mapping[UUID, dict[str, str]]:
    """Return the extra specs of flavors that have some."""
    rows = every(
        txn,
        "SELECT flavor_id, jsonb_object_agg(key, value ORDER BY key)"
        " FROM flavor_extra_spec WHERE flavor_id = ANY(%s) GROUP BY 1",
        (list(flavor_ids),),
    )
    return dict(rows)


def set_specs(txn: Transaction, flavor_id: UUID, wanted: Mapping[str, str]) -> None:
    """Store extra specs of a flavor; others stay."""
    if wanted:
        execute_values(
            txn,
            "INSERT INTO flavor_extra_spec (flavor_id, key, value) VALUES %s"
            " ON CONFLICT (flavor_id, key) DO UPDATE SET value = EXCLUDED.value",
            [(flavor_id, key, value) for key, value in wanted.items()],
        )


def remove_spec(txn: Transaction, flavor_id: UUID, key: str) -> bool:
    """Remove an extra spec of a flavor; whether there was one."""
    txn.execute(
        "DELETE FROM flavor_extra_spec WHERE flavor_id = %s AND key = %s",
        (flavor_id, key),
    )
    return bool(txn.rowcount)
