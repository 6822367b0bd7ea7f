"""``/networks`` of the compute API's older versions, as Synnefo has it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute import attachments
from snf.api.compute.build import last_part
from snf.api.compute.owned import MISSING, locate
from snf.api.compute.view import time
from snf.api.json import Edge, new_app, route
from snf.api.network import limits
from snf.api.network.bodies import Name, NewNetwork, NewSubnet
from snf.api.network.collection import sight
from snf.api.network.networks import Maker
from snf.api.network.subnets import add as add_subnet
from snf.api.plugging import Plugger
from snf.api.plugging import Wish as PortWish
from snf.api.policy import Reach
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.identity import Role
from snf.core.network import Network
from snf.core.quota import Resource
from snf.core.subnet import InvalidInput, Subnet
from snf.storage import lists, networks
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS
from snf.storage.ports import PORTS
from snf.storage.subnets import SUBNETS

Json = dict[str, Any]

NO_NETWORK = "Network not found."
_PORTS_AT_MOST = 10_000

_Cidr = Annotated[str, msgspec.Meta(max_length=64)] | None


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """``network`` in ``POST /networks``."""

    name: Name
    type: str | None = None
    cidr: _Cidr = "192.168.1.0/24"
    cidr6: _Cidr = None
    gateway: _Cidr = None
    gateway6: _Cidr = None
    dhcp: bool = True
    public: bool = False


class WishBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that makes a network."""

    network: Wish


class Rename(msgspec.Struct, forbid_unknown_fields=True):
    """``network`` in ``PUT /networks/{id}``."""

    name: Name


class RenameBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that renames a network."""

    network: Rename


class Add(msgspec.Struct, forbid_unknown_fields=True):
    """``add`` in ``POST /networks/{id}/action``: the server that is to be on it."""

    serverRef: str


class Remove(msgspec.Struct, forbid_unknown_fields=True):
    """``remove``: the NIC that is to go, or in the oldest clients' words the server."""

    attachment: str | msgspec.UnsetType = msgspec.UNSET
    serverRef: str | msgspec.UnsetType = msgspec.UNSET


class ActionBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /networks/{id}/action``: one of them."""

    add: Add | msgspec.UnsetType = msgspec.UNSET
    remove: Remove | msgspec.UnsetType = msgspec.UNSET


@frozen
class SynnefoNetworks:
    """``/networks``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int
    maker: Maker
    plugger: Plugger

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List the networks that the project may use, with their names."""
        found = self._found(txn, call)
        return {"networks": [{"id": str(one.id), "name": one.name} for one in found]}

    @route(app, "GET", "/detail")
    def detail(self, txn: Transaction, call: Call) -> Json:
        """List the networks that the project may use."""
        return {"networks": _views(txn, call, self._found(txn, call))}

    @route(app, "POST", "/", role=Role.MEMBER, body=WishBody, code=202)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Make one, with an IPv4 subnet where nothing else is said."""
        wish: Wish = call.body.network
        if wish.public:
            raise Forbidden("Can not create a public network.")
        wanted = NewNetwork(name=wish.name, kind=wish.type)
        with _named({"SNF:kind": "type"}):
            network = self.maker.make(txn, call, wanted)
        count = _add_subnets(txn, call, network, wish)
        amounts = {Resource.NETWORKS: 1, Resource.SUBNETS: count}
        limits.take(txn, network.project, amounts, self.maker.limits)
        # Read again, since a subnet is a change of its network.
        return {"network": _views(txn, call, [networks.get(txn, network.id)])[0]}

    @route(app, "GET", "/<network>")
    def show(self, txn: Transaction, call: Call, network: str) -> Json:
        """Show one."""
        return {"network": _views(txn, call, [find(txn, call, network)])[0]}

    @route(app, "PUT", "/<network>", role=Role.MEMBER, body=RenameBody, code=204)
    def rename(self, txn: Transaction, call: Call, network: str) -> None:
        """Rename one."""
        found = _own(txn, call, network)
        networks.change(txn, found.id, {"name": call.body.network.name})
        note(txn, call, "network update", found.id)

    @route(app, "DELETE", "/<network>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, network: str) -> None:
        """Delete one that no server is on."""
        self.maker.delete(txn, call, _own(txn, call, network))

    @route(
        app,
        "POST",
        "/<network>/action",
        role=Role.MEMBER,
        body=ActionBody,
        code=202,
    )
    def act(self, txn: Transaction, call: Call, network: str) -> None:
        """Give a server a NIC on one (add), or take a NIC away (remove)."""
        found = _own(txn, call, network)
        body: ActionBody = call.body
        if (body.add is msgspec.UNSET) is (body.remove is msgspec.UNSET):
            raise BadRequest("body: must have either add or remove")
        if isinstance(body.add, Add):
            server = identifier(last_part(body.add.serverRef), MISSING)
            wish = PortWish(found, call.project.id, kept=False)
            self.plugger.attach(txn, call, server, wish)
            return
        assert not isinstance(body.remove, msgspec.UnsetType)
        server, port = _leaving(txn, call, found, body.remove)
        self.plugger.detach(txn, call, server, port, delete=False)

    def _found(self, txn: Transaction, call: Call) -> Iterable[Network]:
        wanted = lists.Wanted(call.project.id, marker=call.marker())
        return lists.listing(txn, NETWORKS, wanted, call.limit(self.page_size))


def _leaving(
    txn: Transaction, call: Call, network: Network, wanted: Remove
) -> tuple[UUID, UUID]:
    """Return the server that is to leave a network, and its port there."""
    nic, reference = wanted.attachment, wanted.serverRef
    if (nic is msgspec.UNSET) is (reference is msgspec.UNSET):
        raise BadRequest("remove: must have either attachment or serverRef")
    if isinstance(nic, str):
        return attachments.named(txn, call, network, nic)
    _, server = locate(txn, call, last_part(str(reference)))
    return server, attachments.only_one(txn, network, server)


# What the oldest clients call the one network that is public, in place of its id.
_PUBLIC = "public"


def _public(txn: Transaction, call: Call) -> Network | None:
    """Return which one of the operator's networks that is: the default one if any is."""
    wanted = lists.Wanted(
        call.project.id, {"project_id": [""]}, order=[lists.Key("is_default", False)]
    )
    found = lists.listing(txn, NETWORKS, wanted, 1)
    return found[0] if found else None


def find(txn: Transaction, call: Call, network: str) -> Network:
    """
    Return a network by its id, or by the word for the public one.

    :raises NotFound: The caller sees no such network.
    """
    if network == _PUBLIC:
        found = _public(txn, call)
    else:
        known = identifier(network, NO_NETWORK)
        found = lists.get(txn, NETWORKS, sight(call), known)
    if found is None:
        raise NotFound(NO_NETWORK)
    return found


def _own(txn: Transaction, call: Call, network: str) -> Network:
    found = find(txn, call, network)
    if found.project != call.project.id and not call.is_admin:
        raise Forbidden("Can not change a public network.")
    return found


def _add_subnets(txn: Transaction, call: Call, network: Network, wish: Wish) -> int:
    """Make what subnets are wanted, and return how many."""
    count = 0
    for version, cidr, gateway in (
        (4, wish.cidr, wish.gateway),
        (6, wish.cidr6, wish.gateway6),
    ):
        if cidr is None:
            continue
        wanted = NewSubnet(
            network_id=str(network.id),
            cidr=cidr,
            ip_version=4 if version == 4 else 6,
            gateway_ip=gateway,
            enable_dhcp=wish.dhcp,
        )
        with _named(_SUBNET_FIELDS[version]):
            add_subnet(txn, call, network, wanted)
        count += 1
    return count


# What is called here what Neutron's refusals name otherwise.
_SUBNET_FIELDS: Mapping[int, Mapping[str, str]] = {
    4: {"gateway_ip": "gateway", "ip_version": "cidr"},
    6: {"gateway_ip": "gateway6", "ip_version": "cidr6", "cidr": "cidr6"},
}


@contextmanager
def _named(fields: Mapping[str, str]) -> Iterator[None]:
    """Have a refusal name a field as it is called here."""
    try:
        yield
    except InvalidInput as refusal:
        name = fields.get(refusal.field, refusal.field)
        raise InvalidInput(name, refusal.reason) from None


def _views(txn: Transaction, call: Call, found: Iterable[Network]) -> list[Json]:
    """Return networks with their subnets and the caller's NICs, two queries for all."""
    found = list(found)
    only = {"network_id": [one.id for one in found]}
    wanted = lists.Wanted(only=only)
    subnets: dict[UUID, dict[int, Subnet]] = {}
    for subnet in lists.listing(txn, SUBNETS, wanted, 2 * len(found) + 1):
        subnets.setdefault(subnet.network, {})[subnet.version] = subnet
    nics: dict[UUID, list[str]] = {}
    wanted = lists.Wanted(call.project.id, only)
    for port in lists.listing(txn, PORTS, wanted, _PORTS_AT_MOST):
        nics.setdefault(port.network, []).append(str(port.id))
    return [_view(one, subnets.get(one.id, {}), nics.get(one.id, [])) for one in found]


def _view(network: Network, subnets: Mapping[int, Subnet], nics: list[str]) -> Json:
    four, six = subnets.get(4), subnets.get(6)
    owner = None if network.project is None else str(network.project)
    return {
        "id": str(network.id),
        "name": network.name,
        "type": network.kind.value,
        "status": "SNF:DRAINED" if network.drained else "ACTIVE",
        "public": network.shared or network.external,
        "user_id": owner,
        "tenant_id": owner,
        "created": time(network.created),
        "updated": time(network.updated),
        "cidr": four and four.cidr,
        "cidr6": six and six.cidr,
        "gateway": _text(four),
        "gateway6": _text(six),
        "dhcp": any(one.dhcp for one in subnets.values()),
        "attachments": nics,
    }


def _text(subnet: Subnet | None) -> str | None:
    return None if subnet is None or subnet.gateway is None else str(subnet.gateway)
