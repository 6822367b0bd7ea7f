"""What clusters have room for, as it was last measured."""

from collections.abc import Sequence

from attrs import evolve

from snf.core.placement import Candidate, Capacity
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

COLUMNS = (
    "y.nodes, y.cpus, y.ram_total_mib, y.ram_free_mib, y.disk_total_mib,"
    " y.disk_free_mib, y.instances"
)


def outdated(txn: Transaction, cluster: int, after_s: float) -> bool:
    """Return whether a cluster was measured longer ago than that, or never."""
    fresh = one(
        txn,
        "SELECT true FROM cluster_capacity WHERE cluster_id = %s"
        " AND measured > now() - make_interval(secs => %s)",
        (cluster, after_s),
    )
    return fresh is None


def save(txn: Transaction, cluster: int, capacity: Capacity, age_s: float) -> None:
    """Store what a cluster has; what was asked for since so many seconds is not in it."""
    txn.execute(
        "INSERT INTO cluster_capacity (cluster_id, measured, nodes, cpus,"
        " ram_total_mib, ram_free_mib, disk_total_mib, disk_free_mib, instances)"
        " VALUES (%s, now() - make_interval(secs => %s), %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (cluster_id) DO UPDATE SET measured = EXCLUDED.measured,"
        " nodes = EXCLUDED.nodes, cpus = EXCLUDED.cpus,"
        " ram_total_mib = EXCLUDED.ram_total_mib,"
        " ram_free_mib = EXCLUDED.ram_free_mib,"
        " disk_total_mib = EXCLUDED.disk_total_mib,"
        " disk_free_mib = EXCLUDED.disk_free_mib, instances = EXCLUDED.instances",
        (
            cluster,
            age_s,
            capacity.nodes,
            capacity.cpus,
            capacity.ram_total_mib,
            capacity.ram_free_mib,
            capacity.disk_total_mib,
            capacity.disk_free_mib,
            capacity.instances,
        ),
    )


def get(txn: Transaction) -> dict[int, Capacity]:
    """Return what all clusters have that were ever measured, by their ids."""
    rows = every(txn, f"SELECT y.cluster_id, {COLUMNS} FROM cluster_capacity y")
    return {row[0]: Capacity(*row[1:]) for row in rows}


def from_row(row: Sequence[int | None]) -> Capacity | None:
    """Return the capacity in a row of :data:`COLUMNS`; None of a cluster without."""
    return None if row[0] is None else Capacity(*row)  # type: ignore[arg-type]


_SINCE = Prepared(
    "cluster_since",
    "SELECT c.id, n.count, n.ram, n.disk"
    " FROM cluster c LEFT JOIN cluster_capacity y ON y.cluster_id = c.id"
    " CROSS JOIN LATERAL (SELECT count(*), coalesce(sum(f.ram_mib), 0) ram,"
    "  coalesce(sum(f.disk_gib::bigint * 1024"
    "   * CASE f.disk_template WHEN 'drbd' THEN 2 ELSE 1 END), 0) disk"
    "  FROM server s JOIN flavor f ON f.id = s.flavor_id"
    "  WHERE s.cluster_id = c.id AND s.deleted IS NULL"
    "  AND s.created > coalesce(y.measured, '-infinity')) n"
    " WHERE c.id = ANY($1)",
)


def counted(txn: Transaction, candidates: Sequence[Candidate]) -> list[Candidate]:
    """
    Return clusters with what has been put there since they were measured.

    That takes the longer the more it is.
    """
    rows = _SINCE.every(txn, [one.cluster for one in candidates])
    since = {row[0]: row[1:] for row in rows}
    return [_with(one, *since[one.cluster]) for one in candidates]


def _with(candidate: Candidate, count: int, ram: int, disk: int) -> Candidate:
    return evolve(
        candidate, since=count, since_ram_mib=int(ram), since_disk_mib=int(disk)
    )
