"""``/quotas`` of the network API: how much of what is its own projects may have."""

from typing import Annotated

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute.quotas import check_not_below, whose
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.identity import Role
from snf.core.quota import Amounts, Resource
from snf.storage import quotas
from snf.storage.database import Transaction

_NAMES = {
    "port": Resource.PORTS,
    "floatingip": Resource.FLOATING_IPS,
    "security_group": Resource.SECURITY_GROUPS,
    "security_group_rule": Resource.SECURITY_GROUP_RULES,
}

# What clients expect to be told and is not counted.
_FIXED = dict.fromkeys(
    (
        "network",
        "subnet",
        "subnetpool",
        "router",
        "rbac_policy",
    ),
    -1,
)


_Most = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]


class Limits(msgspec.Struct, forbid_unknown_fields=True):
    """``quota`` in ``PUT /quotas/{project}``."""

    port: _Most | msgspec.UnsetType = msgspec.UNSET
    floatingip: _Most | msgspec.UnsetType = msgspec.UNSET
    security_group: _Most | msgspec.UnsetType = msgspec.UNSET
    security_group_rule: _Most | msgspec.UnsetType = msgspec.UNSET
    force: bool = False
    check_limit: bool = False


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /quotas/{project}``."""

    quota: Limits


@frozen
class Quotas:
    """``/quotas``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    defaults: Amounts

    @route(app, "GET", "/<project>")
    def show(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have; another one than one's own to admins."""
        limits = quotas.limits(txn, whose(txn, call, project), self.defaults)
        return {"quota": _shown(limits)}

    @route(app, "GET", "/<project>/default")
    def default(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have for which nothing is set."""
        whose(txn, call, project)
        return {"quota": _shown(self.defaults)}

    @route(app, "GET", "/<project>/details")
    def detail(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have, and what it has."""
        found = whose(txn, call, project)
        shown = {
            name: {"limit": limit, "used": 0, "reserved": 0}
            for name, limit in _FIXED.items()
        }
        limits = quotas.limits(txn, found, self.defaults)
        used = quotas.used(txn, found)
        for name, resource in _NAMES.items():
            shown[name] = {
                "limit": limits[resource],
                "used": used[resource],
                "reserved": 0,
            }
        return {"quota": shown}

    @route(app, "PUT", "/<project>", role=Role.ADMIN, body=LimitsBody)
    def update(self, txn: Transaction, call: Call, project: str) -> dict:
        """Set how much a project may have."""
        found = whose(txn, call, project)
        asked: Limits = call.body.quota
        wanted = {
            name: most
            for name in _NAMES
            if not isinstance(most := getattr(asked, name), msgspec.UnsetType)
        }
        if asked.check_limit:
            check_not_below(wanted, _NAMES, quotas.used(txn, found))
        quotas.set_limits(
            txn, found, {_NAMES[name]: most for name, most in wanted.items()}
        )
        note(txn, call, "quota set", found)
        return {"quota": _shown(quotas.limits(txn, found, self.defaults))}

    @route(app, "DELETE", "/<project>", role=Role.ADMIN, code=204)
    def delete(self, txn: Transaction, call: Call, project: str) -> None:
        """Let the default hold for a project again."""
        found = whose(txn, call, project)
        quotas.forget_limits(txn, found, tuple(_NAMES.values()))
        note(txn, call, "quota reset", found)


def _shown(limits: Amounts) -> dict[str, int]:
    return {name: limits[resource] for name, resource in _NAMES.items()} | _FIXED
