"""``/v2.0/networks``."""

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Collection, Json, owner, times
from snf.api.policy import Reach
from snf.core.catalog import Network
from snf.core.errors import NotFound
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS


class NetworkNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, network: str) -> None:
        super().__init__(f"Network {network} could not be found.")


def collection(page_size: int) -> Collection[Network]:
    """Return how networks are listed and shown."""
    return Collection("network", NETWORKS, _view, NetworkNotFound, page_size)


@frozen
class Networks:
    """``/v2.0/networks``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    networks: Collection[Network]

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.networks.list(txn, call)

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.networks.show(txn, call, item)


def _view(call: Call, network: Network) -> Json:
    return {
        "id": str(network.id),
        "name": network.name,
        **owner(network.project),
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
        "description": network.description,
        "port_security_enabled": True,
        "tags": sorted(network.tags),
        **times(network.created, network.updated, network.revision),
    }
