"""The whole tree of URLs: which service's routes are where."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from typing import Any

from twisted.web.resource import IResource

from snf.api import dialect, discovery
from snf.api.compute.addresses import Addresses
from snf.api.compute.consoles import AuthTokens, RemoteConsoles
from snf.api.compute.diagnostics import Diagnostics, Messages, Topology
from snf.api.compute.extensions import Aggregates
from snf.api.compute.extensions import Extensions as ComputeExtensions
from snf.api.compute.flavor_access import Access
from snf.api.compute.flavor_access import Action as FlavorAction
from snf.api.compute.flavor_specs import Specs
from snf.api.compute.flavors import Flavors
from snf.api.compute.floating_ips import FloatingIPs as ComputeFloatingIPs
from snf.api.compute.floating_ips import Pools
from snf.api.compute.history import History
from snf.api.compute.hosts import Hypervisors, Services, Zones
from snf.api.compute.image_metadata import ImageMeta, ImageMetadata
from snf.api.compute.images import Images as ComputeImages
from snf.api.compute.interfaces import Interfaces
from snf.api.compute.keypairs import KeyPairs
from snf.api.compute.limits import Limits
from snf.api.compute.metadata import Meta, Metadata
from snf.api.compute.migrations import Migrations
from snf.api.compute.migrations import OfServer as MigrationsOfServer
from snf.api.compute.networks import Networks as ComputeNetworks
from snf.api.compute.quotas import QuotaSets
from snf.api.compute.security_groups import Groups as ComputeSecurityGroups
from snf.api.compute.security_groups import OfServer as SecurityGroupsOfServer
from snf.api.compute.server_groups import ServerGroups
from snf.api.compute.server_password import ServerPassword
from snf.api.compute.servers import Servers
from snf.api.compute.stats import Stats
from snf.api.compute.synnefo_networks import SynnefoNetworks
from snf.api.compute.tags import Tags
from snf.api.compute.usage import Usage
from snf.api.console import doors
from snf.api.discovery import Contents, Document
from snf.api.identity import v2
from snf.api.identity.accounts import Users
from snf.api.identity.credentials import Credentials
from snf.api.identity.domains import Domains
from snf.api.identity.entrance import Entrance
from snf.api.identity.groups import Groups
from snf.api.identity.own import OwnCatalog, OwnDomains, OwnProjects, OwnSystem
from snf.api.identity.passwords import Guarded
from snf.api.identity.projects import Projects
from snf.api.identity.roles import Assignments, GroupGrants, Roles, UserGrants
from snf.api.identity.services import Endpoints, Regions
from snf.api.identity.services import Services as IdentityServices
from snf.api.identity.tokens import Tokens
from snf.api.image.data import File, Imports, Stage
from snf.api.image.images import Actions, Images
from snf.api.image.info import Info
from snf.api.image.members import Members
from snf.api.image.schemas import Schemas
from snf.api.image.tags import Tags as ImageTags
from snf.api.image.tasks import OfImage as TasksOfImage
from snf.api.image.tasks import Tasks
from snf.api.json import Edge
from snf.api.network import (
    floating_ips,
    networks,
    ports,
    security_group_rules,
    security_groups,
    subnets,
)
from snf.api.network.extensions import Extensions
from snf.api.network.floating_ips import FloatingIPs
from snf.api.network.networks import Maker as NetworkMaker
from snf.api.network.networks import Networks
from snf.api.network.ports import Ports
from snf.api.network.quotas import Quotas
from snf.api.network.routers import Routers
from snf.api.network.security_group_rules import SecurityGroupRules
from snf.api.network.security_groups import SecurityGroups
from snf.api.network.subnets import Subnets
from snf.api.network.tags import Tags as NetworkTags
from snf.api.network.zones import Zones as NetworkZones
from snf.api.node.guests import Guests
from snf.api.node.images import Images as NodeImages
from snf.api.node.metadata import Metadata as NodeMetadata
from snf.api.parts import Files as Files
from snf.api.parts import Parts as Parts
from snf.api.site import ApiSite, Branch, Noun, Nouns
from snf.api.streams import streamed
from snf.api.userdata.keys import Keys


def site(parts: Parts) -> ApiSite:
    """Return the site that serves everything."""
    edge = parts.edge("", dialect.Identity())
    services = {
        "compute": _compute(parts),
        "image": _image(parts),
        "network": _network(parts),
        "node": _node(parts),
        "userdata": _userdata(parts),
    }
    if parts.doors is not None:
        at = parts.edge("/console", dialect.Identity())
        services["console"] = doors.place(parts.doors, parts.clock, at)
    if parts.keystone is None:
        services["identity"] = _identity(parts)
    root = partial(discovery.cloud, identity=edge.authority.uri)
    tree = Branch(edge, services, _document(edge, root, 300))
    proxies = tuple(map(ip_network, parts.api.trusted_proxies))
    return ApiSite(tree, edge, parts.clock, parts.api.max_body_bytes, proxies, streamed)


def _identity(parts: Parts) -> IResource:
    edge = parts.edge("/identity/v3", dialect.Identity())
    region, size = parts.identity.region, parts.api.page_size
    guarded = Guarded(parts.verify)
    entrance = Entrance(
        parts.database, parts.identity.token_lifetime_s, guarded, parts.new_token
    )
    auth: dict[str, Any] = {
        "tokens": Tokens(edge, entrance, region),
        "projects": OwnProjects(edge),
        "domains": OwnDomains(edge),
        "system": OwnSystem(edge),
        "catalog": OwnCatalog(edge, region),
    }
    credentials = Credentials(edge, parts.digest, parts.new_token)
    nouns: dict[str, Any] = {
        "groups": Groups(edge, size),
        "roles": Roles(edge),
        "role_assignments": Assignments(edge),
        "domains": Domains(edge),
        "services": IdentityServices(edge, region),
        "endpoints": Endpoints(edge, region),
        "regions": Regions(edge, region),
    }
    v3: dict[str, IResource] = {
        "auth": Branch(edge, {name: Noun(noun) for name, noun in auth.items()}),
        "users": Nouns(
            Users(edge, size, guarded, parts.digest),
            {"application_credentials": credentials},
        ),
        "projects": Nouns(
            Projects(edge, size),
            {"users": UserGrants(edge), "groups": GroupGrants(edge)},
        ),
        **{name: Noun(noun) for name, noun in nouns.items()},
    }
    versions = {
        "v3": Branch(edge, v3, _document(edge, discovery.identity_v3)),
        "v2.0": _identity_v2(parts, entrance),
    }
    document = Document(edge, discovery.identity, 300, "/identity/v3/")
    return Branch(edge, versions, Noun(document))


def _identity_v2(parts: Parts, entrance: Entrance) -> IResource:
    edge = parts.edge("/identity/v2.0", dialect.Identity())
    nouns: dict[str, Any] = {
        "tokens": v2.Tokens(edge, entrance, parts.identity.region),
        "tenants": v2.Tenants(edge),
    }
    return Branch(
        edge,
        {name: Noun(noun) for name, noun in nouns.items()},
        _document(edge, discovery.identity_v2),
    )


def _compute(parts: Parts) -> IResource:
    versions: dict[str, IResource] = {}
    for path in ("v1.1", "v2", "v2.1"):
        edge = parts.edge(f"/compute/{path}", dialect.Compute())
        size = parts.api.page_size
        servers = Servers(
            edge,
            parts.builder,
            parts.instance_prefix,
            size,
            path != "v2.1",
            parts.consoles,
        )
        nouns: dict[str, Any] = {
            "limits": Limits(edge, parts.limits),
            "os-console-auth-tokens": AuthTokens(edge, parts.consoles),
            "os-keypairs": KeyPairs(edge, size),
            "os-floating-ips": ComputeFloatingIPs(edge, size, parts.limits),
            "os-floating-ip-pools": Pools(edge),
            "os-networks": ComputeNetworks(edge, size),
            "os-tenant-networks": ComputeNetworks(edge, size, ("cidr",)),
            "os-quota-sets": QuotaSets(edge, parts.limits),
            "os-security-groups": ComputeSecurityGroups(
                edge, parts.builder.firewall, size
            ),
            "os-server-groups": ServerGroups(edge, size, parts.limits),
            **_of_operators(edge, size),
        }
        if path != "v2.1":
            maker = NetworkMaker(parts.plan, parts.limits)
            nouns["networks"] = SynnefoNetworks(
                edge, size, maker, parts.builder.plugger
            )
        versions[path] = Branch(
            edge,
            {
                "servers": Nouns(servers, _of_a_server(parts, edge, path)),
                "flavors": Nouns(Flavors(edge, size), _of_a_flavor(edge)),
                "images": Nouns(
                    ComputeImages(edge, size, path != "v2.1"),
                    {"meta": ImageMeta(edge), "metadata": ImageMetadata(edge)},
                ),
                **{name: Noun(noun) for name, noun in nouns.items()},
            },
            _document(edge, discovery.compute_version(path)),
            projects=True,
        )
    edge = parts.edge("/compute", dialect.Compute())
    return Branch(edge, versions, _document(edge, discovery.compute))


def _of_operators(edge: Edge, size: int) -> dict[str, Any]:
    return {
        "extensions": ComputeExtensions(edge),
        "os-aggregates": Aggregates(edge),
        "os-availability-zone": Zones(edge),
        "os-hypervisors": Hypervisors(edge),
        "os-migrations": Migrations(edge, size),
        "os-services": Services(edge),
        "os-simple-tenant-usage": Usage(edge, size),
    }


def _of_a_flavor(edge: Edge) -> dict[str, Any]:
    return {
        "action": FlavorAction(edge),
        "os-extra_specs": Specs(edge),
        "os-flavor-access": Access(edge),
    }


def _of_a_server(parts: Parts, edge: Edge, version: str) -> dict[str, Any]:
    size = parts.api.page_size
    # What has one name in both is as Nova has it in the version that is Nova's alone.
    diagnostics = Diagnostics(edge) if version == "v2.1" else Messages(edge)
    return {
        "diagnostics": diagnostics,
        "ips": Addresses(edge, version != "v2.1"),
        "meta": Meta(edge),
        "metadata": Metadata(edge),
        "migrations": MigrationsOfServer(edge, size),
        "os-instance-actions": History(edge, size),
        "os-interface": Interfaces(edge, parts.builder.plugger),
        "os-security-groups": SecurityGroupsOfServer(edge),
        "os-server-password": ServerPassword(edge),
        "remote-consoles": RemoteConsoles(edge, parts.consoles),
        "stats": Stats(edge, parts.instance_prefix, parts.graphs),
        "tags": Tags(edge),
        "topology": Topology(edge),
    }


def _image(parts: Parts) -> IResource:
    edge = parts.edge("/image", dialect.Image())
    size, files = parts.api.page_size, parts.files
    methods = ("glance-direct", *(() if files.web is None else ("web-download",)))
    of_an_image: dict[str, Any] = {
        "actions": Actions(edge),
        "file": File(edge, files.intake),
        "import": Imports(edge, files.intake, files.web),
        "members": Members(edge),
        "stage": Stage(edge, files.intake),
        "tags": ImageTags(edge),
        "tasks": TasksOfImage(edge),
    }
    v2 = Branch(
        edge,
        {
            "images": Nouns(Images(edge, size, methods), of_an_image),
            "info": Noun(Info(edge, methods, parts.limits)),
            "schemas": Noun(Schemas(edge)),
            "tasks": Noun(Tasks(edge, size)),
        },
    )
    versions = _document(edge, discovery.image)
    return Branch(
        edge, {"v2": v2, "versions": versions}, _document(edge, discovery.image, 300)
    )


def _network(parts: Parts) -> IResource:
    edge = parts.edge("/network/v2.0", dialect.Network())
    size, offered = parts.api.page_size, parts.builder.firewall
    nouns: dict[str, Any] = {
        "extensions": Extensions(edge),
        "availability_zones": NetworkZones(edge),
        "quotas": Quotas(edge, parts.limits),
        "routers": Routers(edge),
        "security-group-rules": SecurityGroupRules(
            edge, security_group_rules.collection(size), offered, parts.limits
        ),
    }
    known: dict[str, Any] = {
        "floatingip": floating_ips.collection(size),
        "network": networks.collection(size),
        "port": ports.collection(size),
        "security_group": security_groups.collection(size),
        "subnet": subnets.collection(size),
    }
    maker = NetworkMaker(parts.plan, parts.limits)
    tagged: dict[str, Any] = {
        "floatingip": FloatingIPs(edge, known["floatingip"], parts.limits),
        "network": Networks(edge, known["network"], maker),
        "port": Ports(edge, known["port"], parts.builder.plugger),
        "security_group": SecurityGroups(
            edge, known["security_group"], offered, parts.limits
        ),
        "subnet": Subnets(edge, known["subnet"], known["network"], parts.limits),
    }
    children: dict[str, IResource] = {name: Noun(noun) for name, noun in nouns.items()}
    for name, noun in tagged.items():
        tags = NetworkTags(edge, known[name], _TABLES.get(name, name))
        children[known[name].collection] = Nouns(noun, {"tags": tags})
    v2 = Branch(edge, children, Noun(Contents(edge, discovery.network_v2)))
    return Branch(edge, {"v2.0": v2}, _document(edge, discovery.network))


def _node(parts: Parts) -> IResource:
    edge = parts.edge("/node/v1", dialect.Identity())
    nouns = {
        "guest": Guests(edge, parts.keys),
        "images": NodeImages(edge, parts.keys, parts.files.intake),
        "metadata": NodeMetadata(edge, parts.keys),
    }
    v1 = {name: Noun(noun) for name, noun in nouns.items()}
    return Branch(edge, {"v1": Branch(edge, v1)})


def _userdata(parts: Parts) -> IResource:
    edge = parts.edge("/userdata", dialect.Userdata())
    return Branch(edge, {"keys": Noun(Keys(edge))})


# Where things are stored, if not in what has their name.
_TABLES = {"floatingip": "floating_ip"}


def _document(edge: Edge, write: Callable[[str], Any], code: int = 200) -> IResource:
    return Noun(Document(edge, write, code))
