"""Places on networks that a request names: networks, ports and addresses."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute.bodies import NetworkRef, NewServer
from snf.core.errors import BadRequest, NotFound
from snf.core.network import Network
from snf.core.port import NICS_AT_MOST, Fixed
from snf.core.subnet import Subnet
from snf.storage import lists, networks, ports, subnets
from snf.storage.database import Transaction


@frozen
class Wired:
    """A place on a network that a new server gets, or a port that is there."""

    network: Network | None = None
    port: UUID | None = None
    fixed: tuple[Fixed, ...] | None = None
    tag: str | None = None
    subnets: Sequence[Subnet] | None = None


def wanted_places(txn: Transaction, call: Call, wanted: NewServer) -> list[Wired]:
    """Return the places to be on, in the order asked for."""
    if wanted.networks == "none":
        return []
    if not wanted.networks or wanted.networks == "auto":
        return [Wired(network, subnets=known) for network, known in defaults(txn, call)]
    asked = wanted.networks
    known = dict.fromkeys(one.uuid for one in asked if one.uuid and not one.port)
    try:
        found = usable_networks(txn, call, [*known])
        return [_wired(txn, call, one, found) for one in asked]
    except NotFound as failure:
        raise BadRequest(f"server.networks: {failure}") from None


def _wired(
    txn: Transaction, call: Call, asked: NetworkRef, found: Mapping[str, Network]
) -> Wired:
    tag = None if asked.tag is msgspec.UNSET else asked.tag
    if asked.port:
        if asked.fixed_ip:
            raise BadRequest(
                f"Specified Fixed IP '{asked.fixed_ip}' cannot be used with port "
                f"'{asked.port}': the two cannot be specified together."
            )
        return Wired(port=own_port(txn, call, asked.port), tag=tag)
    if not asked.uuid:
        raise BadRequest("server.networks: each must have a uuid or a port")
    fixed = asked.fixed_ip and (fixed_address("server.networks", asked.fixed_ip),)
    return Wired(found[asked.uuid], fixed=fixed or None, tag=tag)


def defaults(txn: Transaction, call: Call) -> list[tuple[Network, list[Subnet]]]:
    """Return the networks for those who name none, with their subnets."""
    return subnets.of_defaults(txn, call.project.id)[:NICS_AT_MOST]


def usable_networks(
    txn: Transaction, call: Call, wanted: list[str]
) -> dict[str, Network]:
    """
    Return networks that the caller's project may use, by their ids as given.

    :raises NotFound: There is none of an id.
    """
    missing = "Network {} could not be found."
    ids = {text: identifier(text, missing) for text in wanted}
    asked = lists.Wanted(call.project.id, {"id": [*ids.values()]})
    listed = lists.listing(txn, networks.NETWORKS, asked, len(ids) or 1)
    found: dict[UUID, Network] = {network.id: network for network in listed}
    for known in ids.values():
        if known not in found:
            raise NotFound(missing.format(known))
    return {text: found[known] for text, known in ids.items()}


def own_port(txn: Transaction, call: Call, port: str) -> UUID:
    """
    Return a port of the caller's project that a request names.

    :raises NotFound: There is none.
    """
    missing = "Port id {} could not be found."
    known = identifier(port, missing)
    if lists.get(txn, ports.PORTS, call.project.id, known) is None:
        raise NotFound(missing.format(known))
    return known


def fixed_address(field: str, text: str) -> Fixed:
    """
    Return the address that a request names.

    :raises BadRequest: It is none.
    """
    try:
        return Fixed(ip_address(text))
    except ValueError:
        raise BadRequest(f"{field}: {text[:60]!r} is not an IP address") from None
