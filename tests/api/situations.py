"""What each route is asked for in the tests that ask them all.

A new route needs, for each ``{name}`` in its URL, a line in :data:`THINGS`, and if it
reads a body, one in :data:`ASKED`.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from attrs import field, frozen

from snf.api.identity.catalog import catalog
from snf.core.identity import Domain, Project
from snf.testing import world
from snf.testing.world import (
    EXTERNAL,
    NETWORK,
    SMALL,
    SUBNET,
    TINY,
)
from tests.api.case import ROOT
from tests.api.routes import Served

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH3VeXs5nuZTt2RGnN0b3hMMackYvg2ZImjhLmFOGof3 me"

MISSING = "00000000-0000-4000-8000-00000000dead"

# What each user has, by the kind of thing: the user's own, or the user's project's.
Belongings = dict[str, str]

CLOSED_DOMAIN = Domain("closed", "closed", enabled=False)
EMPTY_PROJECT = Project(UUID(int=0xE0, version=4), "empty")


@frozen
class Thing:
    """What a name in a URL stands for.

    :ivar kind: Of the things in ``belongings.py``, which differ by whose they are; or
    :ivar always: what it is for everybody.
    :ivar hidden: Whether others' are not to be told from what is not there; if not,
        they are refused with a 403.
    :ivar missing: What there is none of.
    :ivar missing_code: The status then, for those who may know.
    """

    kind: str = ""
    always: str = ""
    hidden: bool = True
    missing: str = MISSING
    missing_code: int = 404

    def of(self, owned: Belongings) -> str:
        """Return the one that somebody has."""
        return self.always or owned[self.kind]


_COMPUTE = "/compute/{version}"
_V3 = "/identity/v3"
_V2 = "/network/v2.0"

_CATALOG = catalog(ROOT, "RegionOne")
_PROJECT = Thing("project")
_USER = Thing("user")
_LIMITED = Thing("project", hidden=False, missing_code=400)
_ROLE = Thing(always="member", missing="nothing")
_KEY = Thing(always="k", missing="nothing")
_TAG = Thing(always="t", missing="nothing")

# By where the name is: the URL up to it.
THINGS: Mapping[str, Thing] = {
    f"{_COMPUTE}/extensions/{{extension}}": Thing(always="OS-DCF", missing="nothing"),
    f"{_COMPUTE}/flavors/{{flavor}}": Thing("flavor"),
    f"{_COMPUTE}/flavors/{{flavor}}/os-extra_specs/{{key}}": _KEY,
    f"{_COMPUTE}/images/{{image}}": Thing("image"),
    f"{_COMPUTE}/images/{{image}}/meta/{{key}}": _KEY,
    f"{_COMPUTE}/images/{{image}}/metadata/{{key}}": _KEY,
    f"{_COMPUTE}/os-console-auth-tokens/{{token}}": Thing(
        always="nothing", missing_code=404
    ),
    f"{_COMPUTE}/os-floating-ips/{{floating}}": Thing("floating_ip"),
    f"{_COMPUTE}/os-hypervisors/{{hypervisor}}": Thing("cluster"),
    f"{_COMPUTE}/networks/{{network}}": Thing("network"),
    f"{_COMPUTE}/os-keypairs/{{keypair}}": Thing("keypair", missing="nothing"),
    f"{_COMPUTE}/os-networks/{{network}}": Thing("network"),
    f"{_COMPUTE}/os-tenant-networks/{{network}}": Thing("network"),
    f"{_COMPUTE}/os-quota-sets/{{project}}": _LIMITED,
    f"{_COMPUTE}/os-security-groups/{{group}}": Thing("security group"),
    f"{_COMPUTE}/os-server-groups/{{group}}": Thing("server_group"),
    f"{_COMPUTE}/os-services/{{service}}": Thing("cluster"),
    f"{_COMPUTE}/os-simple-tenant-usage/{{project}}": _LIMITED,
    f"{_COMPUTE}/servers/{{server}}": Thing("server"),
    f"{_COMPUTE}/servers/{{server}}/ips/{{network}}": Thing(
        always=NETWORK.name, missing="nothing"
    ),
    f"{_COMPUTE}/servers/{{server}}/meta/{{key}}": _KEY,
    f"{_COMPUTE}/servers/{{server}}/metadata/{{key}}": _KEY,
    f"{_COMPUTE}/servers/{{server}}/os-interface/{{port}}": Thing("port"),
    f"{_COMPUTE}/servers/{{server}}/migrations/{{migration}}": Thing(always=MISSING),
    f"{_COMPUTE}/servers/{{server}}/os-instance-actions/{{done_by}}": Thing(
        "request", missing="req-nothing"
    ),
    f"{_COMPUTE}/servers/{{server}}/tags/{{tag}}": Thing(always="t", missing="nothing"),
    f"{_V3}/domains/{{domain}}": Thing(always="default", missing="nothing"),
    f"{_V3}/endpoints/{{item}}": Thing(always=_CATALOG[0]["endpoints"][0]["id"]),
    f"{_V3}/groups/{{group}}": Thing("group"),
    f"{_V3}/groups/{{group}}/users/{{user}}": _USER,
    f"{_V3}/projects/{{project}}": _PROJECT,
    f"{_V3}/projects/{{project}}/groups/{{who}}": Thing("group"),
    f"{_V3}/projects/{{project}}/groups/{{who}}/roles/{{role}}": _ROLE,
    f"{_V3}/projects/{{project}}/users/{{who}}": _USER,
    f"{_V3}/projects/{{project}}/users/{{who}}/roles/{{role}}": _ROLE,
    f"{_V3}/regions/{{region}}": Thing(always="RegionOne", missing="nothing"),
    f"{_V3}/roles/{{role}}": _ROLE,
    f"{_V3}/services/{{service}}": Thing(always=_CATALOG[0]["id"]),
    f"{_V3}/users/{{user}}": _USER,
    f"{_V3}/users/{{user}}/application_credentials/{{credential}}": Thing("credential"),
    "/image/v2/images/{image}": Thing("image"),
    "/image/v2/images/{image}/members/{member}": Thing("project"),
    "/image/v2/images/{image}/tags/{tag}": _TAG,
    "/image/v2/tasks/{task}": Thing("task"),
    "/image/v2/schemas/{schema}": Thing(always="image", missing="nothing"),
    "/userdata/keys/{key}": Thing("key", missing="999999"),
    # Who has no signature is not told what there is.
    "/node/v1/guest/{order}": Thing(always=MISSING, missing_code=403),
    "/node/v1/images/{sha256}": Thing(always="0" * 64, missing_code=403),
    "/node/v1/metadata/{server}": Thing(always="1", missing_code=403),
    f"{_V2}/extensions/{{extension}}": Thing(always="provider", missing="nothing"),
    f"{_V2}/floatingips/{{item}}": Thing("floating_ip"),
    f"{_V2}/floatingips/{{item}}/tags/{{tag}}": _TAG,
    f"{_V2}/networks/{{item}}": Thing("network"),
    f"{_V2}/networks/{{item}}/tags/{{tag}}": _TAG,
    f"{_V2}/ports/{{item}}": Thing("port"),
    f"{_V2}/ports/{{item}}/tags/{{tag}}": _TAG,
    f"{_V2}/quotas/{{project}}": _LIMITED,
    f"{_V2}/routers/{{router}}": Thing(always=MISSING),
    f"{_V2}/security-group-rules/{{item}}": Thing("rule"),
    f"{_V2}/security-groups/{{item}}": Thing("security group"),
    f"{_V2}/security-groups/{{item}}/tags/{{tag}}": _TAG,
    f"{_V2}/subnets/{{item}}": Thing("subnet"),
    f"{_V2}/subnets/{{item}}/tags/{{tag}}": _TAG,
}


@frozen
class Asked:
    """What is sent to a route.

    :ivar body: Its JSON; None where it reads none.
    :ivar also: Other bodies that make sense there.
    :ivar url: What names in the URL stand for here, in other than the usual way.
    :ivar makes: The names in the URL that there need not be: the request makes them.
    :ivar code: The status when all is well, if it is not the one of the table.
    :ivar subject: Whether the token is sent as ``X-Subject-Token``, too.
    """

    body: Any = None
    url: Mapping[str, Thing] = field(factory=dict)
    makes: frozenset[str] = frozenset()
    code: int | None = None
    subject: bool = False
    also: tuple[Any, ...] = ()


def _login(**more: Any) -> dict[str, Any]:
    who = {"name": "alice", "password": world.PASSWORD, "domain": {"id": "default"}}
    identity = {"methods": ["password"], "password": {"user": who}}
    return {"auth": {"identity": identity, **more}}


_NEW_SERVER = {
    "name": "web",
    "flavorRef": str(SMALL.id),
    "imageRef": str(TINY.id),
    "networks": [{"uuid": str(NETWORK.id)}],
    "metadata": {"k": "v"},
}
_NEW_IMAGE = {
    "name": "new",
    "disk_format": "qcow2",
    "container_format": "bare",
    "visibility": "private",
    "protected": False,
    "os_hidden": False,
    "min_disk": 1,
    "min_ram": 64,
    "tags": ["t"],
    "k": "v",
}
_QUEUED = {"image": Thing("queued image")}
_NEW_FLAVOR = {"name": "new", "vcpus": 1, "ram": 128, "disk": 1}
_GROUP = uuid5(UUID(int=0x5EC), "alice")
_NEW_RULE = {
    "security_group_id": str(_GROUP),
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "port_range_min": 22,
    "port_range_max": 22,
    "remote_ip_prefix": "192.0.2.0/24",
}
# On a network that is nobody's, since everybody sends the same.
_NEW_SUBNET = {
    "network_id": MISSING,
    "cidr": "198.51.100.0/24",
    "ip_version": 4,
    "gateway_ip": "198.51.100.1",
    "allocation_pools": [{"start": "198.51.100.2", "end": "198.51.100.9"}],
    "dns_nameservers": ["198.51.100.1"],
    "host_routes": [{"destination": "203.0.113.0/24", "nexthop": "198.51.100.1"}],
}
_MADE_KEY = frozenset({"key"})
_META = {"meta": {"k": "v"}}
_METADATA = {"metadata": {"k": "v"}}
_ROOM = {"quota_set": {"cores": 100}}

_TAGGED = ("floatingips", "networks", "ports", "security-groups", "subnets")

# By method and URL; of a route that is not here nothing but its URL is sent.
ASKED: Mapping[str, Asked] = {
    f"POST {_COMPUTE}/flavors": Asked({"flavor": _NEW_FLAVOR}),
    f"PUT {_COMPUTE}/flavors/{{flavor}}": Asked({"flavor": {"description": "d"}}),
    f"POST {_COMPUTE}/flavors/{{flavor}}/action": Asked(
        {"addTenantAccess": {"tenant": str(EMPTY_PROJECT.id)}}
    ),
    f"POST {_COMPUTE}/flavors/{{flavor}}/os-extra_specs": Asked(
        {"extra_specs": {"k": "v"}}
    ),
    f"PUT {_COMPUTE}/flavors/{{flavor}}/os-extra_specs/{{key}}": Asked(
        {"k": "v"}, makes=_MADE_KEY
    ),
    f"GET {_COMPUTE}/os-console-auth-tokens/{{token}}": Asked(code=404),
    f"POST {_COMPUTE}/os-floating-ips": Asked({"pool": EXTERNAL.name}),
    # Ganeti does not tell it.
    f"GET {_COMPUTE}/os-hypervisors/{{hypervisor}}/uptime": Asked(code=501),
    f"POST {_COMPUTE}/networks": Asked({"network": {"name": "new"}}),
    f"PUT {_COMPUTE}/networks/{{network}}": Asked({"network": {"name": "other"}}),
    # Of a server that there is not, since everybody sends the same.
    f"POST {_COMPUTE}/networks/{{network}}/action": Asked(
        {"add": {"serverRef": MISSING}},
        also=({"remove": {"attachment": MISSING}}, {"remove": {"serverRef": MISSING}}),
        code=404,
    ),
    f"POST {_COMPUTE}/os-keypairs": Asked(
        {"keypair": {"name": "new", "public_key": PUBLIC_KEY}}
    ),
    "POST /userdata/keys": Asked({"name": "new", "content": PUBLIC_KEY}),
    "PUT /userdata/keys/{key}": Asked(
        {"name": "other"}, also=({"content": PUBLIC_KEY, "fingerprint": "x"},)
    ),
    f"PUT {_COMPUTE}/os-quota-sets/{{project}}": Asked(_ROOM),
    f"POST {_COMPUTE}/os-server-groups": Asked(
        {"server_group": {"name": "new", "policies": ["affinity"]}}
    ),
    f"PUT {_COMPUTE}/os-services/{{service}}": Asked({"status": "disabled"}),
    f"POST {_COMPUTE}/servers": Asked({"server": _NEW_SERVER}),
    f"PUT {_COMPUTE}/servers/{{server}}": Asked({"server": {"name": "other"}}),
    f"POST {_COMPUTE}/servers/{{server}}/action": Asked(
        {"os-stop": None},
        also=(
            {"os-start": None},
            {"start": {}},
            {"shutdown": {}},
            {"reboot": {"type": "SOFT"}},
            {"lock": {"locked_reason": "r"}},
            {"unlock": None},
            {"addSecurityGroup": {"name": "default"}},
            {"removeSecurityGroup": {"name": "default"}},
            {"firewallProfile": {"profile": "ENABLED"}},
            {"addFixedIp": {"networkId": str(NETWORK.id)}},
            {"removeFixedIp": {"address": "192.0.2.10"}},
            {"resize": {"flavorRef": str(SMALL.id)}},
            {"confirmResize": None},
            {"revertResize": None},
            {"migrate": None},
            {"os-migrateLive": {"host": None, "block_migration": False}},
            {"evacuate": {"onSharedStorage": True}},
            {"os-resetState": {"state": "active"}},
            {"SNF:suspend": None},
            {"forceDelete": None},
            {"rebuild": {"imageRef": str(TINY.id), "metadata": {"k": "v"}}},
            {"changePassword": {"adminPass": "p"}},
            {"console": {"type": "vnc"}},
            {"os-getVNCConsole": {"type": "novnc"}},
            {"os-getConsoleOutput": {"length": 5}},
            {"os-getSerialConsole": {"type": "serial"}},
        ),
    ),
    f"POST {_COMPUTE}/servers/{{server}}/meta": Asked(_METADATA),
    f"PUT {_COMPUTE}/servers/{{server}}/meta/{{key}}": Asked(_META, makes=_MADE_KEY),
    f"POST {_COMPUTE}/servers/{{server}}/metadata": Asked(_METADATA),
    f"PUT {_COMPUTE}/servers/{{server}}/metadata": Asked(_METADATA),
    f"PUT {_COMPUTE}/servers/{{server}}/metadata/{{key}}": Asked(
        _META, makes=_MADE_KEY
    ),
    f"POST {_COMPUTE}/servers/{{server}}/os-interface": Asked(
        {"interfaceAttachment": {"net_id": str(NETWORK.id)}},
        also=(
            {"interfaceAttachment": {"port_id": MISSING}},
            {
                "interfaceAttachment": {
                    "net_id": str(NETWORK.id),
                    "fixed_ips": [{"ip_address": "192.0.2.77"}],
                }
            },
        ),
    ),
    f"POST {_COMPUTE}/servers/{{server}}/remote-consoles": Asked(
        {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    ),
    # A token that there is not.
    "POST /console/sessions": Asked(
        {"session": {"token": "nothing", "type": "novnc"}}, code=403
    ),
    "GET /node/v1/guest/{order}": Asked(code=403),
    "GET /node/v1/images/{sha256}": Asked(code=403),
    "GET /node/v1/metadata/{server}": Asked(code=403),
    "POST /node/v1/metadata/{server}/password": Asked({"password": "x"}, code=403),
    # None is under way.
    f"GET {_COMPUTE}/servers/{{server}}/migrations/{{migration}}": Asked(code=404),
    # Nothing draws graphs unless it is configured.
    f"GET {_COMPUTE}/servers/{{server}}/stats": Asked(code=404),
    f"PUT {_COMPUTE}/servers/{{server}}/tags": Asked({"tags": ["t"]}),
    f"PUT {_COMPUTE}/servers/{{server}}/tags/{{tag}}": Asked(
        url={"tag": Thing(always="new")}, makes=frozenset({"tag"})
    ),
    f"DELETE {_V3}/auth/tokens": Asked(subject=True),
    f"GET {_V3}/auth/tokens": Asked(subject=True),
    f"POST {_V3}/auth/tokens": Asked(_login()),
    "POST /identity/v2.0/tokens": Asked(
        {
            "auth": {
                "passwordCredentials": {
                    "username": "alice",
                    "password": world.PASSWORD,
                },
                "tenantName": "alpha",
            }
        }
    ),
    f"POST {_V3}/domains": Asked({"domain": {"name": "new"}}),
    f"PATCH {_V3}/domains/{{domain}}": Asked({"domain": {"description": "other"}}),
    # Only one that is disabled can be deleted.
    f"DELETE {_V3}/domains/{{domain}}": Asked(
        url={"domain": Thing(always=CLOSED_DOMAIN.id)}
    ),
    f"POST {_V3}/groups": Asked({"group": {"name": "new"}}),
    f"PATCH {_V3}/groups/{{group}}": Asked({"group": {"name": "other"}}),
    f"POST {_V3}/projects": Asked({"project": {"name": "new"}}),
    f"PATCH {_V3}/projects/{{project}}": Asked({"project": {"name": "other"}}),
    # Only one that has nothing can be deleted.
    f"DELETE {_V3}/projects/{{project}}": Asked(
        url={"project": Thing(always=str(EMPTY_PROJECT.id))}
    ),
    f"POST {_V3}/users": Asked({"user": {"name": "new", "password": "p"}}),
    f"PATCH {_V3}/users/{{user}}": Asked({"user": {"description": "other"}}),
    f"POST {_V3}/users/{{user}}/application_credentials": Asked(
        {"application_credential": {"name": "new"}}
    ),
    f"POST {_V3}/users/{{user}}/password": Asked(
        {"user": {"original_password": world.PASSWORD, "password": "other"}}
    ),
    f"POST {_COMPUTE}/images/{{image}}/meta": Asked(_METADATA),
    f"PUT {_COMPUTE}/images/{{image}}/meta/{{key}}": Asked(_META, makes=_MADE_KEY),
    f"POST {_COMPUTE}/images/{{image}}/metadata": Asked(_METADATA),
    f"PUT {_COMPUTE}/images/{{image}}/metadata": Asked(_METADATA),
    f"PUT {_COMPUTE}/images/{{image}}/metadata/{{key}}": Asked(_META, makes=_MADE_KEY),
    "POST /image/v2/images": Asked(_NEW_IMAGE),
    "PATCH /image/v2/images/{image}": Asked(
        [{"op": "replace", "path": "/name", "value": "new"}],
        also=(
            [{"op": "add", "path": "/os", "value": "linux"}],
            [{"op": "remove", "path": "/k"}],
        ),
    ),
    # There is no data in these images, and none is sent: no upload.
    "GET /image/v2/images/{image}/file": Asked(code=204),
    "PUT /image/v2/images/{image}/file": Asked(url=_QUEUED),
    "PUT /image/v2/images/{image}/stage": Asked(url=_QUEUED),
    "POST /image/v2/images/{image}/import": Asked(
        {"method": {"name": "glance-direct"}},
        also=({"method": {"name": "web-download", "uri": "http://127.0.0.1/"}},),
        url=_QUEUED,
        code=409,
    ),
    "POST /image/v2/images/{image}/members": Asked({"member": str(EMPTY_PROJECT.id)}),
    "PUT /image/v2/images/{image}/members/{member}": Asked({"status": "accepted"}),
    "PUT /image/v2/images/{image}/tags/{tag}": Asked(
        url={"tag": Thing(always="new")}, makes=frozenset({"tag"})
    ),
    f"POST {_V2}/ports": Asked(
        {"port": {"network_id": str(NETWORK.id)}},
        also=(
            {
                "port": {
                    "network_id": str(NETWORK.id),
                    "fixed_ips": [{"subnet_id": str(SUBNET.id)}],
                }
            },
            {"ports": [{"network_id": str(NETWORK.id), "name": "n"}]},
        ),
    ),
    f"PUT {_V2}/ports/{{item}}": Asked(
        {"port": {"name": "n"}}, also=({"port": {"device_id": ""}},)
    ),
    f"POST {_V2}/floatingips": Asked(
        {"floatingip": {"floating_network_id": str(EXTERNAL.id), "description": "d"}}
    ),
    f"PUT {_V2}/floatingips/{{item}}": Asked({"floatingip": {"description": "d"}}),
    f"PUT {_V2}/quotas/{{project}}": Asked({"quota": {"port": 100, "floatingip": 9}}),
    f"POST {_V2}/security-groups": Asked({"security_group": {"name": "new"}}),
    f"PUT {_V2}/security-groups/{{item}}": Asked({"security_group": {"name": "new"}}),
    f"POST {_V2}/security-group-rules": Asked({"security_group_rule": _NEW_RULE}),
    f"PUT {_V2}/security-group-rules/{{item}}": Asked(
        {"security_group_rule": {"description": "other"}}
    ),
    f"POST {_V2}/networks": Asked(
        {"network": {"name": "new"}}, also=({"networks": [{"name": "new"}]},)
    ),
    f"PUT {_V2}/networks/{{item}}": Asked({"network": {"name": "other"}}),
    f"POST {_V2}/routers": Asked({"router": {"name": "new"}}, code=409),
    f"GET {_V2}/routers/{{router}}": Asked(code=404),
    f"POST {_V2}/subnets": Asked({"subnet": _NEW_SUBNET}, code=404),
    f"PUT {_V2}/subnets/{{item}}": Asked({"subnet": {"name": "other"}}),
    **{f"PUT {_V2}/{place}/{{item}}/tags": Asked({"tags": ["t"]}) for place in _TAGGED},
    **{
        f"PUT {_V2}/{place}/{{item}}/tags/{{tag}}": Asked(
            url={"tag": Thing(always="new")}, makes=frozenset({"tag"})
        )
        for place in _TAGGED
    },
}


class Unsaid(Exception):
    """The tables here lack something that a route has."""


def asked(one: Served) -> Asked:
    """
    Return what is sent to a route.

    :raises Unsaid: It reads a body, and nobody has said which one.
    """
    key = f"{one.method} {one.everywhere}"
    if one.route.body is not None and key not in ASKED:
        raise Unsaid(f"{__file__}: ASKED has no body for {key!r}")
    return ASKED.get(key, Asked())


def things(one: Served) -> dict[str, Thing]:
    """
    Return what the names in a route's URL stand for.

    :raises Unsaid: Nobody has said it of one.
    """
    path = one.everywhere
    found = {}
    for name in re.finditer(r"\{(\w+)\}", path):
        place = path[: name.end()]
        if place in THINGS:
            found[name[1]] = THINGS[place]
        elif name[1] != "version":
            raise Unsaid(f"{__file__}: THINGS says nothing of {place!r}")
    return {**found, **asked(one).url}


def version(one: Served) -> str | None:
    """Return the microversion in which a route is asked for."""
    oldest = one.route.since
    return None if oldest is None else f"{oldest[0]}.{oldest[1]}"
