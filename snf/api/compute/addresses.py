"""``/servers/{id}/ips``: under which addresses a server can be reached."""

from typing import Any

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import attachments, view
from snf.api.compute.owned import MISSING, owner
from snf.api.compute.synnefo_networks import NO_NETWORK, find
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import NotFound
from snf.storage import servers
from snf.storage.database import Transaction
from snf.storage.servers import Server


@frozen
class Addresses:
    """``/servers/{id}/ips``.

    :ivar of_synnefo: Whether the NICs themselves are shown too, and networks are known
        by their ids, as in Synnefo's API.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    of_synnefo: bool

    @route(app, "GET", "/<server>/ips")
    def listing(self, txn: Transaction, call: Call, server: str) -> dict:
        """List the addresses of one, by their networks."""
        found = _find(txn, call, server)
        shown: dict[str, Any] = {"addresses": _addresses(found)}
        if self.of_synnefo:
            shown["attachments"] = attachments.of_servers(txn, [found])[found.uuid]
        return shown

    @route(app, "GET", "/<server>/ips/<network>")
    def show(self, txn: Transaction, call: Call, server: str, network: str) -> dict:
        """List those on the network with this name, or in Synnefo's API with this id."""
        one = _find(txn, call, server)
        found = _addresses(one)
        if network in found:
            return {network: found[network]}
        if self.of_synnefo:
            return {"network": _of_synnefo(txn, call, one, network)}
        raise NotFound(NO_NETWORK)


def _find(txn: Transaction, call: Call, server: str) -> Server:
    return servers.get(txn, owner(call), identifier(server, MISSING))


def _of_synnefo(
    txn: Transaction, call: Call, server: Server, network: str
) -> dict[str, list[view.Json]]:
    """
    Return a server's addresses on a network by its id, as Synnefo shows them.

    :raises NotFound: There is no such network, or the server is not on it.
    """
    known = str(find(txn, call, network).id)
    nics = attachments.of_servers(txn, [server])[server.uuid]
    here = [nic for nic in nics if nic["network_id"] == known]
    if not here:
        raise NotFound(NO_NETWORK)
    return {known: [one for nic in here for one in attachments.addresses(nic)]}


def _addresses(server: Server) -> dict[str, Any]:
    return {
        network: [{"version": one["version"], "addr": one["addr"]} for one in places]
        for network, places in view.addresses(server).items()
    }
