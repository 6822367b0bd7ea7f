"""``/servers/{id}/os-interface``: the interfaces of a server."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import versions
from snf.api.compute.bodies import Label
from snf.api.compute.owned import MISSING, locate
from snf.api.compute.places import (
    defaults,
    fixed_address,
    own_port,
    usable_networks,
)
from snf.api.json import Edge, new_app, route
from snf.api.plugging import Plugger, PortInUse, Wish
from snf.api.policy import Reach
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.core.identity import Role
from snf.core.network import Network
from snf.core.port import Port
from snf.storage import lists, plugs
from snf.storage.database import Transaction
from snf.storage.ports import PORTS

Json = dict[str, Any]

# More than any server has.
_AT_MOST = 1000


class FixedIp(msgspec.Struct, forbid_unknown_fields=True):
    """An address that an interface is to have."""

    ip_address: str


class Attachment(msgspec.Struct, forbid_unknown_fields=True):
    """``interfaceAttachment`` in ``POST /servers/{id}/os-interface``."""

    net_id: str | None = None
    port_id: str | None = None
    fixed_ips: Annotated[list[FixedIp], msgspec.Meta(min_length=1, max_length=1)] = []
    tag: Label | msgspec.UnsetType = msgspec.UNSET


class AttachBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /servers/{id}/os-interface``."""

    interfaceAttachment: Attachment = msgspec.field(default_factory=Attachment)


@frozen
class Interfaces:
    """``/servers/{id}/os-interface``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    plugger: Plugger

    @route(app, "GET", "/<server>/os-interface")
    def listing(self, txn: Transaction, call: Call, server: str) -> Json:
        """List the interfaces of one."""
        _, uuid = locate(txn, call, server)
        ports = {port.id: port for port in _ports(txn, uuid)}
        tags = plugs.tags_of(txn, uuid)
        return {
            "interfaceAttachments": [
                _view(call, ports[port], tag)
                for port, tag in tags.items()
                if port in ports
            ]
        }

    @route(app, "GET", "/<server>/os-interface/<port>")
    def show(self, txn: Transaction, call: Call, server: str, port: str) -> Json:
        """Show the interface of one that a port is."""
        _, uuid = locate(txn, call, server)
        return self._shown(txn, call, uuid, _port(port))

    @route(app, "POST", "/<server>/os-interface", role=Role.MEMBER, body=AttachBody)
    def attach(self, txn: Transaction, call: Call, server: str) -> Json:
        """Give one another interface."""
        asked: Attachment = call.body.interfaceAttachment
        _, uuid = locate(txn, call, server)
        wanted = _wanted(txn, call, asked)
        tag = None
        if asked.tag is not msgspec.UNSET:
            if not call.since(versions.ATTACHED_WITH_TAG):
                raise BadRequest(
                    "interfaceAttachment: Additional properties are not allowed ('tag' "
                    "was unexpected)"
                )
            tag = asked.tag
        port = self.plugger.attach(txn, call, uuid, wanted, tag)
        return self._shown(txn, call, uuid, port)

    @route(app, "DELETE", "/<server>/os-interface/<port>", role=Role.MEMBER, code=202)
    def detach(self, txn: Transaction, call: Call, server: str, port: str) -> None:
        """Take an interface from one."""
        uuid = identifier(server, MISSING)
        missing = f"Instance {server} does not have port {port}"
        self.plugger.detach(txn, call, uuid, identifier(port, missing), delete=False)

    def _shown(self, txn: Transaction, call: Call, server: UUID, port: UUID) -> Json:
        for one in _ports(txn, server):
            if one.id == port:
                tag = plugs.tags_of(txn, server).get(port)
                return {"interfaceAttachment": _view(call, one, tag)}
        raise NotFound(f"Instance {server} does not have port {port}")


def _port(text: str) -> UUID:
    return identifier(text, "Port {} could not be found.")


_NETWORK_NEEDED = (
    "interfaceAttachment.fixed_ips: Must input network_id when request IP address"
)


def _wanted(txn: Transaction, call: Call, asked: Attachment) -> UUID | Wish:
    """
    Return the port that is wanted, or the wish for one.

    :raises BadRequest: What is asked for makes no sense, in Nova's words
        (nova/api/openstack/compute/attach_interfaces.py).
    """
    if asked.net_id and asked.port_id:
        raise BadRequest(
            "interfaceAttachment: Must not input both network_id and port_id"
        )
    if asked.port_id:
        if asked.fixed_ips:
            raise BadRequest(_NETWORK_NEEDED)
        port = own_port(txn, call, asked.port_id)
        found = lists.get(txn, PORTS, None, port)
        if found is not None and found.server is not None:
            raise PortInUse(f"Port {port} is still in use.")
        return port
    if asked.fixed_ips and not asked.net_id:
        raise BadRequest(_NETWORK_NEEDED)
    fixed = [
        fixed_address("interfaceAttachment.fixed_ips", one.ip_address)
        for one in asked.fixed_ips
    ]
    network = _network(txn, call, asked.net_id)
    return Wish(network, call.project.id, fixed or None, kept=False)


def _network(txn: Transaction, call: Call, text: str | None) -> Network:
    if text:
        return usable_networks(txn, call, [text])[text]
    found = [network for network, _ in defaults(txn, call)]
    if not found:
        raise BadRequest("No networks defined: name one by net_id")
    if len(found) > 1:
        raise Conflict(
            "Multiple possible networks found, use a Network ID to be more specific."
        )
    return found[0]


def _ports(txn: Transaction, server: UUID) -> list[Port]:
    wanted = lists.Wanted(only={"device_id:server": [server]})
    return lists.listing(txn, PORTS, wanted, _AT_MOST)


def _view(call: Call, port: Port, tag: str | None) -> Json:
    shown: Json = {
        "net_id": str(port.network),
        "port_id": str(port.id),
        "mac_addr": port.mac,
        "port_state": port.state,
        "fixed_ips": [
            {"subnet_id": str(fixed.subnet), "ip_address": str(fixed.address)}
            for fixed in port.addresses
        ],
    }
    if port.waits:
        shown["SNF:takes_effect"] = "next start"
    if call.since(versions.SHOWN_NIC_TAG):
        shown["tag"] = tag
    return shown
