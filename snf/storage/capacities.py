"""What clusters have room for, as it was last measured."""

from uuid import UUID

from snf.core.placement import Candidate, Capacity, Need
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

_COLUMNS = (
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
    rows = every(txn, f"SELECT y.cluster_id, {_COLUMNS} FROM cluster_capacity y")
    return {row[0]: Capacity(*row[1:]) for row in rows}


_CANDIDATES = Prepared(
    "cluster_candidates",
    f"SELECT c.id, c.unreachable_since IS NULL, n.count, n.ram, n.disk, {_COLUMNS}"
    " FROM cluster c LEFT JOIN cluster_capacity y ON y.cluster_id = c.id"
    " CROSS JOIN LATERAL (SELECT count(*), coalesce(sum(f.ram_mib), 0) ram,"
    "  coalesce(sum(f.disk_gib::bigint * 1024"
    "   * CASE f.disk_template WHEN 'drbd' THEN 2 ELSE 1 END), 0) disk"
    "  FROM server s JOIN flavor f ON f.id = s.flavor_id"
    "  WHERE s.cluster_id = c.id AND s.deleted IS NULL"
    "  AND s.created > coalesce(y.measured, '-infinity')) n"
    " WHERE NOT c.drained AND NOT c.offline"
    " AND (c.disk_templates = '{}' OR $1 = ANY(c.disk_templates))"
    " AND CASE WHEN EXISTS"
    "  (SELECT FROM cluster_project WHERE project_id = $2)"
    " THEN EXISTS (SELECT FROM cluster_project p"
    "  WHERE p.cluster_id = c.id AND p.project_id = $2)"
    " ELSE NOT EXISTS (SELECT FROM cluster_project p WHERE p.cluster_id = c.id)"
    " END",
)


def candidates(txn: Transaction, project: UUID, need: Need) -> list[Candidate]:
    """
    Return the clusters on which a project's new server may be.

    A project that has clusters of its own has its servers there only, and no other
    project has.
    """
    rows = _CANDIDATES.every(txn, need.disk_template, project)
    return [
        Candidate(
            cluster=row[0],
            reachable=row[1],
            since=row[2],
            since_ram_mib=int(row[3]),
            since_disk_mib=int(row[4]),
            capacity=None if row[5] is None else Capacity(*row[5:]),
        )
        for row in rows
    ]
