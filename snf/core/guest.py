"""What a guest is told of itself and its owner, and how that reaches its node.

The program that makes a server's disks (``ganeti/os/cyclades``) is given all of it as
one text, in pieces: an environment variable may have 128 KiB (Linux, MAX_ARG_STRLEN).
"""

import base64
import zlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from attrs import field, frozen

from snf.core.subnet import Route

# Synnefo's limits, which are Nova's defaults for injected files.
FILES_AT_MOST = 5
FILE_BYTES_AT_MOST = 10_240
PATH_BYTES_AT_MOST = 255

# In base64 (nova/api/openstack/compute/schemas/servers.py).
USER_DATA_AT_MOST = 65_535

# What Ganeti calls the second disk, and how large it is.
DRIVE_NAME = "configdrive"
DRIVE_MIB = 16

_PIECE = 100_000


@frozen
class File:
    """A file that a guest is given.

    :ivar contents: In base64.
    :ivar mode: Its permissions; Synnefo's injector takes 0440 where none are named.
    """

    path: str
    contents: str = field(repr=False)
    owner: str = "root"
    group: str = "root"
    mode: int = 0o440


@frozen
class Secret:
    """What a guest is told once, when its disk is made."""

    admin_pass: str | None = field(default=None, repr=False)
    files: tuple[File, ...] = field(default=(), repr=False)


@frozen
class Key:
    """A public key that lets its owner in; ``type`` is ``ssh`` or ``x509``."""

    name: str
    type: str
    public_key: str


@frozen
class Address:
    """An address of an interface, and what its subnet has for guests.

    :ivar prefix: The bits of the subnet's part.
    :ivar version: Of IP: 4 or 6.
    """

    address: str
    prefix: int
    gateway: str | None
    dhcp: bool
    version: int
    routes: tuple[Route, ...] = ()
    dns: tuple[str, ...] = ()


@frozen
class Interface:
    """A network interface; ``id`` is its port's."""

    id: UUID
    mac: str
    mtu: int
    network: UUID
    addresses: tuple[Address, ...] = ()


@frozen
class Guest:
    """All that one is told.

    :ivar user_data: In base64.
    :ivar properties: Of its image.
    """

    uuid: UUID
    name: str
    hostname: str
    project: UUID
    metadata: Mapping[str, str] = field(factory=dict)
    keys: tuple[Key, ...] = ()
    user_data: str | None = field(default=None, repr=False)
    secret: Secret = Secret()
    properties: Mapping[str, str] = field(factory=dict)
    interfaces: tuple[Interface, ...] = ()
    zone: str = "nova"


@frozen
class Parameters:
    """OS parameters of a server, besides those that its image has.

    :ivar secret: Ganeti keeps these nowhere, and shows them to nobody.
    """

    public: Mapping[str, str] = field(factory=dict)
    secret: Mapping[str, str] = field(factory=dict, repr=False)


def plain(guest: Guest) -> dict[str, Any]:
    """Return what is no secret of it, for JSON; the user data are for it alone, though."""
    return {
        "version": 1,
        "uuid": str(guest.uuid),
        "name": guest.name,
        "hostname": guest.hostname,
        "project_id": str(guest.project),
        "availability_zone": guest.zone,
        "metadata": dict(guest.metadata),
        "keys": [
            {"name": key.name, "type": key.type, "public_key": key.public_key}
            for key in guest.keys
        ],
        "user_data": guest.user_data,
        "properties": dict(guest.properties),
        "interfaces": [_interface(one) for one in guest.interfaces],
    }


def written(guest: Guest) -> bytes:
    """Return the JSON of all of it."""
    return orjson.dumps(
        {
            **plain(guest),
            "admin_pass": guest.secret.admin_pass,
            "personality": [_file(file) for file in guest.secret.files],
        }
    )


def pieces(json: bytes) -> dict[str, str]:
    """Return the OS parameters that carry it: ``guest``, ``guest_2`` and so on."""
    text = base64.b64encode(zlib.compress(json)).decode("ascii")
    return {
        f"guest_{number}" if number > 1 else "guest": text[start : start + _PIECE]
        for number, start in enumerate(range(0, len(text), _PIECE), 1)
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "path": file.path,
        "contents": file.contents,
        "owner": file.owner,
        "group": file.group,
        "mode": file.mode,
    }


def _interface(interface: Interface) -> dict[str, Any]:
    return {
        "id": str(interface.id),
        "mac": interface.mac,
        "mtu": interface.mtu,
        "network_id": str(interface.network),
        "ips": [_address(address) for address in interface.addresses],
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "address": address.address,
        "prefix": address.prefix,
        "gateway": address.gateway,
        "dhcp": address.dhcp,
        "version": address.version,
        "routes": [
            {"destination": route.destination, "nexthop": str(route.via)}
            for route in address.routes
        ],
        "dns": list(address.dns),
    }
