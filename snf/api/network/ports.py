"""``/v2.0/ports``: places on networks, with their addresses."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import UUID_TEXT, Call, identifier
from snf.api.json import Edge, new_app, route
from snf.api.network.bodies import TagList, Text
from snf.api.network.collection import (
    Collection,
    Json,
    PolicyNotAuthorized,
    owner,
    sight,
    times,
)
from snf.api.network.networks import NetworkNotFound
from snf.api.network.security_group_rules import SecurityGroupNotFound
from snf.api.plugging import Plugger, PortInUse, Wish
from snf.api.policy import Reach
from snf.core.errors import BadRequest, NotFound
from snf.core.firewall import GROUPS_AT_MOST
from snf.core.identity import Role
from snf.core.port import Fixed, Port, matched, places
from snf.core.quota import Resource
from snf.core.subnet import InvalidInput
from snf.storage import firewalls, lists, plugs, subnets, tagged, users
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS
from snf.storage.ports import PORTS

_Nothing = Annotated[list[Any], msgspec.Meta(max_length=0)]


class PortNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, port: str) -> None:
        super().__init__(f"Port {port} could not be found.")


def collection(page_size: int) -> Collection[Port]:
    """Return how ports are listed and shown."""
    readers = {"device_id": _device, "fixed_ips": _fixed_ips}
    return Collection("port", PORTS, _view, PortNotFound, page_size, readers=readers)


class FixedIp(msgspec.Struct, forbid_unknown_fields=True):
    """One of ``fixed_ips``: an address, or any of a subnet."""

    ip_address: str | None = None
    subnet_id: str | None = None


_FixedIps = Annotated[list[FixedIp], msgspec.Meta(max_length=5)]


_Groups = Annotated[list[str], msgspec.Meta(max_length=GROUPS_AT_MOST)]


class NewPort(msgspec.Struct, forbid_unknown_fields=True):
    """``port`` in ``POST /ports``.

    What is not offered may only be given as clients give "nothing of it".
    """

    network_id: str
    name: Text = ""
    description: Text = ""
    tags: TagList = []
    admin_state_up: Literal[True] = True
    fixed_ips: _FixedIps | msgspec.UnsetType = msgspec.UNSET
    mac_address: str | msgspec.UnsetType = msgspec.UNSET
    device_id: str = ""
    device_owner: Literal["", "compute:nova"] = ""
    project_id: str | msgspec.UnsetType = msgspec.UNSET
    tenant_id: str | msgspec.UnsetType = msgspec.UNSET
    port_security_enabled: Literal[True] = True
    allowed_address_pairs: _Nothing = []
    extra_dhcp_opts: _Nothing = []
    security_groups: _Groups | msgspec.UnsetType | None = msgspec.UNSET
    vnic_type: Literal["normal"] = msgspec.field(
        name="binding:vnic_type", default="normal"
    )


class NewPortBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /ports``: one, or several at once."""

    port: NewPort | msgspec.UnsetType = msgspec.UNSET
    ports: (
        Annotated[list[NewPort], msgspec.Meta(min_length=1, max_length=100)]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """``port`` in ``PUT /ports/{id}``."""

    name: Text | msgspec.UnsetType = msgspec.UNSET
    description: Text | msgspec.UnsetType = msgspec.UNSET
    admin_state_up: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    fixed_ips: _FixedIps | msgspec.UnsetType = msgspec.UNSET
    device_id: str | msgspec.UnsetType = msgspec.UNSET
    device_owner: Literal["", "compute:nova"] | msgspec.UnsetType = msgspec.UNSET
    security_groups: _Groups | msgspec.UnsetType | None = msgspec.UNSET


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /ports/{id}``."""

    port: Changes


@frozen
class Ports:
    """``/v2.0/ports``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    ports: Collection[Port]
    plugger: Plugger

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.ports.list(txn, call)

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.ports.show(txn, call, item)

    @route(app, "POST", "/", role=Role.MEMBER, body=NewPortBody, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Make one or several; with a device_id, on that server."""
        made = self._made(txn, call, self.ports.asked(call.body))
        return self.ports.made(call.body, made)

    def _made(
        self, txn: Transaction, call: Call, asked: Sequence[NewPort]
    ) -> Sequence[Json]:
        wishes = [_wish(txn, call, one) for one in asked]
        made: dict[UUID, UUID] = {}
        held: Counter[tuple[UUID, Resource]] = Counter()
        for one, wish in zip(asked, wishes, strict=True):
            if one.device_id:
                server = identifier(one.device_id, _NO_SERVER)
                made[self.plugger.attach(txn, call, server, wish)] = wish.project
                continue
            if wish.groups is None:
                self.plugger.hold_default(txn, wish.project)
            port = self.plugger.add(txn, wish)
            made[port.id] = wish.project
            held.update({(wish.project, name): n for name, n in port.held.items()})
            note(txn, call, "port create", port.id)
        for port_id, one in zip(made, asked, strict=True):
            tagged.begin(txn, "port", port_id, one.tags)
        for project in sorted({project for project, _ in held}):
            amounts = {name: n for (whose, name), n in held.items() if whose == project}
            self.plugger.take(txn, project, amounts)
        return [self.ports.show(txn, call, str(port))["port"] for port in made]

    @route(app, "PUT", "/<item>", role=Role.MEMBER, body=ChangeBody)
    def update(self, txn: Transaction, call: Call, item: str) -> Json:
        """Change one; with another device_id, put it on that server or take it off."""
        found = self.ports.own(txn, call, item, "update")
        wanted: Changes = call.body.port
        groups = _groups(txn, found.project, wanted.security_groups)
        if wanted.fixed_ips is not msgspec.UNSET:
            self._readdress(txn, found, _fixed(wanted.fixed_ips))
        if wanted.device_id is not msgspec.UNSET:
            self._move(txn, call, found, wanted.device_id)
        if groups is not None:
            firewalls.put(txn, found.id, groups)
            firewalls.order_for_port(txn, found.id, call.request_id)
        texts = {"name": wanted.name, "description": wanted.description}
        changes = {k: v for k, v in texts.items() if v is not msgspec.UNSET}
        plugs.change(txn, found.id, changes)
        note(txn, call, "port update", found.id)
        return self.ports.show(txn, call, item)

    @route(app, "DELETE", "/<item>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, item: str) -> None:
        """Delete one; on a server it is there until Ganeti has removed its NIC."""
        found = self.ports.own(txn, call, item, "delete")
        self.plugger.delete(txn, call, found.id)

    def _move(self, txn: Transaction, call: Call, port: Port, device: str) -> None:
        if device == ("" if port.server is None else str(port.server)):
            return
        if port.server is not None and device:
            raise PortInUse(f"Port {port.id} is still in use.")
        if port.server is not None:
            self.plugger.detach(txn, call, port.server, port.id, delete=False)
        else:
            server = identifier(device, _NO_SERVER)
            self.plugger.attach(txn, call, server, port.id)

    def _readdress(self, txn: Transaction, port: Port, wanted: Sequence[Fixed]) -> None:
        """
        Give a port other addresses; those that are wanted again stay.

        :raises PortInUse: It is on a server, whose NIC has the old ones.
        """
        held = plugs.lock(txn, port.id)
        known = subnets.of_network(txn, port.network)
        asked = places(known, port.network, wanted)
        had = plugs.held(txn, port.id)
        keep, fresh = matched(had, asked)
        gone = [one for one in had if one not in keep]
        if not fresh and not gone:
            return
        if held is None or held.server is not None:
            raise PortInUse(
                f"The addresses of port {port.id} cannot change while it is on a server"
            )
        plugs.take_back(txn, port.id, [one.address for one in gone])
        plugs.give(txn, port.id, held.mac, known, fresh)
        more = {Resource.FIXED_IPS: len(fresh) - len(gone)}
        self.plugger.take(txn, port.project, more)


_NO_SERVER = "Instance {} could not be found."


def _wish(txn: Transaction, call: Call, asked: NewPort) -> Wish:
    """
    Return what is wanted of a new port.

    :raises PolicyNotAuthorized: Only admins may want that.
    :raises NotFound: There is no such network.
    """
    network = lists.get(txn, NETWORKS, sight(call), _network_id(asked.network_id))
    if network is None:
        raise NetworkNotFound(asked.network_id)
    mac = None
    if asked.mac_address is not msgspec.UNSET:
        if not call.is_admin:
            raise PolicyNotAuthorized(
                "rule:create_port:mac_address is disallowed by policy"
            )
        mac = _mac(asked.mac_address)
    fixed = None if asked.fixed_ips is msgspec.UNSET else _fixed(asked.fixed_ips)
    project = _whose(txn, call, asked)
    return Wish(
        network=network,
        project=project,
        groups=_groups(txn, project, asked.security_groups),
        fixed=fixed,
        mac=mac,
        name=asked.name,
        description=asked.description,
    )


def _groups(
    txn: Transaction, project: UUID, asked: Sequence[str] | msgspec.UnsetType | None
) -> Sequence[UUID] | None:
    """
    Return the security groups of a project that are asked for, held; None if none are.

    :raises SecurityGroupNotFound: It has no such group.
    """
    if isinstance(asked, msgspec.UnsetType):
        return None
    for text in asked or ():
        if not UUID_TEXT.fullmatch(text):
            raise SecurityGroupNotFound(text)
    ids = list(dict.fromkeys(UUID(text) for text in asked or ()))
    for group in firewalls.hold(txn, project, ids):
        raise SecurityGroupNotFound(group)
    return ids


def _network_id(text: str) -> UUID:
    if not UUID_TEXT.fullmatch(text):
        raise InvalidInput("network_id", f"'{text[:60]}' is not a valid UUID.")
    return UUID(text)


def _whose(txn: Transaction, call: Call, asked: NewPort) -> UUID:
    given = {asked.project_id, asked.tenant_id} - {msgspec.UNSET}
    if len(given) > 1:
        raise BadRequest("'project_id' and 'tenant_id' do not match")
    for text in given:
        if text in (str(call.project.id), call.project.id.hex):
            continue
        if not call.is_admin:
            raise PolicyNotAuthorized("rule:create_port is disallowed by policy")
        missing = f"Could not find project: {text}."
        found = users.project(txn, identifier(str(text), missing), None)
        if found is None:
            raise NotFound(missing)
        return found.id
    return call.project.id


def _fixed(asked: Sequence[FixedIp]) -> Sequence[Fixed]:
    """
    Return the addresses that a request asks for.

    :raises InvalidInput: One is none.
    """
    found = []
    for one in asked:
        text = one.ip_address
        try:
            address = None if text is None else ip_address(text)
        except ValueError:
            raise InvalidInput(
                "fixed_ips", f"{text!r:.60} is not a valid IP address."
            ) from None
        subnet = None
        if one.subnet_id is not None:
            if not UUID_TEXT.fullmatch(one.subnet_id):
                raise InvalidInput(
                    "fixed_ips", f"'{one.subnet_id[:60]}' is not a valid UUID."
                )
            subnet = UUID(one.subnet_id)
        found.append(Fixed(address, subnet))
    return found


_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", re.IGNORECASE)


def _mac(text: str) -> str:
    if not _MAC.fullmatch(text) or text == "00:00:00:00:00:00":
        raise InvalidInput("mac_address", f"'{text[:60]}' is not a valid MAC address.")
    return text.lower()


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
    waits = {"SNF:takes_effect": "next start"} if port.waits else {}
    return {
        **waits,
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
        "security_groups": [str(group) for group in port.groups],
        "description": port.description,
        "binding:vnic_type": "normal",
        "port_security_enabled": True,
        "tags": sorted(port.tags),
        **times(port.created, port.updated, port.revision),
    }
