"""``/limits``: what the caller's project may have and has, at a glance."""

from attrs import frozen

from snf.api.call import Call
from snf.api.compute import versions
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.api.quotas import whose
from snf.core.quota import Amounts, Resource
from snf.storage import quotas
from snf.storage.database import Transaction

# What is not counted, with the first microversion that does not tell it any more.
_FIXED: dict[str, tuple[int, versions.Version | None]] = {
    "maxServerMeta": (128, None),
    "maxTotalKeypairs": (100, None),
    "maxImageMeta": (128, versions.NO_IMAGE_LIMITS),
    "maxPersonality": (5, versions.NO_FILE_QUOTAS),
    "maxPersonalitySize": (10_240, versions.NO_FILE_QUOTAS),
    "maxTotalFloatingIps": (-1, versions.NO_NETWORK_QUOTAS),
    "totalFloatingIpsUsed": (0, versions.NO_NETWORK_QUOTAS),
    "maxSecurityGroups": (-1, versions.NO_NETWORK_QUOTAS),
    "maxSecurityGroupRules": (-1, versions.NO_NETWORK_QUOTAS),
    "totalSecurityGroupsUsed": (0, versions.NO_NETWORK_QUOTAS),
}


@frozen
class Limits:
    """``/limits``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    defaults: Amounts

    @route(app, "GET", "/")
    def show(self, txn: Transaction, call: Call) -> dict:
        """Show what a project may have and has; admins may name one by tenant_id."""
        project = call.argument("tenant_id")
        found = call.project.id
        if project is not None:
            found = whose(txn, call, project, "tenant_id")
        most = quotas.limits(txn, found, self.defaults)
        used = quotas.used(txn, found)
        fixed = {
            name: limit
            for name, (limit, until) in _FIXED.items()
            if until is None or call.version < until
        }
        absolute = {
            "maxTotalInstances": most[Resource.INSTANCES],
            "maxTotalCores": most[Resource.CORES],
            "maxTotalRAMSize": most[Resource.RAM_MIB],
            "totalInstancesUsed": used[Resource.INSTANCES],
            "totalCoresUsed": used[Resource.CORES],
            "totalRAMUsed": used[Resource.RAM_MIB],
            "maxServerGroups": most[Resource.SERVER_GROUPS],
            "maxServerGroupMembers": most[Resource.SERVER_GROUP_MEMBERS],
            "totalServerGroupsUsed": used[Resource.SERVER_GROUPS],
            **fixed,
        }
        return {"limits": {"rate": [], "absolute": absolute}}
