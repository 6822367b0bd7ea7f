"""What a guest is told: unpacked, and taken for what it must be."""

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

from failure import Failed

_LARGEST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Key:
    """A key pair's public half; ``kind`` is ``ssh`` or ``x509``."""

    name: str
    kind: str
    public: str


@dataclass(frozen=True)
class File:
    """A file to be put into the guest; ``mode`` has its permissions."""

    path: str
    contents: bytes
    owner: str
    group: str
    mode: int


@dataclass(frozen=True)
class Address:
    """An address of an interface; ``routes`` are pairs of destination and next hop."""

    address: str
    prefix: int
    gateway: str
    dhcp: bool
    version: int
    routes: tuple
    dns: tuple


@dataclass(frozen=True)
class Interface:
    """A NIC: the port's id, and its addresses."""

    id: str
    mac: str
    mtu: int
    network_id: str
    addresses: tuple


@dataclass(frozen=True)
class Guest:
    """All of it.  ``properties`` are the image's, with names in lower case."""

    uuid: str
    name: str
    hostname: str
    project_id: str
    availability_zone: str
    metadata: dict
    keys: tuple
    admin_pass: str
    user_data: bytes
    files: tuple
    properties: dict
    interfaces: tuple

    @property
    def is_windows(self):
        """Whether the image says that it is of this family."""
        return self.properties.get("osfamily", "").lower() == "windows"


def unpack(text):
    """
    Return what base64 of zlib of JSON stands for, which is how it comes as parameter.

    :raises Failed: It is not that, or lacks something.
    """
    try:
        packed = base64.b64decode(text, validate=True)
        unpacked = zlib.decompressobj()
        body = unpacked.decompress(packed, _LARGEST_BYTES)
        if not unpacked.eof:
            raise ValueError
    except (binascii.Error, zlib.error, ValueError):
        raise Failed("guest: must be base64 of zlib of JSON") from None
    return parse(body)


def parse(body):
    """
    Return what the JSON says.

    :raises Failed: It is none, or lacks something; nothing of it is quoted.
    """
    try:
        return _guest(json.loads(body))
    except KeyError as problem:
        raise Failed(f"guest: {problem.args[0]} is missing") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Failed("guest: is not what this node understands") from None


def _guest(given):
    if given["version"] != 1:
        raise ValueError
    properties = {key.lower(): str(value) for key, value in given["properties"].items()}
    return Guest(
        uuid=_text(given["uuid"]),
        name=_text(given["name"]),
        hostname=_text(given["hostname"]),
        project_id=_text(given["project_id"]),
        availability_zone=_text(given.get("availability_zone") or ""),
        metadata={str(key): str(value) for key, value in given["metadata"].items()},
        keys=tuple(_key(key) for key in given["keys"]),
        admin_pass=_text(given.get("admin_pass") or ""),
        user_data=_bytes(given.get("user_data") or ""),
        files=tuple(_file(file) for file in given["personality"]),
        properties=properties,
        interfaces=tuple(_interface(nic) for nic in given["interfaces"]),
    )


def _key(given):
    name, kind = _text(given["name"]), _text(given["type"])
    return Key(name, kind, _text(given["public_key"]).strip())


def _file(given):
    mode = given.get("mode", 0o440)
    path = _text(given["path"])
    if not isinstance(mode, int) or not 0 <= mode <= 0o7777 or not path:
        raise ValueError
    return File(
        path="/" + path.lstrip("/"),
        contents=_bytes(given["contents"]),
        owner=_text(given.get("owner") or "root"),
        group=_text(given.get("group") or "root"),
        mode=mode,
    )


def _interface(given):
    return Interface(
        id=_text(given["id"]),
        mac=_text(given["mac"]).lower(),
        mtu=int(given["mtu"]),
        network_id=_text(given["network_id"]),
        addresses=tuple(_address(one) for one in given["ips"]),
    )


def _address(given):
    routes = given.get("routes") or ()
    ip_interface(f"{given['address']}/{given['prefix']}")
    for one in routes:
        ip_network(one["destination"])
        ip_address(one["nexthop"])
    return Address(
        address=_text(given["address"]),
        prefix=int(given["prefix"]),
        gateway=_text(given.get("gateway") or ""),
        dhcp=bool(given["dhcp"]),
        version=int(given["version"]),
        routes=tuple((one["destination"], one["nexthop"]) for one in routes),
        dns=tuple(_text(one) for one in given.get("dns") or ()),
    )


def _text(value):
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    # What is no text in UTF-8 cannot be written either.
    return value.encode("utf-8", "replace").decode("utf-8")


def _bytes(text):
    return base64.b64decode(text, validate=True)
