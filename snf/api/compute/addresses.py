"""``/servers/{id}/ips``: under which addresses a server can be reached."""

from typing import Any

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import view
from snf.api.compute.owned import MISSING, owner
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import NotFound
from snf.storage import servers
from snf.storage.database import Transaction


@frozen
class Addresses:
    """``/servers/{id}/ips``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/ips")
    def listing(self, txn: Transaction, call: Call, server: str) -> dict:
        """List the addresses of one, by their networks."""
        return {"addresses": _addresses(txn, call, server)}

    @route(app, "GET", "/<server>/ips/<network>")
    def show(self, txn: Transaction, call: Call, server: str, network: str) -> dict:
        """List those on the network with this name."""
        found = _addresses(txn, call, server)
        if network not in found:
            raise NotFound("Network not found")
        return {network: found[network]}


def _addresses(txn: Transaction, call: Call, server: str) -> dict[str, Any]:
    found = servers.get(txn, owner(call), identifier(server, MISSING))
    return {
        network: [{"version": one["version"], "addr": one["addr"]} for one in places]
        for network, places in view.addresses(found).items()
    }
