"""Ports and their addresses."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from uuid import UUID

from psycopg2.errors import UniqueViolation

from snf.core.address import mac_address
from snf.core.catalog import Network
from snf.core.errors import Conflict, Unavailable
from snf.core.naming import port_id
from snf.core.port import FixedIP, Port
from snf.core.report import Nic
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.rows import every, one

_GROUPS = (
    "ARRAY(SELECT m.group_id FROM port_group m WHERE m.port_id = p.id"
    " ORDER BY m.group_id)"
)

_COLUMNS = (
    "p.id, p.network_id, p.project_id, p.mac::text, p.created, p.updated, s.uuid,"
    " p.name, p.state, coalesce((SELECT jsonb_agg(jsonb_build_array(a.subnet_id,"
    " host(a.address)) ORDER BY a.address) FROM address a WHERE a.port_id = p.id),"
    " '[]'::jsonb), p.description, p.tags, p.revision,"
    f" p.waits, {_GROUPS}"
)


def _from_row(row: tuple) -> Port:
    addresses = tuple(
        FixedIP(UUID(subnet), ip_address(address)) for subnet, address in row[9]
    )
    description, tags, revision, waits, groups = row[10:]
    mine = (description, tuple(tags), revision, waits, tuple(groups))
    values = (*row[:9], addresses, *mine)
    return Port(*values)


_OWNER = Field("p.project_id::text")
_HELD = "ARRAY(SELECT a.{} FROM address a WHERE a.port_id = p.id)"

PORTS = Listed(
    columns=_COLUMNS,
    source="port p LEFT JOIN server s ON s.id = p.server_id",
    make=_from_row,
    id="p.id",
    visible="p.project_id = %(project)s",
    tags="p.tags",
    fields={
        "id": Field("p.id", Type.ID),
        "name": Field("p.name"),
        "description": Field("p.description"),
        "network_id": Field("p.network_id", Type.ID),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "mac_address": Field("p.mac", Type.MAC),
        "admin_state_up": Field("true", Type.FLAG),
        "status": Field("p.state"),
        "device_id": Field("coalesce(s.uuid::text, '')"),
        "device_id:server": Field("s.uuid", Type.ID, sorts=False),
        "device_owner": Field(
            "CASE WHEN p.server_id IS NULL THEN '' ELSE 'compute:nova' END"
        ),
        "fixed_ips:ip_address": Field(
            _HELD.format("address"), Type.ADDRESS, many=True, sorts=False
        ),
        "fixed_ips:subnet_id": Field(
            _HELD.format("subnet_id"), Type.ID, many=True, sorts=False
        ),
        "revision_number": Field("p.revision", Type.NUMBER),
        "security_groups": Field(_GROUPS, Type.ID, many=True, sorts=False),
    },
)


def add(
    txn: Transaction,
    port: UUID,
    network: Network,
    project: UUID,
    server: int,
    position: int,
    mac_prefix: str,
    random_bytes: Callable[[int], bytes],
) -> tuple[str, list[FixedIP]]:
    """
    Store a new port of a server and return its MAC address and its addresses.

    :raises Conflict: A subnet of the network has no free address left.
    """
    mac = _add_with_free_mac(
        txn, port, network.id, project, server, position, mac_prefix, random_bytes
    )
    return mac, [take_address(txn, subnet, port) for subnet in network.subnets]


def seen(txn: Transaction, nics: Mapping[int, Sequence[Nic]]) -> None:
    """Note which of the ports of servers Ganeti has made, by its NICs of each."""
    found = [
        (server, port_id(nic.name), nic.mac)
        for server, known in nics.items()
        for nic in known
    ]
    if not found:
        return
    owners, names, macs = zip(*found, strict=True)
    txn.execute(
        "UPDATE port p SET state = 'ACTIVE', updated = now()"
        " FROM unnest(%s::bigint[], %s::uuid[], %s::macaddr[]) v (server, id, mac)"
        " WHERE p.server_id = v.server AND p.state <> 'ACTIVE'"
        " AND NOT p.changing AND NOT p.waits"
        " AND (p.id = v.id OR p.mac = v.mac)",
        (list(owners), list(names), list(macs)),
    )


def _add_with_free_mac(
    txn: Transaction,
    port: UUID,
    network: UUID,
    project: UUID,
    server: int,
    position: int,
    mac_prefix: str,
    random_bytes: Callable[[int], bytes],
) -> str:
    for _attempt in range(5):
        mac = mac_address(mac_prefix, random_bytes)
        txn.execute(
            "INSERT INTO port (id, network_id, project_id, server_id, position, mac)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (mac) DO NOTHING",
            (port, network, project, server, position, mac),
        )
        if txn.rowcount:
            return mac
    raise Unavailable(f"No free MAC address with prefix {mac_prefix} was found")


# The start of the pool, or else what follows the first address that nothing follows.
# The row lock makes takers of one subnet's addresses queue up; it is a statement of its
# own, so that the next one sees what those before have taken.
_TAKE = """
    SELECT FROM subnet WHERE id = %(subnet)s FOR UPDATE;
    INSERT INTO address (subnet_id, address, port_id)
    SELECT found.id, found.free, %(port)s FROM (
        SELECT s.id, coalesce(
            (SELECT s.pool_start WHERE NOT EXISTS (
                SELECT FROM address a
                WHERE a.subnet_id = s.id AND a.address = s.pool_start)),
            (SELECT taken.address + 1 FROM (
                SELECT a.address, lead(a.address) OVER (ORDER BY a.address) AS next
                FROM address a WHERE a.subnet_id = s.id AND a.address >= s.pool_start
             ) taken
             WHERE taken.next IS DISTINCT FROM taken.address + 1
             AND taken.address < s.pool_end ORDER BY taken.address LIMIT 1)) AS free
        FROM subnet s WHERE s.id = %(subnet)s) found
    WHERE found.free IS NOT NULL
    RETURNING host(address)
"""


def addresses(txn: Transaction, port: UUID) -> list[FixedIP]:
    """Return the addresses of a port."""
    rows = every(
        txn,
        "SELECT subnet_id, host(address) FROM address WHERE port_id = %s"
        " ORDER BY address",
        (port,),
    )
    return [FixedIP(subnet, ip_address(address)) for subnet, address in rows]


def take_address(txn: Transaction, subnet: UUID, port: UUID) -> FixedIP:
    """
    Give a port the lowest address that is free in a subnet's pool.

    :raises Conflict: None is.
    """
    try:
        row = one(txn, _TAKE, {"subnet": subnet, "port": port})
    except UniqueViolation:
        # That no address is had twice is the primary key's business all the same.
        raise Conflict("An IP address is already allocated") from None
    if row is None:
        raise Conflict(f"No more IP addresses available on subnet {_cidr(txn, subnet)}")
    return FixedIP(subnet, ip_address(row[0]))


def _cidr(txn: Transaction, subnet: UUID) -> str:
    [(cidr,)] = every(txn, "SELECT cidr::text FROM subnet WHERE id = %s", (subnet,))
    return cidr
