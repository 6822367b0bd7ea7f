"""Networks and their subnets."""

from ipaddress import ip_address

from snf.core.catalog import Network, Subnet
from snf.storage.database import Transaction
from snf.storage.lists import Field, Listed, Type
from snf.storage.rows import one

_NETWORK = (
    "n.id, n.name, n.mode, n.link, n.created, n.updated, n.project_id, n.shared,"
    " n.external, n.is_default,"
    " ARRAY(SELECT s.id FROM subnet s WHERE s.network_id = n.id ORDER BY s.created, s.id),"
    " n.description, n.tags, n.revision"
)

_SUBNET = (
    "s.id, s.network_id, s.cidr::text, host(s.pool_start), host(s.pool_end), s.created,"
    " s.name, host(s.gateway), s.dhcp, ARRAY(SELECT host(d) FROM unnest(s.dns) d),"
    " n.project_id, n.external, s.description, s.tags, s.revision, s.updated"
)

# A project sees the shared and external ones, and its own.
_VISIBLE = "(n.shared OR n.external OR n.project_id = %(project)s)"

_OWNER = Field("coalesce(n.project_id::text, '')")


def _network_from(row: tuple) -> Network:
    subnets, description, tags, revision = row[10:]
    values = (*row[:10], tuple(subnets), description, tuple(tags), revision)
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
        description=row[12],
        tags=tuple(row[13]),
        revision=row[14],
        updated=row[15],
    )


NETWORKS = Listed(
    columns=_NETWORK,
    source="network n",
    make=_network_from,
    id="n.id",
    visible=_VISIBLE,
    tags="n.tags",
    fields={
        "id": Field("n.id", Type.ID),
        "name": Field("n.name"),
        "description": Field("n.description"),
        "project_id": _OWNER,
        "tenant_id": _OWNER,
        "status": Field("'ACTIVE'"),
        "admin_state_up": Field("true", Type.FLAG),
        "mtu": Field("1500", Type.NUMBER),
        "shared": Field("n.shared", Type.FLAG),
        "router:external": Field("n.external", Type.FLAG),
        "is_default": Field("n.is_default", Type.FLAG),
        "revision_number": Field("n.revision", Type.NUMBER),
    },
)

SUBNETS = Listed(
    columns=_SUBNET,
    source="subnet s JOIN network n ON n.id = s.network_id",
    make=_subnet_from,
    id="s.id",
    visible=_VISIBLE,
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
        "shared": Field("n.shared", Type.FLAG),
        "router:external": Field("n.external", Type.FLAG),
        "revision_number": Field("s.revision", Type.NUMBER),
    },
)


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
