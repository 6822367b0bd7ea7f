"""Which networks are on which clusters."""

from collections.abc import Collection, Sequence
from uuid import UUID

from attrs import frozen

from snf.core.wiring import Wiring, wiring
from snf.storage import networks, subnets
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every


@frozen
class Connected:
    """
    A network as it is to be on a cluster, and how far it is.

    :ivar made: Whether the cluster has it.
    :ivar groups: The node groups that it is connected to there.
    :ivar changed: How often the wiring had become another when it was read, at least.
    :ivar outdated: Whether the cluster has not been told of some of that.
    """

    wiring: Wiring
    made: bool
    groups: frozenset[str]
    changed: int
    outdated: bool


def wirings(txn: Transaction, ids: Collection[UUID]) -> dict[UUID, Wiring]:
    """Return what clusters are told of networks."""
    known = subnets.of_networks(txn, ids)
    return {
        network.id: wiring(network, known.get(network.id, ()))
        for network in networks.of_ids(txn, ids)
    }


_HOLD = Prepared(
    "networks_hold",
    "SELECT FROM network WHERE id = ANY($1) ORDER BY id FOR SHARE",
)
_ADD = Prepared(
    "cluster_networks_add",
    "INSERT INTO cluster_network (cluster_id, network_id)"
    " SELECT $1, n.id FROM network n WHERE n.id = ANY($2) ORDER BY n.id"
    " ON CONFLICT DO NOTHING",
)


def needed(
    txn: Transaction, cluster: int, ids: Collection[UUID]
) -> dict[UUID, Connected]:
    """
    Return networks that NICs are to be on, and remember that the cluster may have them.

    This is to be committed before the cluster is asked for anything.
    """
    # So that no change is lost between what is read and what others see is there.
    _HOLD.later(txn, list(ids))
    _ADD.later(txn, cluster, list(ids))
    return _connected(txn, cluster, ids)


def known(txn: Transaction, cluster: int, network: UUID) -> Connected | None:
    """Return a network as it is to be on a cluster; None where it is not to be."""
    return _connected(txn, cluster, [network]).get(network)


_STATE = Prepared(
    "cluster_networks_state",
    "SELECT network_id, state = 'made', groups, changed, told < changed"
    " FROM cluster_network WHERE cluster_id = $1 AND network_id = ANY($2)",
)


def _connected(
    txn: Transaction, cluster: int, ids: Collection[UUID]
) -> dict[UUID, Connected]:
    # First how often it has changed: what is read after that is not older.
    rows = _STATE.every(txn, cluster, list(ids))
    told = wirings(txn, ids)
    return {
        network: Connected(told[network], made, frozenset(groups), *counts)
        for network, made, groups, *counts in rows
        if network in told
    }


def made(
    txn: Transaction,
    cluster: int,
    network: UUID,
    groups: Collection[str],
    changed: int,
) -> None:
    """
    Store that a cluster has a network, connected to node groups.

    :param changed: What it was told of the network is as new as that.
    """
    txn.execute(
        "UPDATE cluster_network SET told = CASE state WHEN 'made' THEN told ELSE %s END,"
        " state = 'made', groups = %s WHERE cluster_id = %s AND network_id = %s",
        (changed, sorted(groups), cluster, network),
    )


_OUTDATED = Prepared(
    "cluster_networks_outdated",
    "SELECT cluster_id, network_id FROM cluster_network"
    " WHERE told < changed AND state = 'made' ORDER BY cluster_id, network_id",
)


def outdated(txn: Transaction) -> dict[int, list[UUID]]:
    """Return the networks that clusters know as they were before, by cluster."""
    found: dict[int, list[UUID]] = {}
    for cluster, network in _OUTDATED.every(txn):
        found.setdefault(cluster, []).append(network)
    return found


def told(txn: Transaction, cluster: int, network: UUID, changed: int) -> None:
    """Store that a cluster knows of so many changes of a network."""
    txn.execute(
        "UPDATE cluster_network SET told = greatest(told, %s)"
        " WHERE cluster_id = %s AND network_id = %s",
        (changed, cluster, network),
    )


def missing(txn: Transaction, cluster: int, network: UUID) -> None:
    """Store that a cluster does not have a network after all: it is made when needed."""
    txn.execute(
        "UPDATE cluster_network SET state = 'making', groups = '{}', told = changed"
        " WHERE cluster_id = %s AND network_id = %s",
        (cluster, network),
    )


def condemned(txn: Transaction, cluster: int) -> Sequence[UUID]:
    """Return the networks that have been deleted and that a cluster may have still."""
    rows = every(
        txn,
        "SELECT c.network_id FROM cluster_network c JOIN network n"
        " ON n.id = c.network_id WHERE c.cluster_id = %s AND n.deleted IS NOT NULL"
        " ORDER BY c.network_id",
        (cluster,),
    )
    return [network for (network,) in rows]


def removed(txn: Transaction, cluster: int, network: UUID) -> None:
    """Store that a cluster has a network no more, and free it where none has it."""
    txn.execute(
        "DELETE FROM cluster_network WHERE cluster_id = %s AND network_id = %s",
        (cluster, network),
    )
    networks.free(txn, [network])
