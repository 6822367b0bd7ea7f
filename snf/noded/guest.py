"""What a guest is told, as the API has written it: taken for what it must be."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import field, frozen


class Key(msgspec.Struct):
    """A key pair's public half; ``type`` is ``ssh`` or ``x509``."""

    name: str
    type: str
    public_key: str


class Route(msgspec.Struct):
    """A way to a network."""

    destination: str
    nexthop: str


class Address(msgspec.Struct):
    """An address of a NIC, and what its subnet has for guests."""

    address: str
    prefix: int
    gateway: str | None
    dhcp: bool
    version: int
    routes: Sequence[Route]
    dns: Sequence[str]


class Interface(msgspec.Struct):
    """A NIC; ``id`` is its port's."""

    id: str
    mac: str
    mtu: int
    network_id: str
    ips: Sequence[Address]


class Guest(msgspec.Struct):
    """
    All of it (``snf.core.guest_metadata.written``).

    ``user_data`` is in base64, ``password`` as the guest has encrypted it.
    """

    uuid: str
    name: str
    hostname: str
    project_id: str
    availability_zone: str
    metadata: Mapping[str, str]
    keys: Sequence[Key]
    user_data: str | None
    interfaces: Sequence[Interface]
    password: str
    image_id: str | None
    flavor: str
    launch_index: int
    reservation_id: str
    security_groups: Sequence[str]
    floating_ips: Sequence[str]

    def __repr__(self) -> str:
        return f"Guest({self.uuid})"

    @property
    def ssh_keys(self) -> list[Key]:
        """Those of its keys that SSH takes."""
        return [key for key in self.keys if key.type == "ssh"]

    @property
    def raw_user_data(self) -> bytes:
        """Its user data as it is to get them; none are b""."""
        return base64.b64decode(self.user_data or "")

    def address(self, version: int) -> str:
        """Return its first address of a version of IP; "" where it has none."""
        for interface in self.interfaces:
            for one in interface.ips:
                if one.version == version:
                    return one.address
        return ""


@frozen
class Known:
    """A guest, and what this node has made up for it."""

    guest: Guest
    seed: bytes = field(repr=False)


def parsed(body: bytes) -> Guest:
    """
    Return what the API has written.

    :raises ValueError: It is something else; nothing of it is quoted.
    """
    try:
        found: Any = msgspec.json.decode(body, type=Guest)
        _ = found.raw_user_data
    except (msgspec.MsgspecError, ValueError):
        raise ValueError("the API's answer makes no sense") from None
    return found
