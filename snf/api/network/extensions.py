"""``/v2.0/extensions``: what the network API has besides its core."""

from collections.abc import Mapping

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Json
from snf.core.errors import NotFound
from snf.storage.database import Transaction

# Alias: name and description.  Clients try for what is named here, so that only what is
# offered may be: in full, but for security groups' rules by groups of addresses, without
# which clients would hide all the rest.  neutron_lib/api/definitions has Neutron's.
OFFERED: Mapping[str, tuple[str, str]] = {
    "availability_zone": ("Availability Zone", "The zones that networks are in."),
    "empty-string-filtering": (
        "Empty String Filtering Extension",
        "Filters by attributes that are an empty text.",
    ),
    "external-net": ("Neutron external network", "Networks that lead outside."),
    "filter-validation": (
        "Filter parameters validation",
        "Filters that are not known are refused.",
    ),
    "net-mtu": ("Network MTU", "The MTU of a network."),
    "net-mtu-writable": ("Network MTU (writable)", "The MTU of a network may be set."),
    "pagination": ("Pagination support", "Lists come in pages."),
    "port-security-groups-filtering": (
        "Port filtering on security groups",
        "Ports are found by their security groups.",
    ),
    "project-id": ("project_id field enabled", "Things have a project_id."),
    "provider": ("Provider Network", "How networks are made, for admins."),
    "quota-check-limit": (
        "Quota engine limit check",
        "Limits below what is used are refused, on demand.",
    ),
    "quotas": ("Quota management support", "What a project may have, for admins."),
    "quota_details": ("Quota details management support", "What it has of that."),
    "security-group": (
        "security-group",
        "What is let in to ports; rules name addresses, not groups of them.",
    ),
    "security-groups-normalized-cidr": (
        "Normalized CIDR field for security group rules",
        "The network that a rule's remote_ip_prefix is in.",
    ),
    "security-groups-shared-filtering": (
        "Security group filtering on the shared field",
        "Groups are found by whether they are shared: none is.",
    ),
    "sorting": ("Sorting support", "Lists are sorted by any attributes."),
    "standard-attr-description": ("standard-attr-description", "Descriptions."),
    "standard-attr-revisions": (
        "Resource revision numbers",
        "Things count their changes.",
    ),
    "standard-attr-tag": (
        "Tag support for resources with standard attribute: floatingip, network, port,"
        " security_group, subnet",
        "Words by which to find things.",
    ),
    "standard-attr-timestamp": ("Resource timestamps", "When things were made."),
    "tag-creation": (
        "Tag creation extension",
        "New things are given their tags with all else.",
    ),
    "subnet-external-network": (
        "Subnet belongs to an external network",
        "Whether the network of a subnet leads outside.",
    ),
}


@frozen
class Extensions:
    """``/v2.0/extensions``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return {"extensions": [_view(alias) for alias in sorted(OFFERED)]}

    @route(app, "GET", "/<extension>")
    def show(self, txn: Transaction, call: Call, extension: str) -> Json:
        """Show one."""
        if extension not in OFFERED:
            raise ExtensionNotFound(f"Extension with alias {extension} does not exist")
        return {"extension": _view(extension)}


class ExtensionNotFound(NotFound):
    """Named as Neutron names it."""


def _view(alias: str) -> Json:
    name, description = OFFERED[alias]
    return {
        "name": name,
        "alias": alias,
        "description": description,
        "updated": "2026-11-22T00:00:00-00:00",
        "links": [],
    }
