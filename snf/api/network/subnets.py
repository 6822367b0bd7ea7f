"""``/v2.0/subnets``."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network import limits
from snf.api.network.bodies import (
    HostRoute,
    NewSubnet,
    NewSubnets,
    SubnetBody,
    given,
)
from snf.api.network.collection import Collection, Json, owner, times
from snf.api.policy import Reach
from snf.core.address import IPAddress
from snf.core.errors import NotFound
from snf.core.identity import Role
from snf.core.network import Network
from snf.core.quota import Amounts, Resource
from snf.core.subnet import (
    InvalidInput,
    IPNetwork,
    Pool,
    Route,
    Subnet,
    check_gateway,
    network_of,
    pools_of,
    usual_gateway,
    usual_pools,
)
from snf.storage import networks, quotas, subnets, tagged
from snf.storage.database import Transaction
from snf.storage.subnets import SUBNETS


class SubnetNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, subnet: str) -> None:
        super().__init__(f"Subnet {subnet} could not be found.")


def collection(page_size: int) -> Collection[Subnet]:
    """Return how subnets are listed and shown."""
    return Collection("subnet", SUBNETS, _view, SubnetNotFound, page_size)


@frozen
class Subnets:
    """``/v2.0/subnets``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    subnets: Collection[Subnet]
    networks: Collection[Network]
    limits: Amounts

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.subnets.list(txn, call)

    @route(app, "POST", "/", role=Role.MEMBER, body=NewSubnets, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Make one, or several: all or none."""
        wanted: Sequence[NewSubnet] = self.subnets.asked(call.body)
        made = []
        for one in wanted:
            network = self.networks.own(txn, call, one.network_id, "update")
            made.append(add(txn, call, network, one))
        for project in sorted({one.project for one in made if one.project}):
            count = sum(one.project == project for one in made)
            limits.take(txn, project, {Resource.SUBNETS: count}, self.limits)
        return self.subnets.made(call.body, [_view(call, one) for one in made])

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.subnets.show(txn, call, item)

    @route(app, "PUT", "/<item>", role=Role.MEMBER, body=SubnetBody)
    def update(self, txn: Transaction, call: Call, item: str) -> Json:
        """Change one; where it is stays as it is."""
        subnet = self.subnets.own(txn, call, item, "update")
        changed = _changed(subnet, given(call.body.subnet))
        subnets.change(txn, changed)
        if changed.pools != subnet.pools:
            subnets.set_pools(txn, subnet.id, changed.pools)
        note(txn, call, "subnet update", subnet.id)
        return {"subnet": _view(call, self.subnets.find(txn, call, item))}

    @route(app, "DELETE", "/<item>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, item: str) -> None:
        """Delete one of which no port has an address."""
        subnet = self.subnets.own(txn, call, item, "delete")
        subnets.delete(txn, subnet)
        networks.check_unused(txn, subnet.network)
        if subnet.project is not None:
            quotas.put_back(txn, subnet.project, Resource.SUBNETS)
        note(txn, call, "subnet delete", subnet.id)


def add(txn: Transaction, call: Call, network: Network, wanted: NewSubnet) -> Subnet:
    """
    Make a subnet.

    :raises BadRequest: Its addresses make no sense; names the field.
    :raises Conflict: The network has one of this version, or is at Ganeti already; or
        pools overlap.
    """
    version = None if wanted.ip_version is None else int(wanted.ip_version)
    whole = network_of(wanted.cidr, version)
    _check_modes(wanted, whole)
    networks.check_unused(txn, network.id)
    changes = given(wanted)
    gateway = usual_gateway(whole)
    subnet = _changed(
        Subnet(
            id=uuid4(),
            network=network.id,
            cidr=str(whole),
            created=call.now,
            updated=call.now,
            eui64=whole.version == 6,
            project=network.project,
            external=network.external,
            gateway=gateway,
            pools=usual_pools(whole, gateway),
        ),
        changes,
    )
    if not changes.get("allocation_pools"):
        subnet = evolve(subnet, pools=usual_pools(whole, subnet.gateway))
    subnets.add(txn, subnet)
    tags = tagged.begin(txn, "subnet", subnet.id, wanted.tags)
    note(txn, call, "subnet create", subnet.id)
    return evolve(subnet, tags=tags)


def _check_modes(wanted: NewSubnet, whole: IPNetwork) -> None:
    modes = {
        "ipv6_ra_mode": wanted.ipv6_ra_mode,
        "ipv6_address_mode": wanted.ipv6_address_mode,
    }
    for name, mode in modes.items():
        if mode is None:
            continue
        if whole.version == 4:
            raise InvalidInput(name, "it is for ip_version 6 only")
        if mode == "dhcpv6-stateful":
            raise InvalidInput(name, "addresses follow from MAC addresses: use slaac")
    if whole.version == 6 and whole.prefixlen != 64:
        raise InvalidInput("cidr", "an IPv6 subnet must be a /64, for EUI-64 addresses")


def _changed(subnet: Subnet, changes: dict[str, Any]) -> Subnet:
    """Return a subnet with what a client asks for."""
    whole = ip_network(subnet.cidr)
    if "gateway_ip" in changes:
        subnet = evolve(subnet, gateway=_gateway(changes["gateway_ip"], whole))
    if changes.get("allocation_pools"):
        ends = [(pool.start, pool.end) for pool in changes["allocation_pools"]]
        subnet = evolve(subnet, pools=pools_of(ends, whole, subnet.gateway))
    elif "gateway_ip" in changes and "cidr" not in changes:
        ends = [(str(pool.first), str(pool.last)) for pool in subnet.pools]
        pools_of(ends, whole, subnet.gateway)
    named = {name: changes[name] for name in ("name", "description") if name in changes}
    return evolve(
        subnet,
        dhcp=changes.get("enable_dhcp", subnet.dhcp),
        dns=_dns(changes.get("dns_nameservers", subnet.dns), whole),
        routes=_routes(changes.get("host_routes", subnet.routes), whole),
        **named,
    )


def _gateway(text: str | None, whole: IPNetwork) -> IPAddress | None:
    # Clients say "no gateway" by an empty text, too.
    if text is None or text == "":
        return None
    gateway = _address("gateway_ip", text)
    check_gateway(gateway, whole)
    return gateway


def _dns(texts: Sequence[Any] | None, whole: IPNetwork) -> tuple[IPAddress, ...]:
    servers = tuple(_address("dns_nameservers", str(text)) for text in texts or ())
    for server in servers:
        if server.version != whole.version:
            raise InvalidInput(
                "dns_nameservers", f"'{server}' is not of IPv{whole.version}"
            )
    if len(set(servers)) < len(servers):
        raise InvalidInput("dns_nameservers", "one is named twice")
    return servers


def _routes(
    wanted: Sequence[HostRoute | Route] | None, whole: IPNetwork
) -> tuple[Route, ...]:
    routes = []
    for one in wanted or ():
        if isinstance(one, Route):
            routes.append(one)
            continue
        via = _address("host_routes", one.nexthop)
        try:
            to = ip_network(one.destination, strict=False)
        except ValueError:
            raise InvalidInput(
                "host_routes", f"'{one.destination}' is not a valid IP subnet."
            ) from None
        if {to.version, via.version} != {whole.version}:
            raise InvalidInput("host_routes", f"must be of IPv{whole.version}")
        routes.append(Route(str(to), via))
    return tuple(routes)


def _address(field: str, text: str) -> IPAddress:
    try:
        address = ip_address(text)
    except ValueError:
        raise InvalidInput(field, f"'{text}' is not a valid IP address.") from None
    if "%" in str(address):
        raise InvalidInput(field, f"'{text}' is not a valid IP address.")
    return address


def _view(call: Call, subnet: Subnet) -> Json:
    mode = "slaac" if subnet.eui64 else None
    return {
        "id": str(subnet.id),
        "name": subnet.name,
        **owner(subnet.project),
        "network_id": str(subnet.network),
        "ip_version": subnet.version,
        "subnetpool_id": None,
        "enable_dhcp": subnet.dhcp,
        "ipv6_ra_mode": mode,
        "ipv6_address_mode": mode,
        "gateway_ip": subnet.gateway and str(subnet.gateway),
        "cidr": subnet.cidr,
        "allocation_pools": [_pool(pool) for pool in subnet.pools],
        "host_routes": [
            {"destination": route.destination, "nexthop": str(route.via)}
            for route in subnet.routes
        ],
        "dns_nameservers": [str(address) for address in subnet.dns],
        "description": subnet.description,
        "service_types": [],
        "router:external": subnet.external,
        "tags": sorted(subnet.tags),
        **times(subnet.created, subnet.updated or subnet.created, subnet.revision),
    }


def _pool(pool: Pool) -> Json:
    return {"start": str(pool.first), "end": str(pool.last)}
