"""``/extensions`` of the compute API: what a server that has them all would name."""

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.core.errors import NotFound
from snf.core.identity import Role
from snf.storage.database import Transaction

# The aliases, names and descriptions are Nova's (nova/api/openstack/compute/
# extension_info.py); here are those of what we offer.
_OFFERED = {
    "OS-DCF": ("DiskConfig", "Disk Management Extension."),
    "OS-EXT-AZ": ("ExtendedAvailabilityZone", "Extended Availability Zone support."),
    "OS-EXT-IMG-SIZE": ("ImageSize", "Adds image size to image listings."),
    "OS-EXT-IPS": ("ExtendedIps", "Adds type parameter to the ip list."),
    "OS-EXT-IPS-MAC": ("ExtendedIpsMac", "Adds mac address parameter to the ip list."),
    "OS-EXT-SRV-ATTR": (
        "ExtendedServerAttributes",
        "Extended Server Attributes support.",
    ),
    "OS-EXT-STS": ("ExtendedStatus", "Extended Status support."),
    "OS-FLV-DISABLED": (
        "FlavorDisabled",
        "Support to show the disabled status of a flavor.",
    ),
    "OS-FLV-EXT-DATA": ("FlavorExtraData", "Provide additional data for flavors."),
    "OS-SCH-HNT": (
        "SchedulerHints",
        "Pass arbitrary key/value pairs to the scheduler.",
    ),
    "OS-SRV-USG": ("ServerUsage", "Adds launched_at and terminated_at on Servers."),
    "os-aggregates": ("Aggregates", "Admin-only aggregate administration."),
    "os-availability-zone": ("AvailabilityZone", "Availability zones describing."),
    "os-extended-quotas": (
        "ExtendedQuotas",
        "Adds ability for admins to delete quota and optionally force the update"
        " Quota command.",
    ),
    "os-flavor-access": ("FlavorAccess", "Flavor access support."),
    "os-flavor-extra-specs": ("FlavorExtraSpecs", "Flavors extra specs support."),
    "os-flavor-manage": ("FlavorManage", "Flavor create/delete API support."),
    "os-hypervisors": ("Hypervisors", "Admin-only hypervisor administration."),
    "os-quota-sets": ("Quotas", "Quotas management support."),
    "os-server-diagnostics": (
        "ServerDiagnostics",
        "Allow Admins to view server diagnostics through server action.",
    ),
    "os-server-groups": ("ServerGroups", "Server group support."),
    "os-server-start-stop": (
        "ServerStartStop",
        "Start/Stop instance compute API support.",
    ),
    "os-services": ("Services", "Services support."),
    "os-simple-tenant-usage": (
        "SimpleTenantUsage",
        "Simple tenant usage extension.",
    ),
    "os-used-limits": (
        "UsedLimits",
        "Provide data on limited resources that are being used.",
    ),
}


@frozen
class Extensions:
    """``/extensions``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them."""
        return {"extensions": [_shown(alias) for alias in _OFFERED]}

    @route(app, "GET", "/<extension>")
    def show(self, txn: Transaction, call: Call, extension: str) -> dict:
        """Show one by its alias."""
        if extension not in _OFFERED:
            raise NotFound("The resource could not be found.")
        return {"extension": _shown(extension)}


@frozen
class Aggregates:
    """``/os-aggregates``: there are none."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", role=Role.ADMIN)
    def list(self, txn: Transaction, call: Call) -> dict:
        """List them: there are none."""
        return {"aggregates": []}


def _shown(alias: str) -> dict[str, object]:
    name, description = _OFFERED[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "links": [],
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": "2014-12-03T00:00:00Z",
    }
