"""``/flavors/{id}/os-extra_specs``: what else operators say of one."""

from typing import Annotated

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.compute.bodies import Value
from snf.api.compute.build import usable
from snf.api.compute.flavors import MISSING, existing
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import Role
from snf.storage import flavors
from snf.storage.database import Transaction

# nova/api/openstack/compute/schemas/flavors_extraspecs.py
_Key = Annotated[
    str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]+\Z")
]
_Given = Annotated[
    dict[_Key, Value | int | float], msgspec.Meta(min_length=1, max_length=128)
]


class SpecsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /flavors/{id}/os-extra_specs``."""

    extra_specs: _Given


@frozen
class Specs:
    """``/flavors/{id}/os-extra_specs``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<flavor>/os-extra_specs")
    def list(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """List what else is said of one."""
        found = usable(txn, call, identifier(flavor, MISSING))
        return {"extra_specs": flavors.specs(txn, [found.id]).get(found.id, {})}

    @route(app, "POST", "/<flavor>/os-extra_specs", role=Role.ADMIN, body=SpecsBody)
    def set(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """Say something of one; what else is said of it stays."""
        found = existing(txn, call, flavor)
        given = _texts(call.body.extra_specs)
        flavors.set_specs(txn, found.id, given)
        note(txn, call, "flavor specs", found.id)
        return {"extra_specs": given}

    @route(app, "GET", "/<flavor>/os-extra_specs/<key>")
    def show(self, txn: Transaction, call: Call, flavor: str, key: str) -> dict:
        """Show one thing that is said of one."""
        found = usable(txn, call, identifier(flavor, MISSING))
        specs = flavors.specs(txn, [found.id]).get(found.id, {})
        if key not in specs:
            raise NotFound(_no_such(flavor, key))
        return {key: specs[key]}

    @route(app, "PUT", "/<flavor>/os-extra_specs/<key>", role=Role.ADMIN, body=_Given)
    def change(self, txn: Transaction, call: Call, flavor: str, key: str) -> dict:
        """Say one thing of one."""
        found = existing(txn, call, flavor)
        if [*call.body] != [key]:
            raise BadRequest("body: must have exactly the key that the URL names")
        given = _texts(call.body)
        flavors.set_specs(txn, found.id, given)
        note(txn, call, "flavor specs", found.id)
        return given

    @route(app, "DELETE", "/<flavor>/os-extra_specs/<key>", role=Role.ADMIN)
    def remove(self, txn: Transaction, call: Call, flavor: str, key: str) -> None:
        """Say one thing of one no more."""
        found = existing(txn, call, flavor)
        if "\0" in key or not flavors.remove_spec(txn, found.id, key):
            raise NotFound(_no_such(flavor, key))
        note(txn, call, "flavor specs", found.id)


def _texts(given: dict[str, str | int | float]) -> dict[str, str]:
    return {key: str(value) for key, value in given.items()}


def _no_such(flavor: str, key: str) -> str:
    return f"Flavor {flavor} has no extra specs with key {key}."
