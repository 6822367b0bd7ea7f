"""What there should be on a cluster, by what has been ordered: for one that is played."""

from attrs import evolve, frozen

from snf.core.order import Kind, Order
from snf.core.server import Observed
from snf.storage.database import Transaction
from snf.storage.orders import COLUMNS, from_row
from snf.storage.rows import every, one


@frozen
class Built:
    """A server that has not been deleted.

    ``create`` is the order of its build, as large as it has become since;
    ``under_way`` is what the newest order asks for that Ganeti has a job of, if one is
    still open.
    """

    create: Order
    observed: Observed
    failed: bool
    under_way: Kind | None


def on_cluster(txn: Transaction, cluster: int) -> list[Built]:
    """Return all of a cluster."""
    rows = every(
        txn,
        f"SELECT {COLUMNS}, s.observed, s.fault IS NOT NULL,"
        " (SELECT e.kind FROM orders e WHERE e.server_id = s.id"
        "  AND e.state = 'submitted' ORDER BY e.number DESC LIMIT 1),"
        " f.vcpus, f.ram_mib, greatest(f.disk_gib, s.disk_gib)"
        " FROM server s JOIN orders o ON o.server_id = s.id AND o.kind = 'create'"
        " JOIN flavor f ON f.id = s.flavor_id"
        " WHERE s.cluster_id = %s AND s.deleted IS NULL ORDER BY s.id",
        (cluster,),
    )
    return [
        Built(
            create=_grown(from_row(row[:8]), *row[11:]),
            observed=Observed(row[8]),
            failed=row[9],
            under_way=None if row[10] is None else Kind(row[10]),
        )
        for row in rows
    ]


def _grown(create: Order, vcpus: int, ram_mib: int, disk_gib: int) -> Order:
    if create.build is None:
        return create
    build = evolve(create.build, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
    return evolve(create, build=build)


def last_job(txn: Transaction, cluster: int) -> int:
    """Return the highest job id that is known of a cluster; 0 when none is."""
    row = one(
        txn,
        "SELECT greatest(c.last_job, (SELECT max(o.job) FROM orders o"
        " WHERE o.cluster_id = c.id)) FROM cluster c WHERE c.id = %s",
        (cluster,),
    )
    return 0 if row is None else row[0]
