"""Ports and their addresses."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from uuid import UUID

from snf.core.address import mac_address
from snf.core.errors import Unavailable
from snf.core.naming import port_id
from snf.core.network import Network
from snf.core.port import FixedIP, Port
from snf.core.report import Nic
from snf.storage import addresses, subnets
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.prepared import Prepared

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
    fixed = tuple(
        FixedIP(UUID(subnet), ip_address(address)) for subnet, address in row[9]
    )
    description, tags, revision, waits, groups = row[10:]
    mine = (description, tuple(tags), revision, waits, tuple(groups))
    values = (*row[:9], fixed, *mine)
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
    network.check_open()
    prefix = network.mac_prefix or mac_prefix
    mac = _add_with_free_mac(
        txn, port, network.id, project, server, position, prefix, random_bytes
    )
    return mac, [
        addresses.give(txn, subnet, port, mac)
        for subnet in subnets.of_network(txn, network.id)
        if subnet.id in network.subnets
    ]


_SEEN = Prepared(
    "ports_seen",
    "UPDATE port p SET state = 'ACTIVE', updated = now()"
    " FROM unnest($1::bigint[], $2::uuid[], $3::text[]::macaddr[])"
    "  v (server, id, mac)"
    " WHERE p.server_id = v.server AND p.state <> 'ACTIVE'"
    " AND NOT p.changing AND NOT p.waits"
    " AND (p.id = v.id OR p.mac = v.mac)",
)


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
    _SEEN.later(txn, list(owners), list(names), list(macs))


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
