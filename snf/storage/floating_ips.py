"""Floating IPs: whose they are, what they stand for, and which nodes have them."""

from collections.abc import Collection
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
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one

_COLUMNS = (
    "f.id, f.project_id, f.network_id, host(a.address), f.created, f.updated,"
    " f.port_id, host(f.fixed), s.uuid, f.description, f.tags, f.revision"
)


def _from_row(row: tuple) -> FloatingIP:
    fixed = None if row[6] is None else ip_address(row[7])
    address, tags = ip_address(row[3]), tuple(row[10])
    values = (*row[:3], address, *row[4:7], fixed, *row[8:10], tags, row[11])
    return FloatingIP(*values)


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


_IN_USE = Prepared(
    "floating_ips_in_use",
    "SELECT p.server_id, p.id, host(a.address), host(f.fixed) FROM port p"
    " JOIN floating_ip f ON f.port_id = p.id"
    " JOIN address a ON a.floating_ip_id = f.id"
    " WHERE p.server_id = ANY($1) AND NOT EXISTS (SELECT FROM floating_ip_holder h"
    "  WHERE h.floating_ip_id = f.id AND h.server_id <> p.server_id)",
)


def tags(txn: Transaction, servers: Collection[int]) -> dict[int, frozenset[str]]:
    """
    Return the tags that say to nodes what floating IPs servers have.

    Of those alone that no other node may have any more.
    """
    rows = _IN_USE.every(txn, list(servers))
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
