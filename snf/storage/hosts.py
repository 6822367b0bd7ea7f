"""Clusters as the compute API's operators see them: as hosts, with what runs there."""

from attrs import frozen

from snf.core.catalog import Cluster
from snf.core.placement import Capacity
from snf.storage import capacities, clusters
from snf.storage.database import Transaction
from snf.storage.rows import every


@frozen
class Host:
    """A cluster, what it was measured to have, and our servers there."""

    cluster: Cluster
    capacity: Capacity | None
    servers: int
    vcpus: int
    building: int


def listing(txn: Transaction) -> list[Host]:
    """Return all clusters as hosts, by name."""
    rows = every(
        txn,
        "SELECT s.cluster_id, count(*), sum(f.vcpus),"
        " count(*) FILTER (WHERE s.task IS NOT NULL)"
        " FROM server s JOIN flavor f ON f.id = s.flavor_id"
        " WHERE s.deleted IS NULL GROUP BY 1",
    )
    there = {row[0]: row[1:] for row in rows}
    measured = capacities.get(txn)
    return [
        Host(one, measured.get(one.id), *there.get(one.id, (0, 0, 0)))
        for one in clusters.listing(txn)
    ]
