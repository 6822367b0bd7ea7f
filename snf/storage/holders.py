"""The servers whose nodes have floating IPs, and how they let go of them.

A node has a floating IP by a tag of the instance.  When a server is no longer to have
one, an order takes the tag away; only when Ganeti has carried it out does the server
let go, and the address may be somebody else's, or another server's.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from snf.storage import firewalls
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every

# What a server has that it is not to have.
_SUPERFLUOUS = (
    " FROM floating_ip f LEFT JOIN port p ON p.id = f.port_id"
    " WHERE h.server_id = ANY(%s) AND f.id = h.floating_ip_id"
    " AND h.server_id IS DISTINCT FROM p.server_id"
)


def follow(
    txn: Transaction, servers: Collection[int], request_id: str | None = None
) -> None:
    """Have Ganeti follow what servers are to have now, and let go of all else."""
    if not servers:
        return
    firewalls.order(txn, servers, request_id)
    txn.execute(
        "UPDATE floating_ip_holder h SET ended_by = (SELECT min(o.number) FROM orders o"
        f" WHERE o.server_id = h.server_id AND {firewalls.UNCLAIMED}){_SUPERFLUOUS}",
        (list(servers),),
    )


def unsettled(txn: Transaction, servers: Collection[int]) -> set[int]:
    """Return those of some servers that have what they are not to have."""
    rows = every(
        txn,
        "SELECT h.server_id FROM floating_ip_holder h"
        f" WHERE EXISTS (SELECT{_SUPERFLUOUS})",
        (list(servers),),
    )
    return {server for (server,) in rows}


def _end(name: str, deletion: str) -> Prepared:
    """Return what ends what servers have, and names those that are to have it now."""
    return Prepared(
        name,
        f"WITH gone AS ({deletion} RETURNING h.floating_ip_id)"
        " SELECT DISTINCT p.server_id FROM gone"
        " JOIN floating_ip f ON f.id = gone.floating_ip_id"
        " JOIN port p ON p.id = f.port_id WHERE p.server_id IS NOT NULL"
        " ORDER BY p.server_id",
    )


_CONFIRM = _end(
    "holders_confirm",
    "DELETE FROM floating_ip_holder h USING orders o"
    " WHERE o.id = ANY($1) AND h.server_id = o.server_id AND h.ended_by <= o.number",
)
_LET_GO = _end(
    "holders_let_go", "DELETE FROM floating_ip_holder h WHERE h.server_id = ANY($1)"
)


def confirm(txn: Transaction, orders: Sequence[UUID]) -> None:
    """Have servers let go of what orders have ended that Ganeti has carried out.

    Where others are to have it, that is ordered.
    """
    _follow(txn, _CONFIRM.every(txn, list(orders)))


def let_go(txn: Transaction, servers: Sequence[int]) -> None:
    """Have servers that are gone let go of all, as :func:`confirm` does."""
    _follow(txn, _LET_GO.every(txn, list(servers)))


def _follow(txn: Transaction, rows: Sequence[tuple[int]]) -> None:
    follow(txn, [server for (server,) in rows])
