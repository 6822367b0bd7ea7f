"""Ports that come and go: what of them is stored when somebody asks for that."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.core.address import IPAddress, mac_address
from snf.core.errors import Conflict, Unavailable
from snf.core.network import NetworkDrained
from snf.core.port import FixedIP, Places
from snf.core.subnet import Subnet
from snf.storage import addresses
from snf.storage.addresses import Holder
from snf.storage.database import Transaction
from snf.storage.prepared import Prepared
from snf.storage.rows import every, one


class MacAddressInUse(Conflict):
    """Named as Neutron names it."""


@frozen
class Spot:
    """
    Where a port is to be: on a server that is locked, or new.

    :ivar server: Its number.
    :ivar position: Among its ports.
    :ivar tag: What its owner calls the interface.
    :ivar changing: Whether Ganeti has the server already, without the port.
    """

    server: int
    position: int = 0
    tag: str | None = None
    changing: bool = False


@frozen
class NewPort:
    """
    What is stored of a port when it is asked for.

    :ivar mac: None for any that begins with ``mac_prefix``.
    :ivar kept: Whether it outlives its server.
    :ivar spot: None for one that is on no server.
    """

    id: UUID
    network: UUID
    project: UUID
    mac_prefix: str
    mac: str | None = None
    name: str = ""
    description: str = ""
    kept: bool = True
    spot: Spot | None = None


@frozen
class Held:
    """A port, locked until the commit; ``server`` is the number of the one it is on."""

    id: UUID
    network: UUID
    project: UUID
    server: int | None
    mac: str
    kept: bool
    changing: bool
    addresses: int


_ADD = Prepared(
    "port_add",
    "INSERT INTO port (id, network_id, project_id, mac, name, description, kept,"
    " server_id, position, nic_tag, changing, state)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    " ON CONFLICT (mac) DO NOTHING RETURNING true",
)


def add(txn: Transaction, new: NewPort, random_bytes: Callable[[int], bytes]) -> str:
    """
    Store a new port that has no address; return its MAC address.

    :raises MacAddressInUse: Another port has the one that is asked for.
    """
    spot = new.spot
    state: tuple[Any, ...] = (None, 0, None, False, "DOWN")
    if spot is not None:
        state = (spot.server, spot.position, spot.tag, spot.changing, "BUILD")
    for _attempt in range(1 if new.mac else 5):
        mac = new.mac or mac_address(new.mac_prefix, random_bytes)
        whose = (new.id, new.network, new.project)
        texts = (new.name, new.description)
        if _ADD.one(txn, *whose, mac, *texts, new.kept, *state):
            return mac
    if new.mac:
        raise MacAddressInUse(
            f"Unable to complete operation for network {new.network}. The mac address "
            f"{new.mac} is in use."
        )
    raise Unavailable(f"No free MAC address with prefix {new.mac_prefix} was found")


def give(
    txn: Transaction, port: UUID, mac: str, known: Sequence[Subnet], asked: Places
) -> list[FixedIP]:
    """
    Give a port addresses: of each subnet this one, or where it is None any.

    :param known: The subnets of its network.
    :raises Conflict: Another port has one, or a subnet gives none.
    """
    subnets = {subnet.id: subnet for subnet in known}
    for subnet, _ in asked:
        if subnets[subnet].drained:
            raise NetworkDrained(subnets[subnet].network)
    return [
        addresses.give(txn, subnets[subnet], port, mac)
        if address is None
        else addresses.take(txn, subnet, address, Holder(port=port))
        for subnet, address in asked
    ]


def take_back(txn: Transaction, port: UUID, which: Sequence[IPAddress]) -> None:
    """Free addresses of a port that has no NIC."""
    txn.execute(
        "DELETE FROM address WHERE port_id = %s AND address = ANY(%s::inet[])",
        (port, [str(address) for address in which]),
    )


def held(txn: Transaction, port: UUID) -> list[FixedIP]:
    """Return the addresses of a port."""
    rows = every(
        txn,
        "SELECT subnet_id, host(address) FROM address WHERE port_id = %s"
        " ORDER BY address",
        (port,),
    )
    return [FixedIP(subnet, ip_address(address)) for subnet, address in rows]


def lock(txn: Transaction, port: UUID) -> Held | None:
    """Return a port, locked until the commit; None when there is none."""
    row = one(
        txn,
        "SELECT p.id, p.network_id, p.project_id, p.server_id, p.mac::text, p.kept,"
        " p.changing, (SELECT count(*) FROM address a WHERE a.port_id = p.id)"
        " FROM port p WHERE p.id = %s FOR UPDATE",
        (port,),
    )
    return None if row is None else Held(*row)


def place(txn: Transaction, server: int) -> tuple[int, int]:
    """Return how many ports a server has, and the place behind the last of them."""
    [row] = every(
        txn,
        "SELECT count(*), coalesce(max(position) + 1, 0) FROM port"
        " WHERE server_id = %s",
        (server,),
    )
    return row[0], row[1]


def put_on(txn: Transaction, port: UUID, spot: Spot) -> None:
    """Put a port on a server."""
    txn.later(
        "UPDATE port SET server_id = %s, position = %s, state = 'BUILD',"
        " changing = %s, waits = false, clock = 0, nic_tag = %s, updated = now()"
        " WHERE id = %s",
        (spot.server, spot.position, spot.changing, spot.tag, port),
    )


def take_off(txn: Transaction, port: UUID, kept: bool) -> None:
    """Have a port leave its server when Ganeti has removed its NIC."""
    txn.execute(
        "UPDATE port SET changing = true, kept = %s, updated = now() WHERE id = %s",
        (kept, port),
    )


_CHANGEABLE = frozenset({"name", "description"})


def change(txn: Transaction, port: UUID, changes: Mapping[str, Any]) -> None:
    """Store what of a port is another from now on; nothing counts as a change too."""
    assert changes.keys() <= _CHANGEABLE
    setting = "".join(f", {name} = %({name})s" for name in changes)
    txn.execute(
        f"UPDATE port SET updated = now(), revision = revision + 1{setting}"
        " WHERE id = %(id)s",
        {**changes, "id": port},
    )


def remove(txn: Transaction, port: UUID) -> None:
    """Remove a port that is on no server, which frees its addresses."""
    txn.execute("DELETE FROM port WHERE id = %s AND server_id IS NULL", (port,))


def server_of(txn: Transaction, port: UUID) -> UUID | None:
    """Return the id of the server that a port is on, as it is just now."""
    row = one(
        txn,
        "SELECT s.uuid FROM port p JOIN server s ON s.id = p.server_id WHERE p.id = %s",
        (port,),
    )
    return None if row is None else row[0]


def tags_of(txn: Transaction, server: UUID) -> dict[UUID, str | None]:
    """Return what the owner of a server calls its interfaces, by port, in their order."""
    rows = every(
        txn,
        "SELECT p.id, p.nic_tag FROM port p JOIN server s ON s.id = p.server_id"
        " WHERE s.uuid = %s ORDER BY p.position, p.id",
        (server,),
    )
    return dict(rows)
