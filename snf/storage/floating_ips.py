"""Floating IPs: whose they are, what they stand for, and which nodes have them."""

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from uuid import UUID

from attrs import frozen
from psycopg2.errors import UniqueViolation

from snf.core import floating_ip
from snf.core.address import IPAddress
from snf.core.errors import Conflict
from snf.core.floating_ip import FloatingIP, Use
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.rows import every, one

_COLUMNS = (
    "f.id, f.project_id, f.network_id, host(a.address), f.created, f.updated,"
    " f.port_id, host(f.fixed), s.uuid, f.description, f.tags, f.revision"
)


def _from_row(row: tuple) -> FloatingIP:
    fixed = None if row[6] is None else ip_address(row[7])
    return FloatingIP(
        *row[:3],
        ip_address(row[3]),
        *row[4:7],
        fixed,
        *row[8:10],
        tuple(row[10]),
        row[11],
    )


_OWNER = Field("f.project_id::text")

FLOATING_IPS = Listed(
    columns=_COLUMNS,
    source="floating_ip f JOIN address a ON a.floating_ip_id = f.id"
    " LEFT JOIN port p ON p.id = f.port_id LEFT JOIN server s ON s.id = p.server_id",
    make=_from_row,
    id="f.id",
    visible="f.project_id = %(project)s",
    always="f.deleted IS NULL",
    tags="f.tags",
    fields={
        "id": Field("f.id", Type.ID),
        "description": Field("f.description"),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "floating_network_id": Field("f.network_id", Type.ID),
        "floating_ip_address": Field("a.address", Type.ADDRESS),
        "fixed_ip_address": Field(
            "CASE WHEN f.port_id IS NOT NULL THEN f.fixed END",
            Type.ADDRESS,
            sorts=False,
        ),
        "port_id": Field("coalesce(f.port_id::text, '')"),
        # There are none.
        "router_id": Field("''"),
        "status": Field("CASE WHEN f.port_id IS NULL THEN 'DOWN' ELSE 'ACTIVE' END"),
        "revision_number": Field("f.revision", Type.NUMBER),
    },
)


@frozen
class New:
    """What is stored of a floating IP when it is asked for."""

    id: UUID
    project: UUID
    user: UUID
    network: UUID
    description: str = ""


def add(txn: Transaction, new: New) -> None:
    """Store a new one, which has no address yet."""
    txn.execute(
        "INSERT INTO floating_ip (id, project_id, user_id, network_id, description)"
        " VALUES (%s, %s, %s, %s, %s)",
        (new.id, new.project, new.user, new.network, new.description),
    )


def lock(txn: Transaction, floating: UUID) -> None:
    """Let nobody else change one until the commit."""
    txn.execute("SELECT FROM floating_ip WHERE id = %s FOR UPDATE", (floating,))


def describe(txn: Transaction, floating: UUID, description: str) -> None:
    """Store what its owner says of one."""
    txn.execute(
        "UPDATE floating_ip SET description = %s, updated = now(),"
        " revision = revision + 1 WHERE id = %s",
        (description, floating),
    )


def associate(
    txn: Transaction, floating: UUID, port: UUID, fixed: IPAddress
) -> list[int]:
    """
    Have one stand for an address of a port, and for nothing else.

    Return the servers whose nodes have to be told.

    :raises Conflict: Another one does already.
    """
    try:
        txn.execute(
            "UPDATE floating_ip SET port_id = %s, fixed = %s, updated = now(),"
            " revision = revision + 1 WHERE id = %s",
            (port, str(fixed), floating),
        )
    except UniqueViolation:
        raise Conflict(f"fixed IP {fixed} has a floating IP already") from None
    rows = every(
        txn,
        "INSERT INTO floating_ip_holder (floating_ip_id, server_id)"
        " SELECT %s, server_id FROM port WHERE id = %s AND server_id IS NOT NULL"
        " ON CONFLICT (floating_ip_id, server_id) DO UPDATE SET ended_by = NULL"
        " RETURNING server_id",
        (floating, port),
    )
    told = {server for (server,) in rows}
    return sorted(told.union(_superfluous(txn, floating)))


def disassociate(txn: Transaction, floating: UUID) -> list[int]:
    """Have one stand for nothing; return the servers whose nodes have to be told."""
    txn.execute(
        "UPDATE floating_ip SET port_id = NULL, fixed = NULL, updated = now(),"
        " revision = revision + 1 WHERE id = %s",
        (floating,),
    )
    return sorted(_superfluous(txn, floating))


def remove(txn: Transaction, floating: UUID) -> None:
    """Remove one that stands for nothing; its address is free when no node has it."""
    txn.execute(
        "UPDATE floating_ip SET deleted = now() WHERE id = %s RETURNING id", (floating,)
    )
    txn.execute(
        "DELETE FROM floating_ip f WHERE f.id = %s AND NOT EXISTS"
        " (SELECT FROM floating_ip_holder h WHERE h.floating_ip_id = f.id)",
        (floating,),
    )


def _superfluous(txn: Transaction, floating: UUID) -> set[int]:
    """Return the servers whose nodes have one and are no longer to have it."""
    rows = every(
        txn,
        "SELECT h.server_id FROM floating_ip_holder h"
        " JOIN floating_ip f ON f.id = h.floating_ip_id"
        " LEFT JOIN port p ON p.id = f.port_id"
        " WHERE f.id = %s AND h.server_id IS DISTINCT FROM p.server_id",
        (floating,),
    )
    return {server for (server,) in rows}


# An order counts for what has been decided before it is first claimed.  One that has
# been put off may have a job already, which knows nothing of it.
_UNCLAIMED = "o.state = 'new' AND o.attempts = 0 AND o.kind IN ('create', 'firewall')"


def await_orders(txn: Transaction, servers: Collection[int]) -> None:
    """
    Note by which order nodes let go of what their servers are no longer to have.

    The orders are there already, and nobody has claimed them.
    """
    txn.execute(
        "UPDATE floating_ip_holder h SET ended_by = (SELECT min(o.number) FROM orders o"
        f" WHERE o.server_id = h.server_id AND {_UNCLAIMED})"
        " FROM floating_ip f LEFT JOIN port p ON p.id = f.port_id"
        " WHERE h.server_id = ANY(%s) AND f.id = h.floating_ip_id"
        " AND h.server_id IS DISTINCT FROM p.server_id",
        (list(servers),),
    )


def confirmed(txn: Transaction, orders: Sequence[UUID]) -> list[int]:
    """
    Note that Ganeti has carried out orders.

    Return the servers whose nodes may have a floating IP now that others let go of.
    """
    rows = every(
        txn,
        "WITH gone AS (DELETE FROM floating_ip_holder h USING orders o"
        " WHERE o.id = ANY(%s) AND o.kind IN ('create', 'firewall')"
        " AND h.server_id = o.server_id AND h.ended_by <= o.number"
        " RETURNING h.floating_ip_id)"
        " SELECT DISTINCT p.server_id FROM gone"
        " JOIN floating_ip f ON f.id = gone.floating_ip_id"
        " JOIN port p ON p.id = f.port_id WHERE p.server_id IS NOT NULL"
        " ORDER BY p.server_id",
        (list(orders),),
    )
    return [server for (server,) in rows]


def let_go(txn: Transaction, servers: Sequence[int]) -> None:
    """Note that servers are gone: no node has anything for them."""
    txn.execute(
        "DELETE FROM floating_ip_holder WHERE server_id = ANY(%s)", (list(servers),)
    )


def tags(txn: Transaction, servers: Collection[int]) -> dict[int, frozenset[str]]:
    """
    Return the tags that say to nodes what floating IPs servers have.

    Of those alone that no other node may have any more.
    """
    rows = every(
        txn,
        "SELECT p.server_id, p.id, host(a.address), host(f.fixed) FROM port p"
        " JOIN floating_ip f ON f.port_id = p.id"
        " JOIN address a ON a.floating_ip_id = f.id"
        " WHERE p.server_id = ANY(%s) AND NOT EXISTS (SELECT FROM floating_ip_holder h"
        "  WHERE h.floating_ip_id = f.id AND h.server_id <> p.server_id)",
        (list(servers),),
    )
    uses: dict[int, list[Use]] = {server: [] for server in servers}
    for server, port, floating, fixed in rows:
        uses[server].append(Use(port, ip_address(floating), ip_address(fixed)))
    return {server: floating_ip.tags(found) for server, found in uses.items()}


def with_address(
    txn: Transaction, project: UUID | None, address: IPAddress
) -> UUID | None:
    """Return the id of the floating IP with an address; None when there is none.

    :param project: Whose; None for anybody's.
    """
    row = one(
        txn,
        "SELECT f.id FROM floating_ip f JOIN address a ON a.floating_ip_id = f.id"
        " WHERE a.address = %(address)s AND f.deleted IS NULL"
        " AND (%(project)s IS NULL OR f.project_id = %(project)s) ORDER BY f.id",
        {"address": str(address), "project": project},
    )
    return None if row is None else row[0]
