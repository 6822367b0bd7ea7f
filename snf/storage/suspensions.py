"""Servers that operators have taken from their owners."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from snf.core import server
from snf.core.order import Kind, Order
from snf.storage import lives, orders, servers
from snf.storage.database import Transaction
from snf.storage.rows import every


def suspend(txn: Transaction, uuid: UUID, request_id: str) -> UUID | None:
    """
    Suspend a server, and order that it be stopped if it may run.

    Doing so again orders it again, where it has been started since.

    :return: The order's id; None where it is at rest.
    :raises NotFound: There is no such server.
    """
    number, cluster = servers.locate(txn, None, uuid)
    _put(txn, number, True)
    ordered = _stop(txn, [number], cluster, request_id)
    return ordered[0].id if ordered else None


def enforce(txn: Transaction, cluster: int) -> list[int]:
    """
    Order that suspended servers of a cluster be stopped that run all the same.

    Somebody has started them at Ganeti, or a resize has, or it did not stop them.

    :return: Their ids; at most 100 at once.
    """
    running = every(
        txn,
        "SELECT s.id FROM server s WHERE s.cluster_id = %s AND s.suspended"
        " AND s.deleted IS NULL AND s.observed = 'up' AND NOT EXISTS (SELECT FROM"
        " orders o WHERE o.server_id = s.id"
        " AND o.state IN ('new', 'submitting', 'submitted')) ORDER BY s.id LIMIT 100",
        (cluster,),
    )
    ordered = _stop(txn, [number for (number,) in running], cluster, None)
    return [order.server for order in ordered]


def end(txn: Transaction, uuid: UUID) -> None:
    """
    Give a server back to its owner, as it is.

    :raises NotFound: There is no such server.
    """
    number, _ = servers.locate(txn, None, uuid)
    _put(txn, number, False)


def _stop(
    txn: Transaction, numbers: Sequence[int], cluster: int, request_id: str | None
) -> list[Order]:
    """Order that servers be stopped; return the orders of those that may run."""
    before = lives.load(txn, numbers)
    after, ordered = {}, []
    for number, life in before.items():
        order = Order(id=uuid4(), server=number, kind=Kind.STOP)
        after[number] = server.suspend(life, order)
        if order in after[number].orders:
            orders.add(txn, order, cluster, request_id)
            ordered.append(order)
    lives.save(txn, before, after)
    return ordered


def _put(txn: Transaction, number: int, suspended: bool) -> None:
    txn.execute(
        "UPDATE server SET suspended = %s, updated = now() WHERE id = %s",
        (suspended, number),
    )
