"""Networks and their subnets."""

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from uuid import UUID

from attrs import frozen

from snf.core.catalog import Network, Subnet
from snf.storage.database import Transaction
from snf.storage.rows import arguments, every, narrowed, one

# Whose networks a project sees: the shared and external ones, and its own.
_VISIBLE = "(n.shared OR n.external OR n.project_id = %(project)s)"

_NETWORK = (
    "n.id, n.name, n.mode, n.link, n.created, n.updated, n.project_id, n.shared,"
    " n.external, n.is_default,"
    " ARRAY(SELECT s.id FROM subnet s WHERE s.network_id = n.id ORDER BY s.created, s.id)"
)

_SUBNET = (
    "s.id, s.network_id, s.cidr::text, host(s.pool_start), host(s.pool_end), s.created,"
    " s.name, host(s.gateway), s.dhcp, ARRAY(SELECT host(d) FROM unnest(s.dns) d),"
    " n.project_id, n.external"
)


@frozen
class Wanted:
    """Which networks, subnets or ports a listing asks for; None does not narrow it."""

    ids: Sequence[UUID] | None = None
    names: Sequence[str] | None = None
    networks: Sequence[UUID] | None = None
    servers: Sequence[UUID] | None = None
    is_default: bool | None = None
    marker: UUID | None = None


def _network_from(row: tuple) -> Network:
    values = (*row[:10], tuple(row[10]))
    return Network(*values)


def _subnet_from(row: tuple) -> Subnet:
    return Subnet(
        id=row[0],
        network=row[1],
        cidr=row[2],
        pool_start=ip_address(row[3]),
        pool_end=ip_address(row[4]),
        created=row[5],
        name=row[6],
        gateway=None if row[7] is None else ip_address(row[7]),
        dhcp=row[8],
        dns=tuple(ip_address(address) for address in row[9]),
        project=row[10],
        external=row[11],
    )


def listing(
    txn: Transaction, project: UUID | None, wanted: Wanted, limit: int
) -> list[Network]:
    """Return the networks that a project may use, by id."""
    filters = {
        "ids": "n.id = ANY(%(ids)s)",
        "names": "n.name = ANY(%(names)s)",
        "is_default": "n.is_default = %(is_default)s",
        "marker": "n.id > %(marker)s",
    }
    rows = every(
        txn,
        f"SELECT {_NETWORK} FROM network n"
        f" WHERE {narrowed(_VISIBLE, filters, wanted)}"
        " ORDER BY n.id LIMIT %(limit)s",
        arguments(wanted, project=project, limit=limit),
    )
    return [_network_from(row) for row in rows]


def subnets(
    txn: Transaction, project: UUID | None, wanted: Wanted, limit: int
) -> list[Subnet]:
    """Return the subnets of the networks that a project may use, by id."""
    filters = {
        "ids": "s.id = ANY(%(ids)s)",
        "names": "s.name = ANY(%(names)s)",
        "networks": "s.network_id = ANY(%(networks)s)",
        "marker": "s.id > %(marker)s",
    }
    rows = every(
        txn,
        f"SELECT {_SUBNET} FROM subnet s JOIN network n ON n.id = s.network_id"
        f" WHERE {narrowed(_VISIBLE, filters, wanted)}"
        " ORDER BY s.id LIMIT %(limit)s",
        arguments(wanted, project=project, limit=limit),
    )
    return [_subnet_from(row) for row in rows]


def of_ids(txn: Transaction, ids: Collection[UUID]) -> list[Network]:
    """Return networks by their ids, whosever they are."""
    rows = every(
        txn,
        f"SELECT {_NETWORK} FROM network n WHERE n.id = ANY(%s) ORDER BY n.id",
        (list(ids),),
    )
    return [_network_from(row) for row in rows]


def subnets_of(txn: Transaction, ids: Collection[UUID]) -> dict[UUID, list[Subnet]]:
    """Return the subnets of networks, oldest first."""
    rows = every(
        txn,
        f"SELECT {_SUBNET} FROM subnet s JOIN network n ON n.id = s.network_id"
        " WHERE n.id = ANY(%s) ORDER BY s.created, s.id",
        (list(ids),),
    )
    found: dict[UUID, list[Subnet]] = {}
    for subnet in map(_subnet_from, rows):
        found.setdefault(subnet.network, []).append(subnet)
    return found


def named(txn: Transaction, name: str) -> Network | None:
    """Return an operator's network by its name; None when there is none."""
    row = one(
        txn,
        f"SELECT {_NETWORK} FROM network n WHERE n.project_id IS NULL AND n.name = %s",
        (name,),
    )
    return None if row is None else _network_from(row)


def add(txn: Transaction, network: Network) -> None:
    """Store a new network; its subnets are added by themselves."""
    txn.execute(
        "INSERT INTO network (id, name, project_id, mode, link, shared, external,"
        " is_default, created, updated)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            network.id,
            network.name,
            network.project,
            network.mode,
            network.link,
            network.shared,
            network.external,
            network.is_default,
            network.created,
            network.updated,
        ),
    )


def remove(txn: Transaction, network: UUID) -> None:
    """Remove a network that has no ports, and that no cluster has, with its subnets."""
    txn.execute("DELETE FROM network WHERE id = %s", (network,))


def add_subnet(txn: Transaction, subnet: Subnet) -> None:
    """Store a new subnet."""
    txn.execute(
        "INSERT INTO subnet (id, network_id, name, cidr, gateway, pool_start, pool_end,"
        " dhcp, dns, created) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::inet[], %s)",
        (
            subnet.id,
            subnet.network,
            subnet.name,
            subnet.cidr,
            subnet.gateway and str(subnet.gateway),
            str(subnet.pool_start),
            str(subnet.pool_end),
            subnet.dhcp,
            [str(address) for address in subnet.dns],
            subnet.created,
        ),
    )
