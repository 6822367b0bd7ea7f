"""``/os-quota-sets``: what projects may have, and what they have."""

from typing import Annotated, Any

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.api.compute import versions
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.api.quotas import change, reset, whose, with_use
from snf.core.identity import Role
from snf.core.quota import Amounts, Resource
from snf.storage import quotas
from snf.storage.database import Transaction

_Limit = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]

# As the compute API calls what is counted; ports are the network API's.
NAMES = {
    "instances": Resource.INSTANCES,
    "cores": Resource.CORES,
    "ram": Resource.RAM_MIB,
    "fixed_ips": Resource.FIXED_IPS,
    "SNF:disk": Resource.DISK_GIB,
    "server_groups": Resource.SERVER_GROUPS,
    "server_group_members": Resource.SERVER_GROUP_MEMBERS,
}

# What clients expect to be told and is not counted: the limit, and from which
# microversion on it is not told any more.
_FIXED: dict[str, tuple[int, versions.Version | None]] = {
    "metadata_items": (128, None),
    "key_pairs": (100, None),
    "floating_ips": (-1, versions.NO_NETWORK_QUOTAS),
    "security_groups": (-1, versions.NO_NETWORK_QUOTAS),
    "security_group_rules": (-1, versions.NO_NETWORK_QUOTAS),
    "injected_files": (5, versions.NO_FILE_QUOTAS),
    "injected_file_content_bytes": (10_240, versions.NO_FILE_QUOTAS),
    "injected_file_path_bytes": (255, versions.NO_FILE_QUOTAS),
}


class Limits(msgspec.Struct, forbid_unknown_fields=True):
    """``quota_set`` in ``PUT /os-quota-sets/{project}``."""

    instances: _Limit | msgspec.UnsetType = msgspec.UNSET
    cores: _Limit | msgspec.UnsetType = msgspec.UNSET
    ram: _Limit | msgspec.UnsetType = msgspec.UNSET
    fixed_ips: _Limit | msgspec.UnsetType = msgspec.UNSET
    disk: _Limit | msgspec.UnsetType = msgspec.field(
        name="SNF:disk", default=msgspec.UNSET
    )
    server_groups: _Limit | msgspec.UnsetType = msgspec.UNSET
    server_group_members: _Limit | msgspec.UnsetType = msgspec.UNSET
    tenant_id: str = ""
    force: bool = False


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /os-quota-sets/{project}``."""

    quota_set: Limits


@frozen
class QuotaSets:
    """``/os-quota-sets``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    defaults: Amounts

    @route(app, "GET", "/<project>")
    def show(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have; another one than one's own to admins."""
        found = whose(txn, call, project)
        limits = quotas.limits(txn, found, self.defaults)
        return {"quota_set": {"id": project, **_shown(call, limits)}}

    @route(app, "GET", "/<project>/defaults")
    def default(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have for which nothing is set."""
        whose(txn, call, project)
        return {"quota_set": {"id": project, **_shown(call, self.defaults)}}

    @route(app, "GET", "/<project>/detail")
    def detail(self, txn: Transaction, call: Call, project: str) -> dict:
        """Show what a project may have, and what it has."""
        found = whose(txn, call, project)
        used = quotas.used(txn, found)
        limits = _shown(call, quotas.limits(txn, found, self.defaults))
        shown = with_use(limits, used, NAMES, "in_use")
        return {"quota_set": {"id": project, **shown}}

    @route(app, "PUT", "/<project>", role=Role.ADMIN, body=LimitsBody)
    def update(self, txn: Transaction, call: Call, project: str) -> dict:
        """Set what a project may have of what the body names."""
        found = whose(txn, call, project)
        body = call.body.quota_set
        given = {
            name: getattr(body, name.removeprefix("SNF:"))
            for name in NAMES
            if getattr(body, name.removeprefix("SNF:")) is not msgspec.UNSET
        }
        change(txn, call, found, given, NAMES, checked=not body.force)
        limits = quotas.limits(txn, found, self.defaults)
        return {"quota_set": _shown(call, limits)}

    @route(app, "DELETE", "/<project>", role=Role.ADMIN, code=202)
    def delete(self, txn: Transaction, call: Call, project: str) -> None:
        """Let the defaults hold for a project again."""
        reset(txn, call, whose(txn, call, project), NAMES)


def _shown(call: Call, limits: Amounts) -> dict[str, Any]:
    shown = {name: limits[resource] for name, resource in NAMES.items()}
    if call.version >= versions.NO_NETWORK_QUOTAS:
        del shown["fixed_ips"]
    for name, (limit, until) in _FIXED.items():
        if until is None or call.version < until:
            shown[name] = limit
    return shown
