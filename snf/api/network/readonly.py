"""``/v2.0/networks``, ``subnets`` and ``ports`` (read only)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.json import Edge, new_app, route
from snf.core.catalog import Network, Subnet
from snf.core.errors import NotFound, SnfError
from snf.core.port import Port
from snf.storage import networks, ports
from snf.storage.database import Transaction
from snf.storage.networks import Wanted

_Json = dict[str, Any]
_Listing = Callable[[Transaction, UUID | None, Wanted, int], list]


class NetworkNotFound(NotFound):
    """Named as Neutron names it."""


class SubnetNotFound(NotFound):
    """Named as Neutron names it."""


class PortNotFound(NotFound):
    """Named as Neutron names it."""


@frozen
class Collection:
    """A collection of things: listed with filters, and each shown by its id.

    :ivar noun: ``network``, as the singular's key and in sentences.
    :ivar listing: The storage function that lists them.
    :ivar view: What shows one.
    :ivar missing: What to raise where there is none.
    """

    app = new_app()

    edge: Edge
    noun: str
    listing: _Listing
    view: Callable[[Any], _Json]
    missing: type[SnfError]
    page_size: int

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> _Json:
        """List them."""
        limit = call.limit(self.page_size)
        wanted = _wanted(call)
        found = (
            [] if wanted is None else self.listing(txn, _project(call), wanted, limit)
        )
        shown = [_only(call, self.view(one)) for one in found]
        answer: _Json = {f"{self.noun}s": shown}
        if found and len(found) == limit:
            href = f"{call.base}/{self.noun}s?{call.page_after(found[-1].id)}"
            answer[f"{self.noun}s_links"] = [{"rel": "next", "href": href}]
        return answer

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> _Json:
        """Show one."""
        message = f"{self.noun.title()} {item} could not be found."
        try:
            wanted = Wanted(ids=[identifier(item, "")])
            [found] = self.listing(txn, _project(call), wanted, 1)
        except (NotFound, ValueError):
            raise self.missing(message) from None
        return {self.noun: _only(call, self.view(found))}


@frozen
class Extensions:
    """``/v2.0/extensions``: there are none (yet)."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> _Json:
        """List them."""
        return {"extensions": []}

    @route(app, "GET", "/<extension>")
    def show(self, txn: Transaction, call: Call, extension: str) -> _Json:
        """Show one."""
        raise NotFound("The resource could not be found.")


def collections(edge: Edge, page_size: int) -> dict[str, Collection]:
    """Return the three collections by their names in the URL."""
    return {
        "networks": Collection(
            edge, "network", networks.listing, _network, NetworkNotFound, page_size
        ),
        "subnets": Collection(
            edge, "subnet", networks.subnets, _subnet, SubnetNotFound, page_size
        ),
        "ports": Collection(edge, "port", _ports, _port, PortNotFound, page_size),
    }


def _project(call: Call) -> UUID:
    return call.project.id


def _ports(
    txn: Transaction, project: UUID | None, wanted: Wanted, limit: int
) -> list[Port]:
    return ports.listing(txn, project, wanted, limit)


def _wanted(call: Call) -> Wanted | None:
    """Return what the filters ask for; None when nothing can be meant by them."""
    try:
        return Wanted(
            ids=_ids(call, "id"),
            names=call.every("name"),
            networks=_ids(call, "network_id"),
            servers=_ids(call, "device_id"),
            marker=call.marker(),
        )
    except NotFound:
        return None


def _ids(call: Call, name: str) -> list[UUID] | None:
    texts = call.every(name)
    return None if texts is None else [identifier(text, "") for text in texts]


def _only(call: Call, shown: _Json) -> _Json:
    """Return the fields that the caller asked for; all when none were named."""
    fields = call.every("fields")
    if fields is None:
        return shown
    return {name: value for name, value in shown.items() if name in fields}


def _network(network: Network) -> _Json:
    return {
        "id": str(network.id),
        "name": network.name,
        **_owner(network.project),
        "admin_state_up": True,
        "mtu": 1500,
        "status": "ACTIVE",
        "subnets": [str(subnet) for subnet in network.subnets],
        "shared": network.shared,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "router:external": network.external,
        "is_default": network.is_default,
        "description": "",
        "port_security_enabled": True,
        "tags": [],
        **_times(network.created, network.updated),
    }


def _subnet(subnet: Subnet) -> _Json:
    version = subnet.pool_start.version
    return {
        "id": str(subnet.id),
        "name": subnet.name,
        **_owner(subnet.project),
        "network_id": str(subnet.network),
        "ip_version": version,
        "subnetpool_id": None,
        "enable_dhcp": subnet.dhcp,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "gateway_ip": subnet.gateway and str(subnet.gateway),
        "cidr": subnet.cidr,
        "allocation_pools": [
            {"start": str(subnet.pool_start), "end": str(subnet.pool_end)}
        ],
        "host_routes": [],
        "dns_nameservers": [str(address) for address in subnet.dns],
        "description": "",
        "service_types": [],
        "router:external": subnet.external,
        "tags": [],
        **_times(subnet.created, subnet.created),
    }


def _port(port: Port) -> _Json:
    return {
        "id": str(port.id),
        "name": port.name,
        "network_id": str(port.network),
        **_owner(port.project),
        "mac_address": port.mac,
        "admin_state_up": True,
        "status": port.state,
        "device_id": "" if port.server is None else str(port.server),
        "device_owner": "" if port.server is None else "compute:nova",
        "fixed_ips": [
            {"subnet_id": str(fixed.subnet), "ip_address": str(fixed.address)}
            for fixed in port.addresses
        ],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "security_groups": [],
        "description": "",
        "binding:vnic_type": "normal",
        "port_security_enabled": True,
        "tags": [],
        **_times(port.created, port.updated),
    }


def _owner(project: UUID | None) -> _Json:
    text = "" if project is None else str(project)
    return {"tenant_id": text, "project_id": text}


def _times(created: datetime, updated: datetime) -> _Json:
    return {
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{updated:%Y-%m-%dT%H:%M:%SZ}",
        "revision_number": 0,
    }
