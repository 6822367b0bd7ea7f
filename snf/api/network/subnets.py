"""``/v2.0/subnets``."""

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Collection, Json, owner, times
from snf.api.policy import Reach
from snf.core.catalog import Subnet
from snf.core.errors import NotFound
from snf.storage.database import Transaction
from snf.storage.networks import SUBNETS


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

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.subnets.list(txn, call)

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.subnets.show(txn, call, item)


def _view(call: Call, subnet: Subnet) -> Json:
    return {
        "id": str(subnet.id),
        "name": subnet.name,
        **owner(subnet.project),
        "network_id": str(subnet.network),
        "ip_version": subnet.pool_start.version,
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
        "description": subnet.description,
        "service_types": [],
        "router:external": subnet.external,
        "tags": sorted(subnet.tags),
        **times(subnet.created, subnet.updated or subnet.created, subnet.revision),
    }
