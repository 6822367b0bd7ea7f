"""``/v2.0/floatingips``: public addresses that stand for addresses of ports."""

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network import association
from snf.api.network.association import FloatingIPNotFound
from snf.api.network.bodies import TagList, Text
from snf.api.network.collection import Collection, Json, owner, times
from snf.api.policy import Reach
from snf.core.errors import BadRequest
from snf.core.floating_ip import FloatingIP
from snf.core.identity import Role
from snf.core.quota import Amounts
from snf.storage import floating_ips, tagged
from snf.storage.database import Transaction
from snf.storage.floating_ips import FLOATING_IPS

_None = msgspec.UnsetType | None


class NewFloatingIP(msgspec.Struct, forbid_unknown_fields=True):
    """``floatingip`` in ``POST /floatingips``; what there is not may be given as null."""

    floating_network_id: str
    floating_ip_address: str | None = None
    subnet_id: str | None = None
    port_id: str | None = None
    fixed_ip_address: str | None = None
    description: Text = ""
    tags: TagList = []
    tenant_id: str | None = None
    project_id: str | None = None
    qos_policy_id: None = None
    dns_name: str = ""
    dns_domain: str = ""


class NewBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /floatingips``."""

    floatingip: NewFloatingIP


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """``floatingip`` in ``PUT /floatingips/{id}``: without a port it stays as it is."""

    port_id: str | msgspec.UnsetType | None = msgspec.UNSET
    fixed_ip_address: str | None = None
    description: Text | msgspec.UnsetType = msgspec.UNSET
    qos_policy_id: _None = msgspec.UNSET


class ChangesBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /floatingips/{id}``."""

    floatingip: Changes


def collection(page_size: int) -> Collection[FloatingIP]:
    """Return how floating IPs are listed and shown."""
    return Collection(
        "floatingip",
        FLOATING_IPS,
        _view,
        FloatingIPNotFound,
        page_size,
    )


@frozen
class FloatingIPs:
    """``/v2.0/floatingips``.

    :ivar limits: What a project may have for which an operator has set nothing.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    floating: Collection[FloatingIP]
    limits: Amounts

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return self.floating.list(txn, call)

    @route(app, "POST", "/", role=Role.MEMBER, body=NewBody, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Get one, and have it stand for an address of a port if one is named."""
        wanted = call.body.floatingip
        _check_no_names(wanted)
        if wanted.port_id is None and wanted.fixed_ip_address is not None:
            raise BadRequest(association.NO_PORT)
        project = association.owner_of_new(call, wanted.project_id or wanted.tenant_id)
        network = association.network(txn, call, wanted.floating_network_id)
        new = association.reserve(
            txn,
            call,
            association.Wish(
                network,
                project,
                wanted.subnet_id,
                wanted.floating_ip_address,
                wanted.description,
            ),
            self.limits,
        )
        tagged.begin(txn, "floating_ip", new, wanted.tags)
        made = self.floating.find(txn, call, str(new))
        if wanted.port_id is not None:
            association.associate(
                txn, call, made, wanted.port_id, wanted.fixed_ip_address
            )
        note(txn, call, "floating IP create", new)
        return self.floating.show(txn, call, str(new))

    @route(app, "GET", "/<item>")
    def show(self, txn: Transaction, call: Call, item: str) -> Json:
        """Show one."""
        return self.floating.show(txn, call, item)

    @route(app, "PUT", "/<item>", role=Role.MEMBER, body=ChangesBody)
    def change(self, txn: Transaction, call: Call, item: str) -> Json:
        """Have one stand for an address of a port, or for nothing; describe it."""
        found = self._locked(txn, call, item, "update")
        wanted = call.body.floatingip
        if wanted.port_id is msgspec.UNSET:
            if wanted.fixed_ip_address is not None:
                raise BadRequest(association.NO_PORT)
        elif wanted.port_id:
            association.associate(
                txn, call, found, wanted.port_id, wanted.fixed_ip_address
            )
        else:
            association.disassociate(txn, call, found)
        if isinstance(wanted.description, str):
            floating_ips.describe(txn, found.id, wanted.description)
        note(txn, call, "floating IP update", found.id)
        return self.floating.show(txn, call, str(found.id))

    @route(app, "DELETE", "/<item>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, item: str) -> None:
        """Give one back; others get its address when no node has it any more."""
        found = self._locked(txn, call, item, "delete")
        association.release(txn, call, found)
        note(txn, call, "floating IP delete", found.id)

    def _locked(
        self, txn: Transaction, call: Call, item: str, action: str
    ) -> FloatingIP:
        """Return one of one's own as it is, which nobody else changes meanwhile."""
        found = self.floating.own(txn, call, item, action)
        floating_ips.lock(txn, found.id)
        return self.floating.own(txn, call, item, action)


def _check_no_names(wanted: NewFloatingIP) -> None:
    for name in ("dns_name", "dns_domain"):
        if getattr(wanted, name):
            raise BadRequest(f"{name}: must be empty, there is no DNS service")


def _view(call: Call, one: FloatingIP) -> Json:
    return {
        "id": str(one.id),
        **owner(one.project),
        "description": one.description,
        "floating_network_id": str(one.network),
        "floating_ip_address": str(one.address),
        "fixed_ip_address": one.fixed and str(one.fixed),
        "port_id": one.port and str(one.port),
        "router_id": None,
        "status": one.status.value,
        "qos_policy_id": None,
        "dns_domain": "",
        "dns_name": "",
        "port_forwardings": [],
        "port_details": None,
        "tags": sorted(one.tags),
        **times(one.created, one.updated, one.revision),
    }
