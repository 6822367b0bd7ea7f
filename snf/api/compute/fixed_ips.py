"""``addFixedIp`` and ``removeFixedIp``: actions of servers, up to microversion 2.43.

Nova gives an interface that is there one address more, or takes it from it.  Ganeti's
NICs have one IPv4 address, so that here an interface comes or goes with the address.
"""

from ipaddress import ip_address
from typing import Any
from uuid import UUID

from snf.api.call import Call
from snf.api.compute.owned import locate
from snf.api.compute.places import usable_networks
from snf.api.compute.versions import ADDRESS_ACTIONS
from snf.api.plugging import Plugger, Wish
from snf.core.errors import BadRequest, NotFound
from snf.storage import lists
from snf.storage.addresses import IpAddressGenerationFailure
from snf.storage.database import Transaction
from snf.storage.ports import PORTS

NAMES = frozenset({"addFixedIp", "removeFixedIp"})


def change(
    txn: Transaction, call: Call, uuid: UUID, body: dict[str, Any], plugger: Plugger
) -> None:
    """
    Order an interface with an address on a network for a server, or the end of one.

    :raises BadRequest: The body makes no sense, the network has no address left, or the
        server does not have the one that is named.
    :raises NotFound: There is no such server or network, or no such action any more.
    :raises Conflict: The server's state forbids it.
    """
    if call.version > ADDRESS_ACTIONS:
        raise NotFound("The resource could not be found.")
    [(name, argument)] = body.items()
    field = _FIELDS[name]
    text = argument.get(field) if isinstance(argument, dict) else None
    if not isinstance(text, str) or len(argument) > 1:
        raise BadRequest(f"{name}.{field}: is required, as a text, and nothing else")
    locate(txn, call, str(uuid))
    if name == "addFixedIp":
        _add(txn, call, uuid, text, plugger)
    else:
        plugger.detach(txn, call, uuid, _port(txn, uuid, text), delete=False)


_FIELDS = {"addFixedIp": "networkId", "removeFixedIp": "address"}


def _add(
    txn: Transaction, call: Call, uuid: UUID, network: str, plugger: Plugger
) -> None:
    found = usable_networks(txn, call, [network])[network]
    none_left = f"No fixed IP addresses available for network: {found.id}"
    if not found.subnets:
        raise BadRequest(none_left)
    try:
        plugger.attach(txn, call, uuid, Wish(found, call.project.id, kept=False))
    except IpAddressGenerationFailure:
        raise BadRequest(none_left) from None


def _port(txn: Transaction, uuid: UUID, text: str) -> UUID:
    """Return the port of a server that has an address."""
    try:
        address = ip_address("" if "%" in text else text)
    except ValueError:
        raise BadRequest("removeFixedIp.address: must be an IP address") from None
    only: dict[str, list[Any]] = {
        "device_id:server": [uuid],
        "fixed_ips:ip_address": [str(address)],
    }
    found = lists.listing(txn, PORTS, lists.Wanted(only=only), 1)
    if not found:
        raise BadRequest(f"Instance {uuid} does not have fixed IP '{address}'.")
    return found[0].id
