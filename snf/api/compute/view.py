"""Servers, flavors and images as the compute API shows them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from snf.api.call import Call
from snf.core.catalog import Flavor, Image
from snf.core.naming import instance_name
from snf.core.server import Observed, Status, power_state, vm_state
from snf.storage.servers import Server

Json = dict[str, Any]


def links(call: Call, kind: str, identity: UUID) -> list[Json]:
    """Return the two links that every item has."""
    return [
        {"rel": "self", "href": f"{call.base}/{kind}/{identity}"},
        {"rel": "bookmark", "href": f"{call.root}/compute/{kind}/{identity}"},
    ]


def page(
    call: Call, path: str, found: Mapping[UUID, Json], page_size: int
) -> dict[str, list[Json]]:
    """
    Return a page of a listing, with the link to the next one if there may be one.

    :param path: Where the listing is, below the version: ``servers/detail``.
    :param found: What is shown of each item, by its id.
    """
    noun = path.partition("/")[0]
    answer = {noun: list(found.values())}
    if found and len(found) == call.limit(page_size):
        href = f"{call.base}/{path}?{call.page_after([*found][-1])}"
        answer[f"{noun}_links"] = [{"rel": "next", "href": href}]
    return answer


def server_brief(call: Call, server: Server) -> Json:
    """Return a server as plain listings show it."""
    return {
        "id": str(server.uuid),
        "name": server.name,
        "links": links(call, "servers", server.uuid),
    }


def server(call: Call, server: Server, prefix: str) -> Json:
    """Return a server with everything."""
    view: Json = {
        "id": str(server.uuid),
        "name": server.name,
        "status": server.status.value,
        "tenant_id": str(server.project),
        "user_id": str(server.user),
        "metadata": dict(server.metadata),
        "hostId": _host_id(server),
        "image": {
            "id": str(server.image),
            "links": links(call, "images", server.image)[1:],
        },
        "flavor": {
            "id": str(server.flavor.id),
            "links": links(call, "flavors", server.flavor.id)[1:],
        },
        "created": time(server.created),
        "updated": time(server.updated),
        "addresses": addresses(server),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(call, "servers", server.uuid),
        "OS-DCF:diskConfig": "MANUAL",
        "progress": _progress(server),
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": None,
        "OS-SRV-USG:launched_at": precise(server.launched),
        "OS-SRV-USG:terminated_at": precise(server.deleted),
        "security_groups": [{"name": "default"}],
        "OS-EXT-STS:task_state": server.task and server.task.value,
        "OS-EXT-STS:vm_state": vm_state(server.status),
        "OS-EXT-STS:power_state": power_state(server.observed),
        "os-extended-volumes:volumes_attached": [],
        "SNF:task_state": server.task.name if server.task else "",
    }
    if server.fault is not None and server.status in (Status.ERROR, Status.DELETED):
        view["fault"] = {
            "code": server.fault.code,
            "created": time(datetime.fromtimestamp(server.fault.time, _utc(server))),
            "message": server.fault.message,
        }
    if call.is_admin:
        view |= {
            "OS-EXT-SRV-ATTR:host": server.cluster_name,
            "OS-EXT-SRV-ATTR:instance_name": instance_name(prefix, server.id),
            "OS-EXT-SRV-ATTR:hypervisor_hostname": server.cluster_name,
        }
    return view


def flavor_brief(call: Call, flavor: Flavor) -> Json:
    """Return a flavor as plain listings show it."""
    return {
        "id": str(flavor.id),
        "name": flavor.name,
        "links": links(call, "flavors", flavor.id),
    }


def flavor(call: Call, flavor: Flavor) -> Json:
    """Return a flavor with everything."""
    return {
        "id": str(flavor.id),
        "name": flavor.name,
        "ram": flavor.ram_mib,
        "disk": flavor.disk_gib,
        "swap": "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.public,
        "rxtx_factor": 1.0,
        "links": links(call, "flavors", flavor.id),
        "SNF:disk_template": flavor.disk_template,
    }


def image_brief(call: Call, image: Image) -> Json:
    """Return an image as plain listings show it."""
    return {
        "id": str(image.id),
        "name": image.name,
        "links": links(call, "images", image.id),
    }


def image(call: Call, image: Image) -> Json:
    """Return an image with everything."""
    return image_brief(call, image) | {
        "status": _IMAGE_STATUSES.get(image.status, "UNKNOWN"),
        "progress": 100 if image.status == "active" else 0,
        "created": time(image.created),
        "updated": time(image.updated),
        "minDisk": image.min_disk_gib,
        "minRam": image.min_ram_mib,
        "metadata": dict(image.properties),
        "OS-EXT-IMG-SIZE:size": image.size_bytes,
    }


# nova/api/openstack/compute/views/images.py
_IMAGE_STATUSES = {
    "active": "ACTIVE",
    "queued": "SAVING",
    "saving": "SAVING",
    "deleted": "DELETED",
    "killed": "ERROR",
}


def time(moment: datetime) -> str:
    """Return a time as most fields write it: whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(moment: datetime | None) -> str | None:
    """Return a time as the usage fields write it: with microseconds, without a zone."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _utc(server: Server) -> Any:
    return server.created.tzinfo


def _progress(server: Server) -> int:
    if server.observed is Observed.UP:
        return 100
    return server.progress if server.observed is Observed.BUILD else 0


def _host_id(server: Server) -> str:
    """Return a word for where it runs that tells nothing of the place itself."""
    if server.observed is Observed.BUILD:
        return ""
    place = f"{server.project}{server.cluster_name}"
    return hashlib.sha224(place.encode("utf-8")).hexdigest()


def addresses(server: Server) -> dict[str, list[Json]]:
    """Return the addresses of a server by the names of their networks."""
    shown: dict[str, list[Json]] = {}
    for place in server.places:
        shown.setdefault(place.network, []).append(
            {
                "version": place.address.version,
                "addr": str(place.address),
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": place.mac,
            }
        )
    return shown
