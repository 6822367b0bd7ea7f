"""Which networks are on which clusters."""

from collections.abc import Collection, Sequence
from uuid import UUID

from attrs import frozen

from snf.core.wiring import Wiring, wiring
from snf.storage import networks, subnets
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
    known = subnets.of_networks(txn, ids)
    return {
        network.id: wiring(network, known.get(network.id, ()))
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
        " WHERE cluster_id = %s AND network_id = %s",
        (sorted(groups), cluster, network),
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
