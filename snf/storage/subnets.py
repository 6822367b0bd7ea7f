"""Subnets."""

from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from attrs import fields
from psycopg2.errors import ForeignKeyViolation, UniqueViolation
from psycopg2.extras import Json, execute_values

from snf.core.errors import Conflict
from snf.core.network import Network
from snf.core.subnet import Pool, Route, Subnet, SubnetInUse
from snf.storage import networks
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.networks import THERE, VISIBLE
from snf.storage.prepared import Prepared
from snf.storage.rows import one

_COLUMNS = (
    "s.id, s.network_id, s.cidr::text, s.created,"
    " ARRAY(SELECT ARRAY[host(p.first), host(p.last)] FROM allocation_pool p"
    "  WHERE p.subnet_id = s.id ORDER BY p.first),"
    " s.name, host(s.gateway), s.dhcp, ARRAY(SELECT host(d) FROM unnest(s.dns) d),"
    " s.host_routes, s.eui64, s.description, s.tags, s.revision, s.updated,"
    " n.project_id, n.external, n.drained"
)


def _from_row(row: tuple) -> Subnet:
    return Subnet(
        id=row[0],
        network=row[1],
        cidr=row[2],
        created=row[3],
        pools=tuple(
            Pool(ip_address(first), ip_address(last)) for first, last in row[4]
        ),
        name=row[5],
        gateway=None if row[6] is None else ip_address(row[6]),
        dhcp=row[7],
        dns=tuple(ip_address(address) for address in row[8]),
        routes=tuple(Route(to, ip_address(via)) for to, via in row[9]),
        eui64=row[10],
        description=row[11],
        tags=tuple(row[12]),
        revision=row[13],
        updated=row[14],
        project=row[15],
        external=row[16],
        drained=row[17],
    )


_OWNER = Field("coalesce(n.project_id::text, '')")
_MODE = Field("CASE WHEN s.eui64 THEN 'slaac' ELSE '' END")

SUBNETS = Listed(
    columns=_COLUMNS,
    source="subnet s JOIN network n ON n.id = s.network_id",
    make=_from_row,
    id="s.id",
    visible=VISIBLE,
    always=THERE,
    tags="s.tags",
    fields={
        "id": Field("s.id", Type.ID),
        "name": Field("s.name"),
        "description": Field("s.description"),
        "network_id": Field("s.network_id", Type.ID),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "cidr": Field("s.cidr", Type.CIDR),
        "ip_version": Field("family(s.cidr)", Type.NUMBER),
        "gateway_ip": Field("s.gateway", Type.ADDRESS, sorts=False),
        "enable_dhcp": Field("s.dhcp", Type.FLAG),
        "ipv6_ra_mode": _MODE,
        "ipv6_address_mode": _MODE,
        "subnetpool_id": Field("''"),
        "shared": Field("n.shared", Type.FLAG),
        "router:external": Field("n.external", Type.FLAG),
        "revision_number": Field("s.revision", Type.NUMBER),
    },
)


_OF_NETWORKS = (
    f"SELECT {_COLUMNS} FROM subnet s JOIN network n ON n.id = s.network_id"
    " WHERE n.id = {} ORDER BY s.created, s.id"
)
_OF_NETWORK = Prepared("subnets_of_network", _OF_NETWORKS.format("$1"))
_OF_EACH = Prepared("subnets_of_networks", _OF_NETWORKS.format("ANY($1)"))


def of_network(txn: Transaction, network: UUID) -> list[Subnet]:
    """Return the subnets of a network, oldest first."""
    return [_from_row(row) for row in _OF_NETWORK.every(txn, network)]


_OF_DEFAULTS = Prepared(
    "subnets_of_defaults",
    f"SELECT {networks.COLUMNS}, {_COLUMNS} FROM network n"
    " LEFT JOIN subnet s ON s.network_id = n.id"
    f" WHERE n.is_default AND {THERE} AND {networks.VISIBLE_TO.format('$1')}"
    " ORDER BY n.id, s.created, s.id",
)
_SUBNET_AT = len(fields(Network))


def of_defaults(txn: Transaction, project: UUID) -> list[tuple[Network, list[Subnet]]]:
    """Return the networks of those of a project who name none, with their subnets."""
    found: dict[UUID, tuple[Network, list[Subnet]]] = {}
    for row in _OF_DEFAULTS.every(txn, project):
        _, known = found.setdefault(row[0], (networks.from_row(row[:_SUBNET_AT]), []))
        if row[_SUBNET_AT] is not None:
            known.append(_from_row(row[_SUBNET_AT:]))
    return [*found.values()]


def of_networks(txn: Transaction, ids: Collection[UUID]) -> dict[UUID, list[Subnet]]:
    """Return the subnets of networks, oldest first."""
    rows = _OF_EACH.every(txn, list(ids))
    found: dict[UUID, list[Subnet]] = {}
    for subnet in map(_from_row, rows):
        found.setdefault(subnet.network, []).append(subnet)
    return found


def add(txn: Transaction, subnet: Subnet) -> None:
    """
    Store a new subnet.

    :raises Conflict: The network has one of this version already.
    """
    row = {
        "id": subnet.id,
        "network_id": subnet.network,
        "cidr": subnet.cidr,
        "created": subnet.created,
        "updated": subnet.updated or subnet.created,
        "eui64": subnet.eui64,
        **_row(subnet),
    }
    try:
        txn.execute(
            f"INSERT INTO subnet ({', '.join(row)})"
            f" VALUES ({', '.join(_value(name) for name in row)})",
            row,
        )
    except UniqueViolation:
        raise Conflict(
            f"Network {subnet.network} has an IPv{subnet.version} subnet already: it may "
            "have one of each version"
        ) from None
    _set_pools(txn, subnet.id, subnet.pools)
    _touch(txn, subnet.network)


def change(txn: Transaction, subnet: Subnet) -> None:
    """
    Store what a subnet is from now on; where it is stays as it is.

    :raises Conflict: Something has the address that its gateway is to have.
    """
    taken = one(
        txn,
        "SELECT true FROM address a JOIN subnet s ON s.id = a.subnet_id"
        " WHERE s.id = %(id)s AND a.address = %(gateway)s"
        " AND s.gateway IS DISTINCT FROM %(gateway)s",
        {"id": subnet.id, "gateway": subnet.gateway and str(subnet.gateway)},
    )
    if taken:
        raise Conflict(
            f"Gateway ip {subnet.gateway} is in use: a port or a floating IP has it"
        )
    row = {**_row(subnet), "id": subnet.id}
    setting = ", ".join(f"{name} = {_value(name)}" for name in row if name != "id")
    txn.execute(
        f"UPDATE subnet SET {setting}, updated = now(), revision = revision + 1"
        " WHERE id = %(id)s",
        row,
    )


def set_pools(txn: Transaction, subnet: UUID, pools: Sequence[Pool]) -> None:
    """Give a subnet other pools; who has an address keeps it."""
    # As those lock it who put out addresses of the pools.
    txn.execute("SELECT FROM subnet WHERE id = %s FOR NO KEY UPDATE", (subnet,))
    txn.execute("DELETE FROM allocation_pool WHERE subnet_id = %s", (subnet,))
    _set_pools(txn, subnet, pools)


def delete(txn: Transaction, subnet: Subnet) -> None:
    """
    Remove a subnet.

    :raises SubnetInUse: A port has an address of it.
    """
    # Whoever takes an address at this moment is waited for, or fails.
    one(txn, "SELECT true FROM subnet WHERE id = %s FOR UPDATE", (subnet.id,))
    reason = "One or more ports have an IP allocation from this subnet."
    if one(txn, "SELECT true FROM address WHERE subnet_id = %s LIMIT 1", (subnet.id,)):
        raise SubnetInUse(subnet.id, reason)
    try:
        txn.execute("DELETE FROM subnet WHERE id = %s", (subnet.id,))
    except ForeignKeyViolation:
        raise SubnetInUse(subnet.id, reason) from None
    _touch(txn, subnet.network)


def _row(subnet: Subnet) -> Mapping[str, Any]:
    return {
        "name": subnet.name,
        "description": subnet.description,
        "gateway": subnet.gateway and str(subnet.gateway),
        "dhcp": subnet.dhcp,
        "dns": [str(address) for address in subnet.dns],
        "host_routes": Json(
            [[route.destination, str(route.via)] for route in subnet.routes]
        ),
    }


def _value(name: str) -> str:
    # An array of texts does not become one of addresses by itself.
    return "%(dns)s::inet[]" if name == "dns" else f"%({name})s"


def _set_pools(txn: Transaction, subnet: UUID, pools: Sequence[Pool]) -> None:
    if pools:
        execute_values(
            txn,
            "INSERT INTO allocation_pool (subnet_id, first, last) VALUES %s",
            [(subnet, str(pool.first), str(pool.last)) for pool in pools],
        )


def _touch(txn: Transaction, network: UUID) -> None:
    txn.execute(
        "UPDATE network SET updated = now(), revision = revision + 1 WHERE id = %s",
        (network,),
    )
