"""``/quotas`` of the network API: how much projects may have, and have."""

from typing import Annotated

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.limits import NAMES
from snf.api.policy import Reach
from snf.api.quotas import change, reset, whose, with_use
from snf.core.identity import Role
from snf.core.quota import Amounts
from snf.storage import quotas
from snf.storage.database import Transaction

# What clients expect to be told and is not counted.
_FIXED = dict.fromkeys(
    (
        "subnetpool",
        "router",
        "rbac_policy",
    ),
    -1,
)

_Limit = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)] | msgspec.UnsetType


class Limits(msgspec.Struct, forbid_unknown_fields=True):
    """``quota`` in ``PUT /quotas/{project}``."""

    network: _Limit = msgspec.UNSET
    subnet: _Limit = msgspec.UNSET
    port: _Limit = msgspec.UNSET
    floatingip: _Limit = msgspec.UNSET
    security_group: _Limit = msgspec.UNSET
    security_group_rule: _Limit = msgspec.UNSET
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
        found = whose(txn, call, project)
        return {"quota": _view(quotas.limits(txn, found, self.defaults))}

    @route(app, "GET", "/<project>/default")
    def default(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have for which nothing is set."""
        whose(txn, call, project)
        return {"quota": _view(self.defaults)}

    @route(app, "GET", "/<project>/details")
    def detail(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have, and what it has."""
        found = whose(txn, call, project)
        limits = _view(quotas.limits(txn, found, self.defaults))
        used = quotas.used(txn, found)
        return {"quota": with_use(limits, used, NAMES, "used")}

    @route(app, "PUT", "/<project>", role=Role.ADMIN, body=LimitsBody)
    def update(self, txn: Transaction, call: Call, project: str) -> dict:
        """Set how much a project may have."""
        found = whose(txn, call, project)
        asked = call.body.quota
        wanted = {
            name: getattr(asked, name)
            for name in NAMES
            if getattr(asked, name) is not msgspec.UNSET
        }
        change(txn, call, found, wanted, NAMES, checked=asked.check_limit)
        return {"quota": _view(quotas.limits(txn, found, self.defaults))}

    @route(app, "DELETE", "/<project>", role=Role.ADMIN, code=204)
    def delete(self, txn: Transaction, call: Call, project: str) -> None:
        """Let the default hold for a project again."""
        reset(txn, call, whose(txn, call, project), NAMES)


def _view(limits: Amounts) -> dict[str, int]:
    return {name: limits[one] for name, one in NAMES.items()} | _FIXED
