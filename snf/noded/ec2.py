"""``/latest`` and the dated versions: Amazon's names (nova/api/metadata/base.py)."""

from typing import Any

from snf.noded.guest import Guest

VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "latest",
)
"""Nova's, which all have the same here."""


def tree(guest: Guest) -> dict[str, Any]:
    """Return all of it by its names; a directory is one, too."""
    one: dict[str, Any] = {"meta-data": _meta_data(guest)}
    if guest.user_data:
        one["user-data"] = guest.raw_user_data
    return dict.fromkeys(VERSIONS, one)


def _meta_data(guest: Guest) -> dict[str, Any]:
    floating = guest.floating_ips[0] if guest.floating_ips else ""
    image = (guest.image_id or "0" * 8).partition("-")[0]
    found: dict[str, Any] = {
        "ami-id": f"ami-{image}",
        "ami-launch-index": str(guest.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": "vda", "root": "/dev/vda"},
        "hostname": guest.hostname,
        "instance-action": "none",
        "instance-id": guest.uuid,
        "instance-type": guest.flavor,
        "local-hostname": guest.hostname,
        "local-ipv4": guest.address(4),
        "placement": {"availability-zone": guest.availability_zone},
        "public-hostname": guest.hostname,
        "public-ipv4": floating,
        "reservation-id": guest.reservation_id,
        "security-groups": "\n".join(guest.security_groups),
    }
    if guest.interfaces:
        found["mac"] = guest.interfaces[0].mac
    if guest.ssh_keys:
        found["public-keys"] = Keys(
            {
                str(at): {"openssh-key": key.public_key}
                for at, key in enumerate(guest.ssh_keys)
            },
            names=[f"{at}={key.name}" for at, key in enumerate(guest.ssh_keys)],
        )
    return found


class Keys(dict[str, Any]):
    """The one directory whose listing says more than the names of what is in it."""

    def __init__(self, entries: dict[str, Any], names: list[str]) -> None:
        super().__init__(entries)
        self.names = names
