"""Servers that operators have taken from their owners."""

from uuid import UUID, uuid4

from snf.core import server
from snf.core.order import Kind, Order
from snf.storage import lives, orders, servers
from snf.storage.database import Transaction


def suspend(txn: Transaction, uuid: UUID, request_id: str) -> UUID | None:
    """
    Suspend a server, and order that it be stopped if it may run.

    Doing so again orders it again, where it has been started since.

    :return: The order's id; None where it is at rest.
    :raises NotFound: There is no such server.
    """
    number, cluster = servers.locate(txn, None, uuid)
    before = lives.load(txn, [number])
    _put(txn, number, True)
    order = Order(id=uuid4(), server=number, kind=Kind.STOP)
    after = {one: server.suspend(life, order) for one, life in before.items()}
    if not any(order in life.orders for life in after.values()):
        return None
    orders.add(txn, order, cluster, request_id)
    lives.save(txn, before, after)
    return order.id


def end(txn: Transaction, uuid: UUID) -> None:
    """
    Give a server back to its owner, as it is.

    :raises NotFound: There is no such server.
    """
    number, _ = servers.locate(txn, None, uuid)
    _put(txn, number, False)


def _put(txn: Transaction, number: int, suspended: bool) -> None:
    txn.execute(
        "UPDATE server SET suspended = %s, updated = now() WHERE id = %s",
        (suspended, number),
    )
