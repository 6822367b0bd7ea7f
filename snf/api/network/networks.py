"""``/v2.0/networks``."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import UUID_TEXT, Call
from snf.api.json import Edge, new_app, route
from snf.api.network import limits
from snf.api.network.bodies import NetworkBody, NewNetwork, NewNetworks, given
from snf.api.network.collection import (
    Collection,
    Json,
    PolicyNotAuthorized,
    owner,
    times,
)
from snf.api.policy import Reach
from snf.api.quotas import whose
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import Role
from snf.core.network import Kind, Network, Plan
from snf.core.quota import Amounts, Resource
from snf.core.subnet import InvalidInput
from snf.storage import networks, quotas, tagged
from snf.storage.database import Transaction
from snf.storage.networks import NETWORKS


class NetworkNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, network: str) -> None:
        super().__init__(f"Network {network} could not be found.")


def collection(page_size: int) -> Collection[Network]:
    """Return how networks are listed and shown."""
    return Collection("network", NETWORKS, view, NetworkNotFound, page_size)


@frozen
class Maker:
    """What makes networks, whichever API they are asked for by.

    :ivar limits: What a project may have for which nothing is set.
    """

    plan: Plan
    limits: Amounts

    def make(self, txn: Transaction, call: Call, wanted: NewNetwork) -> Network:
        """
        Make a network.

        :raises BadRequest: There is no such kind, or what is asked for does not fit it.
        :raises Forbidden: That is for admins.
        :raises Conflict: The quota or the segment that is asked for does not allow it.
        :raises Unavailable: No segment is free.
        """
        _check_allowed(call, given(wanted), wanted)
        kind = self._kind(call, wanted)
        project = _project(txn, call, wanted)
        changes = _fields(given(wanted))
        network = Network(
            id=uuid4(),
            name=changes.get("name", ""),
            mode="bridged",
            link=wanted.physical_network or "",
            created=call.now,
            updated=call.now,
            project=project,
            kind=kind,
            shared=changes.get("shared", False),
            external=changes.get("external", False),
            is_default=changes.get("is_default", False),
            description=changes.get("description", ""),
            mtu=changes.get("mtu", 0),
        )
        if kind is Kind.CUSTOM:
            network = networks.as_given(network, self.plan)
        else:
            network = networks.wired(txn, network, self.plan, wanted.segmentation_id)
        networks.add(txn, network)
        tags = tagged.begin(txn, "network", network.id, wanted.tags)
        note(txn, call, "network create", network.id)
        return evolve(network, tags=tags)

    def count(self, txn: Transaction, made: list[Network]) -> None:
        """Count new networks of one project; last, since its requests then queue up."""
        amounts = {Resource.NETWORKS: len(made)}
        limits.take(txn, made[0].project, amounts, self.limits)

    def delete(self, txn: Transaction, call: Call, network: Network) -> None:
        """
        Delete a network with its subnets.

        :raises NetworkInUse: There are ports on it.
        """
        networks.delete(txn, network.id)
        if network.project is not None:
            quotas.put_back(txn, network.project, Resource.NETWORKS)
            count = len(network.subnets)
            quotas.put_back(txn, network.project, Resource.SUBNETS, count)
        note(txn, call, "network delete", network.id)

    def _kind(self, call: Call, wanted: NewNetwork) -> Kind:
        kind = _kind(wanted) or self.plan.default_kind
        if not call.is_admin and kind not in self.plan.user_kinds:
            raise PolicyNotAuthorized(
                f"rule:create_network is disallowed by policy: {kind.value} is for admins"
            )
        if wanted.segmentation_id is not None and kind not in _SEGMENTED:
            raise InvalidInput(
                "provider:segmentation_id", "it is for types vlan and vxlan only"
            )
        if kind is Kind.CUSTOM and not wanted.physical_network:
            raise InvalidInput(
                "provider:physical_network",
                "must name the link of a network of this kind",
            )
        return kind


@frozen
class Networks:
    """``/v2.0/networks``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    networks: Collection[Network]
    maker: Maker

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.networks.list(txn, call)

    @route(app, "POST", "/", role=Role.MEMBER, body=NewNetworks, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Make one, or several: all or none."""
        wanted: Sequence[NewNetwork] = self.networks.asked(call.body)
        if len({_project(txn, call, one) for one in wanted}) > 1:
            raise BadRequest("networks: must all be of one project")
        made = [self.maker.make(txn, call, one) for one in wanted]
        self.maker.count(txn, made)
        return self.networks.made(call.body, [view(call, one) for one in made])

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.networks.show(txn, call, item)

    @route(app, "PUT", "/<item>", role=Role.MEMBER, body=NetworkBody)
    def update(self, txn: Transaction, call: Call, item: str) -> Json:
        """Change one."""
        network = self.networks.own(txn, call, item, "update")
        changes = given(call.body.network)
        _check_allowed(call, changes)
        if changes.get("shared") is False and network.shared:
            networks.check_unshared(txn, network)
        networks.change(txn, network.id, _fields(changes))
        note(txn, call, "network update", network.id)
        return {"network": view(call, self.networks.find(txn, call, item))}

    @route(app, "DELETE", "/<item>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, item: str) -> None:
        """Delete one that no port is on, with its subnets."""
        self.maker.delete(txn, call, self.networks.own(txn, call, item, "delete"))


_SEGMENTED = (Kind.VXLAN, Kind.PHYSICAL_VLAN)


def _fields(changes: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of what a client has named; the rest can be but one way."""
    return {name: changes[name] for name in networks.CHANGEABLE & changes.keys()}


_FOR_ADMINS = {
    "shared": "shared",
    "external": "router:external",
    "is_default": "is_default",
    "mtu": "mtu",
    "drained": "SNF:drained",
}


def _check_allowed(
    call: Call, changes: dict[str, Any], new: NewNetwork | None = None
) -> None:
    """
    Return if the caller may ask for this.

    :raises Forbidden: It is for admins.
    :raises InvalidInput: It is not to be had.
    """
    asked = [name for field, name in _FOR_ADMINS.items() if changes.get(field)]
    if new is not None:
        asked += [
            name
            for name, value in (
                ("provider:network_type", new.network_type),
                ("provider:physical_network", new.physical_network),
                ("provider:segmentation_id", new.segmentation_id),
            )
            if value is not None
        ]
        if new.availability_zone_hints:
            raise InvalidInput(
                "availability_zone_hints", "there are no zones to choose"
            )
    if asked and not call.is_admin:
        raise PolicyNotAuthorized(
            f"rule:create_network:{asked[0]} is disallowed by policy"
        )
    for name in ("admin_state_up", "port_security_enabled"):
        if changes.get(name) is False:
            raise InvalidInput(name, "it cannot be switched off")


def _project(txn: Transaction, call: Call, wanted: NewNetwork) -> UUID | None:
    """Return whose a new network is: the caller's project's; admins may name another."""
    named = wanted.project_id or wanted.tenant_id
    if not named:
        return call.project.id
    if not UUID_TEXT.fullmatch(named):
        raise InvalidInput("tenant_id or project_id", f"'{named}' is not a valid UUID.")
    if UUID(named) == call.project.id:
        return call.project.id
    if not call.is_admin:
        raise PolicyNotAuthorized(
            "rule:create_network:tenant_id is disallowed by policy"
        )
    return whose(txn, call, named)


_BY_TYPE = {
    "flat": Kind.CUSTOM,
    "local": Kind.MAC_FILTERED,
    "vlan": Kind.PHYSICAL_VLAN,
    "vxlan": Kind.VXLAN,
}


def _kind(wanted: NewNetwork) -> Kind | None:
    if wanted.kind is not None:
        try:
            return Kind(wanted.kind)
        except ValueError:
            known = ", ".join(kind.value for kind in Kind)
            raise InvalidInput("SNF:kind", f"must be one of {known}") from None
    if wanted.network_type is None:
        return None
    try:
        return _BY_TYPE[wanted.network_type]
    except KeyError:
        raise InvalidInput(
            "provider:network_type", f"must be one of {', '.join(_BY_TYPE)}"
        ) from None


def view(call: Call, network: Network) -> Json:
    """Return a network as the caller sees it."""
    shown = {
        "id": str(network.id),
        "name": network.name,
        **owner(network.project),
        "admin_state_up": True,
        "mtu": network.mtu,
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
        "SNF:kind": network.kind.value,
        "tags": sorted(network.tags),
        **times(network.created, network.updated, network.revision),
    }
    if call.is_admin:
        tunneled = network.kind in _SEGMENTED
        shown |= {
            "provider:network_type": network.kind.neutron,
            "provider:physical_network": None if network.segment else network.link,
            "provider:segmentation_id": network.segment if tunneled else None,
            "SNF:drained": network.drained,
        }
    return shown
