"""``/networks`` of the compute API's older versions, as Synnefo has it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute.view import time
from snf.api.json import Edge, new_app, route
from snf.api.network import limits
from snf.api.network.bodies import Name, NewNetwork, NewSubnet
from snf.api.network.networks import Maker
from snf.api.network.subnets import add as add_subnet
from snf.api.policy import Reach
from snf.core.errors import Forbidden, NotFound
from snf.core.identity import Role
from snf.core.network import Network
from snf.core.quota import Resource
from snf.core.subnet import Subnet
from snf.storage import lists, networks
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS
from snf.storage.ports import PORTS
from snf.storage.subnets import SUBNETS

Json = dict[str, Any]

_MISSING = "Network not found."
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


@frozen
class SynnefoNetworks:
    """``/networks``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int
    maker: Maker

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
        network = self.maker.make(txn, call, NewNetwork(name=wish.name, kind=wish.type))
        made = [add_subnet(txn, call, network, one) for one in _subnets(network, wish)]
        amounts = {Resource.NETWORKS: 1, Resource.SUBNETS: len(made)}
        limits.take(txn, network.project, amounts, self.maker.limits)
        return {"network": _views(txn, call, [network])[0]}

    @route(app, "GET", "/<network>")
    def show(self, txn: Transaction, call: Call, network: str) -> Json:
        """Show one."""
        return {"network": _views(txn, call, [_find(txn, call, network)])[0]}

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

    def _found(self, txn: Transaction, call: Call) -> Iterable[Network]:
        wanted = lists.Wanted(call.project.id, marker=call.marker())
        return lists.listing(txn, NETWORKS, wanted, call.limit(self.page_size))


def _find(txn: Transaction, call: Call, network: str) -> Network:
    sees = None if call.is_admin else call.project.id
    found = lists.get(txn, NETWORKS, sees, identifier(network, _MISSING))
    if found is None:
        raise NotFound(_MISSING)
    return found


def _own(txn: Transaction, call: Call, network: str) -> Network:
    found = _find(txn, call, network)
    if found.project != call.project.id and not call.is_admin:
        raise Forbidden("Can not change a public network.")
    return found


def _subnets(network: Network, wish: Wish) -> list[NewSubnet]:
    return [
        NewSubnet(
            network_id=str(network.id),
            cidr=cidr,
            ip_version=4 if cidr == wish.cidr else 6,
            gateway_ip=gateway,
            enable_dhcp=wish.dhcp,
        )
        for cidr, gateway in (
            (wish.cidr, wish.gateway),
            (wish.cidr6, wish.gateway6),
        )
        if cidr is not None
    ]


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
