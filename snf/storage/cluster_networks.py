"""Which networks are on which clusters."""

from collections.abc import Collection, Sequence
from uuid import UUID

from attrs import frozen

from snf.core.wiring import Wiring, wiring
from snf.storage import networks
from snf.storage.database import Transaction
from snf.storage.rows import every


@frozen
class Connected:
    """
    A network as it is to be on a cluster, and how far it is.

    :ivar made: Whether the cluster has it.
    :ivar groups: The node groups that it is connected to there.
    """

    wiring: Wiring
    made: bool
    groups: frozenset[str]


def wirings(txn: Transaction, ids: Collection[UUID]) -> dict[UUID, Wiring]:
    """Return what clusters are told of networks."""
    subnets = networks.subnets_of(txn, ids)
    return {
        network.id: wiring(network, subnets.get(network.id, ()))
        for network in networks.of_ids(txn, ids)
    }


def needed(
    txn: Transaction, cluster: int, ids: Collection[UUID]
) -> dict[UUID, Connected]:
    """
    Return networks that NICs are to be on, and remember that the cluster may have them.

    This is to be committed before the cluster is asked for anything.
    """
    txn.execute(
        "INSERT INTO cluster_network (cluster_id, network_id)"
        " SELECT %s, n.id FROM network n WHERE n.id = ANY(%s) ORDER BY n.id"
        " ON CONFLICT DO NOTHING",
        (cluster, list(ids)),
    )
    rows = every(
        txn,
        "SELECT network_id, state = 'made', groups FROM cluster_network"
        " WHERE cluster_id = %s AND network_id = ANY(%s)",
        (cluster, list(ids)),
    )
    told = wirings(txn, ids)
    return {
        network: Connected(told[network], made, frozenset(groups))
        for network, made, groups in rows
    }


def made(
    txn: Transaction, cluster: int, network: UUID, groups: Collection[str]
) -> None:
    """Store that a cluster has a network, connected to node groups."""
    txn.execute(
        "UPDATE cluster_network SET state = 'made', groups = %s"
        " WHERE cluster_id = %s AND network_id = %s AND state <> 'removing'",
        (sorted(groups), cluster, network),
    )


def condemn(txn: Transaction, network: UUID) -> bool:
    """
    Have all clusters that have a network remove it; return whether any has it.

    It must have no ports, and can get none from here on.
    """
    txn.execute(
        "UPDATE cluster_network SET state = 'removing' WHERE network_id = %s",
        (network,),
    )
    return txn.rowcount > 0


def condemned(txn: Transaction, cluster: int) -> Sequence[UUID]:
    """Return the networks that a cluster is to remove."""
    rows = every(
        txn,
        "SELECT network_id FROM cluster_network WHERE cluster_id = %s"
        " AND state = 'removing' ORDER BY network_id",
        (cluster,),
    )
    return [network for (network,) in rows]


def removed(txn: Transaction, cluster: int, network: UUID) -> bool:
    """Store that a cluster has a network no more; return whether none has it."""
    txn.execute(
        "DELETE FROM cluster_network WHERE cluster_id = %s AND network_id = %s",
        (cluster, network),
    )
    left = every(
        txn, "SELECT FROM cluster_network WHERE network_id = %s LIMIT 1", (network,)
    )
    return not left
