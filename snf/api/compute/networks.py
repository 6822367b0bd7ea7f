"""``/os-networks`` of the compute API: networks as clients of old look for them."""

from typing import Any

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute.versions import BEFORE_PROXIES_WENT
from snf.api.json import Edge, new_app, route
from snf.core.catalog import Network
from snf.core.errors import NotFound
from snf.storage import networks
from snf.storage.database import Transaction

_MISSING = "Network not found"

# What Nova knew of networks while they were its own: null since they are Neutron's
# (nova/api/openstack/compute/networks.py, network_dict).
_OF_OLD = (
    *("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2"),
    *("cidr_v6", "netmask_v6", "gateway_v6"),
)


@frozen
class Networks:
    """``/os-networks``: their ids and names, no more."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/", until=BEFORE_PROXIES_WENT)
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them."""
        wanted = networks.Wanted(marker=call.marker())
        limit = call.limit(self.page_size)
        found = networks.listing(txn, call.grant.project_id, wanted, limit)
        return {"networks": [_shown(one) for one in found]}

    @route(app, "GET", "/<network>", until=BEFORE_PROXIES_WENT)
    def show(self, txn: Transaction, call: Call, network: str) -> dict:
        """Show one."""
        wanted = networks.Wanted(ids=(identifier(network, _MISSING),))
        found = networks.listing(txn, call.grant.project_id, wanted, 1)
        if not found:
            raise NotFound(_MISSING)
        return {"network": _shown(found[0])}


def _shown(network: Network) -> dict[str, Any]:
    of_old = dict.fromkeys(_OF_OLD)
    return {"id": str(network.id), "label": network.name, **of_old}
