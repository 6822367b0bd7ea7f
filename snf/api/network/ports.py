"""``/v2.0/ports`` (read only)."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Collection, Json, owner, times
from snf.api.policy import Reach
from snf.core.errors import NotFound
from snf.core.port import Port
from snf.core.subnet import InvalidInput
from snf.storage.database import Transaction
from snf.storage.ports import PORTS


class PortNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, port: str) -> None:
        super().__init__(f"Port {port} could not be found.")


def collection(page_size: int) -> Collection[Port]:
    """Return how ports are listed and shown."""
    readers = {"device_id": _device, "fixed_ips": _fixed_ips}
    return Collection("port", PORTS, _view, PortNotFound, page_size, readers=readers)


@frozen
class Ports:
    """``/v2.0/ports``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    ports: Collection[Port]

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.ports.list(txn, call)

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.ports.show(txn, call, item)


def _fixed_ips(texts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return what ``fixed_ips=ip_address=...`` and ``fixed_ips=subnet_id=...`` ask."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in ("ip_address", "subnet_id"):
            raise InvalidInput("fixed_ips", "must be ip_address=... or subnet_id=...")
        found.setdefault(f"fixed_ips:{name}", []).append(value)
    return found


def _device(texts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    # Servers' ids are looked up; being on none is not.
    return {"device_id" if "" in texts else "device_id:server": texts}


def _view(call: Call, port: Port) -> Json:
    return {
        "id": str(port.id),
        "name": port.name,
        "network_id": str(port.network),
        **owner(port.project),
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
        "description": port.description,
        "binding:vnic_type": "normal",
        "port_security_enabled": True,
        "tags": sorted(port.tags),
        **times(port.created, port.updated, port.revision),
    }
