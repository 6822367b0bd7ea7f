"""Servers, flavors and images as the compute API shows them."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import orjson

from snf.api.call import UUID_TEXT, Call
from snf.api.compute import versions
from snf.core.catalog import Flavor, Image
from snf.core.image import without_base
from snf.core.naming import instance_name
from snf.core.server import Observed, Status, power_state, vm_state
from snf.storage.servers import Server, from_text

Json = dict[str, Any]


class Asked(Protocol):
    """What of a call decides how things are shown."""

    @property
    def base(self) -> str: ...

    @property
    def root(self) -> str: ...

    @property
    def version(self) -> versions.Version: ...

    @property
    def is_admin(self) -> bool: ...

    def since(self, version: versions.Version) -> bool: ...


class Look(NamedTuple):
    """The same by itself, and what else decides how servers are shown.

    :ivar prefix: Of their names at Ganeti.
    """

    base: str
    root: str
    version: versions.Version
    is_admin: bool
    prefix: str

    def since(self, version: versions.Version) -> bool:
        """Return whether this microversion or a newer one is asked for."""
        return self.version >= version


def look(call: Call, prefix: str) -> Look:
    """Return how a call wants servers to be shown."""
    return Look(call.base, call.root, call.version, call.is_admin, prefix)


def links(call: Asked, kind: str, identity: UUID) -> list[Json]:
    """Return the two links that every item has."""
    word = str(identity)  # which takes Python as long as all else here
    return [
        {"rel": "self", "href": f"{call.base}/{kind}/{word}"},
        {"rel": "bookmark", "href": f"{call.root}/compute/{kind}/{word}"},
    ]


def _reference(call: Asked, kind: str, identity: UUID) -> Json:
    """Return how a server refers to what it is made of."""
    return {"id": identity, "links": _bookmark(call.root, kind, identity)}


# Of a thousand servers few have an image, a flavor or a place that no other one has:
# what is the same for many is made once.
_for_many = lru_cache(maxsize=1024)


@_for_many
def _bookmark(root: str, kind: str, identity: UUID) -> list[Json]:
    return [{"rel": "bookmark", "href": f"{root}/compute/{kind}/{identity}"}]


def page(
    call: Call,
    path: str,
    found: Mapping[UUID, Json | orjson.Fragment],
    page_size: int,
) -> dict[str, Any]:
    """
    Return a page of a listing, with the link to the next one if there may be one.

    :param path: Where the listing is, below the version: ``servers/detail``.
    :param found: What is shown of each item, by its id.
    """
    noun = path.partition("/")[0]
    answer: dict[str, Any] = {noun: list(found.values())}
    if found and len(found) == call.limit(page_size):
        href = f"{call.base}/{path}?{call.page_after([*found][-1])}"
        answer[f"{noun}_links"] = [{"rel": "next", "href": href}]
    return answer


def server_brief(call: Call, identity: UUID, name: str) -> Json:
    """Return a server as plain listings show it."""
    return {
        "id": str(identity),
        "name": name,
        "links": links(call, "servers", identity),
    }


@lru_cache(maxsize=5000)
def server_written(look: Look, text: str) -> orjson.Fragment:
    """
    Return the JSON of a server, in a list with everything.

    Nearly all that a list shows has not changed since the last one.  What is shown
    depends on nothing but the two arguments, so it is kept by them: some 3 kB each.

    :param text: All that the database has of it; see :data:`snf.storage.servers.TEXT`.
    """
    return orjson.Fragment(orjson.dumps(server(look, from_text(text), look.prefix)))


def server(call: Asked, server: Server, prefix: str, alone: bool = False) -> Json:
    """
    Return a server with everything that there is of it in the call's version.

    :param prefix: Of its name at Ganeti.
    :param alone: Whether nothing else is shown; then there is a little more.
    """
    view: Json = {
        "id": server.uuid,
        "name": server.name,
        "status": server.status.value,
        "tenant_id": server.project,
        "user_id": server.user,
        "metadata": dict(server.metadata),
        "hostId": _host_id(server),
        "image": _reference(call, "images", server.image),
        "flavor": _flavor_of(call, server),
        "created": time(server.created),
        "updated": time(server.updated),
        "addresses": addresses(server),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(call, "servers", server.uuid),
        "OS-DCF:diskConfig": "MANUAL",
        "progress": _progress(server),
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "True" if server.config_drive else "",
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": precise(server.launched),
        "OS-SRV-USG:terminated_at": precise(server.deleted),
        "security_groups": [{"name": name} for name in server.security_groups],
        "OS-EXT-STS:task_state": server.task and server.task.value,
        "OS-EXT-STS:vm_state": vm_state(server.status),
        "OS-EXT-STS:power_state": power_state(server.observed),
        "os-extended-volumes:volumes_attached": [],
        "suspended": server.suspended,
        "SNF:task_state": server.task.name if server.task else "",
    }
    if server.fault is not None and server.status in (Status.ERROR, Status.DELETED):
        view["fault"] = {
            "code": server.fault.code,
            "created": time(datetime.fromtimestamp(server.fault.time, _utc(server))),
            "message": server.fault.message,
        }
    for added in _added(call.version):
        view |= added(server)
    if call.since(versions.IMAGE_PROPERTIES):
        view["image"]["properties"] = dict(server.image_properties)
    if alone and call.since(versions.SERVER_GROUPS):
        view["server_groups"] = [str(server.group)] if server.group else []
    if call.is_admin:
        view |= _for_admins(call, server, prefix)
    return view


# What each version adds to what everybody sees of a server.
_ADDED: Mapping[versions.Version, Callable[[Server], Json]] = {
    versions.LOCKED: lambda server: {"locked": server.lock is not None},
    versions.DESCRIPTION: lambda server: {"description": server.description},
    versions.TAGS: lambda server: {"tags": list(server.tags)},
    versions.CERTIFICATES: lambda server: {"trusted_image_certificates": None},
    versions.LOCK_REASON: lambda server: {
        "locked_reason": server.lock and server.lock.reason
    },
    versions.HOSTNAME: lambda server: {"OS-EXT-SRV-ATTR:hostname": server.hostname},
    versions.PINNED_ZONE: lambda server: {
        "pinned_availability_zone": server.pinned_zone
    },
    versions.HINTS: lambda server: {
        "scheduler_hints": {"group": [str(server.group)]} if server.group else {}
    },
}


@_for_many
def _added(version: versions.Version) -> tuple[Callable[[Server], Json], ...]:
    return tuple(added for since, added in _ADDED.items() if version >= since)


def _for_admins(call: Asked, server: Server, prefix: str) -> Json:
    view: Json = {
        "OS-EXT-SRV-ATTR:host": server.cluster_name,
        "OS-EXT-SRV-ATTR:instance_name": instance_name(prefix, server.id),
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.cluster_name,
    }
    if call.since(versions.EXTENDED):
        view |= {
            "OS-EXT-SRV-ATTR:reservation_id": server.reservation,
            "OS-EXT-SRV-ATTR:launch_index": server.launch_index,
            "OS-EXT-SRV-ATTR:hostname": server.hostname,
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            # Ganeti does not tell what the guest calls its disk.
            "OS-EXT-SRV-ATTR:root_device_name": None,
            "OS-EXT-SRV-ATTR:user_data": None,
        }
    if call.since(versions.HOST_STATUS):
        built = server.observed is not Observed.BUILD
        view["host_status"] = server.host_status if built else ""
    return view


def _flavor_of(call: Asked, server: Server) -> Json:
    """Return the flavor of a server: from some version on how large it is."""
    flavor = server.flavor
    if not call.since(versions.FLAVOR_EMBEDDED):
        return _reference(call, "flavors", flavor.id)
    return {
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram_mib,
        "disk": flavor.disk_gib,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": dict(server.flavor_specs),
    }


def flavor_brief(call: Call, flavor: Flavor) -> Json:
    """Return a flavor as plain listings show it."""
    view: Json = {
        "id": str(flavor.id),
        "name": flavor.name,
        "links": links(call, "flavors", flavor.id),
    }
    if call.since(versions.FLAVOR_DESCRIPTION):
        view["description"] = flavor.description
    return view


def flavor(call: Call, flavor: Flavor, specs: Mapping[str, str]) -> Json:
    """Return a flavor with everything, its extra specs where the version has them."""
    view = {
        "id": str(flavor.id),
        "name": flavor.name,
        "ram": flavor.ram_mib,
        "disk": flavor.disk_gib,
        "swap": 0 if call.since(versions.STRICT) else "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.public,
        "rxtx_factor": 1.0,
        "links": links(call, "flavors", flavor.id),
        "SNF:disk_template": flavor.disk_template,
    }
    if call.since(versions.FLAVOR_DESCRIPTION):
        view["description"] = flavor.description
    if call.since(versions.FLAVOR_EXTRA_SPECS):
        view["extra_specs"] = dict(specs)
    return view


def image_brief(call: Call, image: Image) -> Json:
    """Return an image as plain listings show it."""
    return {
        "id": str(image.id),
        "name": image.name,
        "links": links(call, "images", image.id),
    }


def image(call: Call, image: Image, done: int | None = None) -> Json:
    """
    Return an image with everything.

    :param done: How far it is, in percent, where that is known.
    """
    progress = _IMAGE_PROGRESS.get(image.status, 0) if done is None else done
    return _image_of(call, image) | {
        "status": _IMAGE_STATUSES.get(image.status, "UNKNOWN"),
        "progress": progress,
        "created": time(image.created),
        "updated": time(image.updated),
        "minDisk": image.min_disk_gib,
        "minRam": image.min_ram_mib,
        "metadata": without_base(image.properties),
        "OS-EXT-IMG-SIZE:size": image.size_bytes,
    }


def _image_of(call: Call, image: Image) -> Json:
    """Return the brief form, and the server of which it was made."""
    shown = image_brief(call, image)
    server = image.properties.get("instance_uuid")
    if server is not None and UUID_TEXT.fullmatch(server):
        which = UUID(server)
        shown["server"] = {"id": server, "links": links(call, "servers", which)}
    return shown


# nova/api/openstack/compute/views/images.py
_IMAGE_STATUSES = {
    "active": "ACTIVE",
    "queued": "SAVING",
    "saving": "SAVING",
    "deleted": "DELETED",
    "killed": "ERROR",
    "uploading": "SAVING",
    "importing": "SAVING",
}
_IMAGE_PROGRESS = {"queued": 25, "saving": 50, "importing": 50, "active": 100}


def time(moment: datetime) -> str:
    """Return a time, in UTC, as most fields write it: whole seconds."""
    # A third of what isoformat takes for a time with a zone.
    day = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    return f"{day}T{moment.hour:02}:{moment.minute:02}:{moment.second:02}Z"


def precise(moment: datetime | None) -> str | None:
    """Return a time as the usage fields write it: with microseconds, without a zone."""
    return None if moment is None else moment.isoformat(timespec="microseconds")[:26]


def _utc(server: Server) -> Any:
    return server.created.tzinfo


def _progress(server: Server) -> int:
    if server.status is Status.REBUILD:
        return server.progress
    if server.observed is Observed.UP:
        return 100
    return server.progress if server.observed is Observed.BUILD else 0


def _host_id(server: Server) -> str:
    if server.observed is Observed.BUILD:
        return ""
    return host_id(server.project, server.cluster_name)


@_for_many
def host_id(project: UUID, cluster: str) -> str:
    """Return a word for where something runs that tells nothing of the place itself."""
    return hashlib.sha224(f"{project}{cluster}".encode()).hexdigest()


def addresses(server: Server) -> dict[str, list[Json]]:
    """Return the addresses of a server by the names of their networks."""
    shown: dict[str, list[Json]] = {}
    for place in server.places:
        shown.setdefault(place.network, []).append(
            {
                "version": place.version,
                "addr": place.address,
                "OS-EXT-IPS:type": "floating" if place.floating else "fixed",
                "OS-EXT-IPS-MAC:mac_addr": place.mac,
            }
        )
    return shown
