"""What guests are told: sealed where it is nobody's business but the owner's.

What is told once is here until its order has ended; the rest as long as the server
(both by triggers, so that nobody who ends one can forget it).
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import orjson
from attrs import asdict, evolve
from psycopg2.extras import Json

from snf.core.errors import NotFound
from snf.core.guest import Address, File, Guest, Interface, Key, Secret
from snf.core.naming import host_name
from snf.core.sealing import Seal
from snf.core.subnet import Route
from snf.storage.database import Transaction
from snf.storage.rows import every, one

NOTHING_SECRET = Secret()


def add(
    txn: Transaction,
    seal: Seal,
    server: int,
    keys: Sequence[Key],
    user_data: str | None,
) -> None:
    """Store what a guest is told from now on, in place of what it was told before."""
    txn.execute(
        "INSERT INTO guest (server_id, keys, user_data) VALUES (%s, %s, %s)"
        " ON CONFLICT (server_id) DO UPDATE SET keys = EXCLUDED.keys,"
        " user_data = EXCLUDED.user_data",
        (
            server,
            Json([asdict(key) for key in keys]),
            None if user_data is None else seal.seal(user_data.encode()),
        ),
    )


def add_secret(txn: Transaction, seal: Seal, order: UUID, secret: Secret) -> None:
    """Store what a guest is told when an order is carried out, and never again."""
    if secret != NOTHING_SECRET:
        txn.execute(
            "INSERT INTO guest_secret (order_id, sealed) VALUES (%s, %s)",
            (order, seal.seal(orjson.dumps(asdict(secret)))),
        )


def keys(txn: Transaction, server: int) -> tuple[Key, ...]:
    """Return the keys that a guest has been told."""
    row = one(txn, "SELECT keys FROM guest WHERE server_id = %s", (server,))
    return () if row is None else _keys(row[0])


def user_data(txn: Transaction, seal: Seal, server: int) -> str | None:
    """
    Return the user data that a guest has been told, in base64; None for none.

    :raises Unreadable: It was sealed with another key.
    """
    row = one(txn, "SELECT user_data FROM guest WHERE server_id = %s", (server,))
    return None if row is None else _opened(seal, row[0])


def password(txn: Transaction, server: int) -> str:
    """Return the password that a guest has made up, as it has encrypted it; or ""."""
    row = one(txn, "SELECT password FROM guest WHERE server_id = %s", (server,))
    return "" if row is None else row[0]


def forget_password(txn: Transaction, server: int) -> None:
    """Forget the password that a guest has made up."""
    txn.execute("UPDATE guest SET password = '' WHERE server_id = %s", (server,))


_WHO = (
    "SELECT s.id, s.uuid, s.name, s.hostname, s.project_id, g.keys, g.user_data,"
    " {secret}, (SELECT json_object_agg(m.key, m.value) FROM server_metadata m"
    " WHERE m.server_id = s.id), i.properties"
    " FROM {of} LEFT JOIN guest g ON g.server_id = s.id"
)
_BY_ORDER = (
    _WHO.format(secret="x.sealed", of="orders o JOIN server s ON s.id = o.server_id")
    + " LEFT JOIN guest_secret x ON x.order_id = o.id"
    " LEFT JOIN image i ON i.id = coalesce("
    "  (o.arguments #>> '{reinstall,image}')::uuid, s.image_id)"
    " WHERE o.id = %s AND o.kind IN ('create', 'rebuild')"
    " AND o.state IN ('new', 'submitting', 'submitted')"
)
_BY_SERVER = (
    _WHO.format(secret="NULL", of="server s")
    + " LEFT JOIN image i ON i.id = s.image_id WHERE s.id = %s AND s.deleted IS NULL"
)


def told(txn: Transaction, seal: Seal, order: UUID) -> Guest:
    """
    Return all that a guest is told by an order that has not ended.

    :raises NotFound: There is no such order, or it has ended.
    :raises Unreadable: Something was sealed with another key.
    """
    row = one(txn, _BY_ORDER, (order,))
    if row is None:
        raise NotFound(f"There is nothing to tell for order {order}")
    return _guest(txn, seal, row)


def known(txn: Transaction, seal: Seal, server: int) -> Guest:
    """
    Return what a guest is told at any time: nothing that it is told once.

    :raises NotFound: There is no such server.
    :raises Unreadable: Something was sealed with another key.
    """
    row = one(txn, _BY_SERVER, (server,))
    if row is None:
        raise NotFound(f"There is no server {server}")
    return _guest(txn, seal, row)


def _guest(txn: Transaction, seal: Seal, row: tuple[Any, ...]) -> Guest:
    sealed, metadata, properties = row[7:]
    secret = NOTHING_SECRET if sealed is None else _secret(seal.open(bytes(sealed)))
    return Guest(
        uuid=row[1],
        name=row[2],
        hostname=row[3] or host_name(row[2], row[1]),
        project=row[4],
        keys=_keys(row[5] or ()),
        user_data=_opened(seal, row[6]),
        secret=secret,
        metadata=metadata or {},
        properties=properties or {},
        interfaces=_interfaces(txn, row[0]),
    )


def _opened(seal: Seal, sealed: Any) -> str | None:
    return None if sealed is None else seal.open(bytes(sealed)).decode()


def _keys(stored: Sequence[Mapping[str, str]]) -> tuple[Key, ...]:
    return tuple(Key(**key) for key in stored)


def _secret(plain: bytes) -> Secret:
    stored = orjson.loads(plain)
    files = tuple(File(**file) for file in stored["files"])
    return Secret(admin_pass=stored["admin_pass"], files=files)


# Of floating IPs a guest knows nothing.
_PLUGGED = (
    "SELECT p.id, p.mac::text, n.mtu, n.id, host(a.address), u.cidr::text,"
    " host(u.gateway), u.dhcp, ARRAY(SELECT host(d) FROM unnest(u.dns) d),"
    " u.host_routes FROM port p JOIN network n ON n.id = p.network_id"
    " LEFT JOIN address a ON a.port_id = p.id LEFT JOIN subnet u ON u.id = a.subnet_id"
    " WHERE p.server_id = %s ORDER BY p.position, p.id, a.address"
)


def _interfaces(txn: Transaction, server: int) -> tuple[Interface, ...]:
    found: dict[UUID, Interface] = {}
    for row in every(txn, _PLUGGED, (server,)):
        port, mac, mtu, network = row[:4]
        nic = found.setdefault(port, Interface(port, mac, mtu, network))
        if row[4] is not None:
            found[port] = evolve(nic, addresses=(*nic.addresses, _address(row[4:])))
    return tuple(found.values())


def _address(row: tuple) -> Address:
    address, cidr, gateway, dhcp, dns, routes = row
    network = ip_network(cidr)
    return Address(
        address=address,
        prefix=network.prefixlen,
        gateway=gateway,
        dhcp=dhcp,
        version=network.version,
        routes=tuple(Route(to, ip_address(via)) for to, via in routes),
        dns=tuple(dns),
    )
