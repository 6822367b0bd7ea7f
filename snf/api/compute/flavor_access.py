"""``/flavors/{id}/os-flavor-access`` and ``/action``: who may use one."""

from typing import Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute.flavors import existing
from snf.api.json import Edge, new_app, route
from snf.api.quotas import whose
from snf.core.catalog import Flavor
from snf.core.errors import BadRequest, Conflict, NotFound
from snf.core.identity import Role
from snf.storage import flavors
from snf.storage.database import Transaction


class Tenant(msgspec.Struct, forbid_unknown_fields=True):
    """Whom it is about."""

    tenant: str


class ActionBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /flavors/{id}/action``: one of the two."""

    addTenantAccess: Tenant | msgspec.UnsetType = msgspec.UNSET
    removeTenantAccess: Tenant | msgspec.UnsetType = msgspec.UNSET


@frozen
class Access:
    """``/flavors/{id}/os-flavor-access``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/<flavor>/os-flavor-access", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """List the projects that may use one that is not public."""
        found = existing(txn, call, flavor)
        if found.public:
            raise NotFound("Access list not available for public flavors.")
        return _shown(txn, found)


@frozen
class Action:
    """``/flavors/{id}/action``."""

    app = new_app()

    edge: Edge

    @route(app, "POST", "/<flavor>/action", role=Role.ADMIN, body=ActionBody)
    def act(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """Let a project use one (addTenantAccess) or not (removeTenantAccess)."""
        found = existing(txn, call, flavor)
        add, remove = call.body.addTenantAccess, call.body.removeTenantAccess
        if isinstance(add, Tenant) == isinstance(remove, Tenant):
            raise BadRequest(
                "body: must have exactly one key, addTenantAccess or removeTenantAccess"
            )
        if isinstance(add, Tenant):
            _check_private(found, "add access to")
            flavors.allow(txn, found.id, _project(txn, call, add))
            note(txn, call, "flavor allow", found.id)
        elif isinstance(remove, Tenant):
            _check_private(found, "remove access from")
            flavors.forbid(txn, found.id, _project(txn, call, remove))
            note(txn, call, "flavor forbid", found.id)
        return _shown(txn, found)


def _check_private(flavor: Flavor, what: str) -> None:
    if flavor.public:
        raise Conflict(f"Can not {what} a public flavor.")


def _project(txn: Transaction, call: Call, tenant: Tenant) -> UUID:
    return whose(txn, call, tenant.tenant, "tenant")


def _shown(txn: Transaction, flavor: Flavor) -> dict[str, Any]:
    return {
        "flavor_access": [
            {"flavor_id": str(flavor.id), "tenant_id": str(project)}
            for project in flavors.projects(txn, flavor.id)
        ]
    }
