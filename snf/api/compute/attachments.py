"""``attachments``: NICs of servers as Synnefo's clients see and name them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from snf.api.call import UUID_TEXT, Call
from snf.api.network.collection import sight
from snf.core.errors import Conflict, NotFound
from snf.core.firewall import name_of
from snf.core.network import Network
from snf.core.port import NICS_AT_MOST, Port
from snf.storage import firewalls, lists
from snf.storage.database import Transaction
from snf.storage.ports import PORTS
from snf.storage.servers import Server

Json = dict[str, Any]


def of_servers(txn: Transaction, servers: Iterable[Server]) -> dict[UUID, list[Json]]:
    """Return the NICs of servers in their order, by server: two queries for all."""
    uuids = {server.id: server.uuid for server in servers}
    if not uuids:
        return {}
    wanted = lists.Wanted(only={"device_id:server": [*uuids.values()]})
    found = lists.listing(txn, PORTS, wanted, NICS_AT_MOST * len(uuids))
    ports = {port.id: port for port in found}
    return {
        uuids[server]: [
            _view(ports[nic.id], name_of(nic)) for nic in nics if nic.id in ports
        ]
        for server, nics in firewalls.ports(txn, uuids).items()
    }


def _view(port: Port, profile: str) -> Json:
    """Return a NIC (synnefo/api/servers.py, nic_to_attachments)."""
    shown: Json = {
        "id": str(port.id),
        "network_id": str(port.network),
        "mac_address": port.mac,
        "ipv4": "",
        "ipv6": "",
        "firewallProfile": profile,
    }
    for fixed in port.addresses:
        field = f"ipv{fixed.address.version}"
        shown[field] = shown[field] or str(fixed.address)
        shown["OS-EXT-IPS:type"] = "fixed"
    return shown


def addresses(nic: Json) -> list[Json]:
    """Return the addresses of a NIC one by one (synnefo, attachments_to_addresses)."""
    return [
        {
            "version": version,
            "addr": nic[f"ipv{version}"],
            "OS-EXT-IPS:type": nic["OS-EXT-IPS:type"],
        }
        for version in (4, 6)
        if nic[f"ipv{version}"]
    ]


def named(
    txn: Transaction, call: Call, network: Network, nic: str
) -> tuple[UUID, UUID]:
    """
    Return the server and the port that a NIC on a network is.

    :raises NotFound: The caller has no such NIC there.
    """
    if UUID_TEXT.fullmatch(nic):
        port = lists.get(txn, PORTS, sight(call), UUID(nic))
        if port is not None and port.network == network.id and port.server is not None:
            return port.server, port.id
    raise NotFound(f"Network {network.id} has no attachment {nic}")


def only_one(txn: Transaction, network: Network, server: UUID) -> UUID:
    """
    Return the port by which a server is on a network.

    :raises NotFound: It is not.
    :raises Conflict: It is by several.
    """
    only = {"device_id:server": [server], "network_id": [network.id]}
    found = lists.listing(txn, PORTS, lists.Wanted(only=only), 2)
    if not found:
        raise NotFound(f"Instance {server} is not on network {network.id}")
    if len(found) > 1:
        raise Conflict(
            f"Instance {server} is on network {network.id} more than once: name the"
            " attachment"
        )
    return found[0].id
