"""``/os-networks`` of the compute API: networks as clients of old look for them."""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute.versions import BEFORE_PROXIES_WENT
from snf.api.json import Edge, new_app, route
from snf.core.errors import NotFound
from snf.core.network import Network
from snf.storage import lists
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS

_MISSING = "Network not found"

# What Nova knew of networks while they were its own: null since they are Neutron's
# (nova/api/openstack/compute/networks.py, network_dict).
OF_OLD = (
    *("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2"),
    *("cidr_v6", "netmask_v6", "gateway_v6"),
)


@frozen
class Networks:
    """``/os-networks`` and ``/os-tenant-networks``: their ids and names, no more.

    :ivar of_old: What else is shown, without a value.
    """

    app = new_app()

    edge: Edge
    page_size: int
    of_old: Sequence[str] = OF_OLD

    @route(app, "GET", "/", until=BEFORE_PROXIES_WENT)
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them."""
        wanted = lists.Wanted(call.project.id, marker=call.marker())
        limit = call.limit(self.page_size)
        found = lists.listing(txn, NETWORKS, wanted, limit)
        return {"networks": [self._shown(one) for one in found]}

    @route(app, "GET", "/<network>", until=BEFORE_PROXIES_WENT)
    def show(self, txn: Transaction, call: Call, network: str) -> dict:
        """Show one."""
        wanted = identifier(network, _MISSING)
        found = lists.get(txn, NETWORKS, call.project.id, wanted)
        if found is None:
            raise NotFound(_MISSING)
        return {"network": self._shown(found)}

    def _shown(self, network: Network) -> dict[str, Any]:
        of_old = dict.fromkeys(self.of_old)
        return {"id": str(network.id), "label": network.name, **of_old}
