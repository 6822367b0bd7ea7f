"""What clients send about servers, checked."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from snf.api.call import Call
from snf.api.compute import versions
from snf.api.compute.guests import AdminPass, KeyName, Personality, UserData
from snf.api.compute.tags import TagList
from snf.core.errors import BadRequest
from snf.core.firewall import GROUPS_AT_MOST
from snf.core.port import NICS_AT_MOST

# A NUL cannot be stored; the other control characters have no place in a name.  (\Z,
# since $ would let a newline pass at the end.)
_PRINTABLE = r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f]+\Z"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_PRINTABLE)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_PRINTABLE)]
Value = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*\Z")]
# More at once would hold up others, who wait for the same rows.
_Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
Description = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*\Z")]
# Letters, digits and inner hyphens (RFC 1123); with dots only where a version allows.
Hostname = Annotated[
    str,
    msgspec.Meta(
        max_length=255,
        pattern=r"^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\Z",
    ),
]

_Empty = Literal["", None]

# nova/api/validation/parameter_types.py, tag
Label = Annotated[
    str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[^,/\x00]*\Z")
]


class NetworkRef(msgspec.Struct, forbid_unknown_fields=True):
    """A network that a server is to be on, or a port that it is to have."""

    uuid: str | None = None
    port: str | None = None
    fixed_ip: str | None = None
    tag: Label | msgspec.UnsetType = msgspec.UNSET


class SecurityGroupRef(msgspec.Struct, forbid_unknown_fields=True):
    """A security group that a server's ports are to be in, by its name or id."""

    name: Name


class BlockDevice(msgspec.Struct, forbid_unknown_fields=True):
    """The one block device that there is: a local disk made from the image."""

    uuid: str
    boot_index: Literal[0, "0"] = 0
    source_type: Literal["image"] = "image"
    destination_type: Literal["local"] = "local"
    delete_on_termination: Literal[True] = True


class NewServer(msgspec.Struct, forbid_unknown_fields=True):
    """``server`` in ``POST /servers``.

    What is not offered may only be given as clients give "nothing of it".
    """

    name: Name
    flavorRef: str
    imageRef: str = ""
    metadata: Annotated[dict[Key, Value], msgspec.Meta(max_length=128)] = {}
    networks: (
        Annotated[list[NetworkRef], msgspec.Meta(max_length=NICS_AT_MOST)]
        | Literal["auto", "none"]
        | None
    ) = None
    block_device_mapping_v2: Annotated[
        list[BlockDevice], msgspec.Meta(max_length=1)
    ] = []
    security_groups: Annotated[
        list[SecurityGroupRef], msgspec.Meta(max_length=GROUPS_AT_MOST)
    ] = []
    min_count: _Count | None = None
    max_count: _Count | None = None
    return_reservation_id: bool = False
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    hostname: Hostname | msgspec.UnsetType = msgspec.UNSET
    tags: TagList | msgspec.UnsetType = msgspec.UNSET
    trusted_image_certificates: msgspec.UnsetType | None = msgspec.UNSET
    config_drive: Literal[True, False, "true", "false", "True", "False", "", None] = (
        None
    )
    key_name: KeyName | None = None
    user_data: UserData | None = None
    personality: Personality | msgspec.UnsetType = msgspec.UNSET
    adminPass: AdminPass | None = None
    availability_zone: Literal["nova", "", None] = None
    accessIPv4: _Empty = None
    accessIPv6: _Empty = None
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(
        name="OS-DCF:diskConfig", default="MANUAL"
    )

    def __repr__(self) -> str:
        # Of what is in it, much is a secret.
        return "NewServer(...)"

    @property
    def tells(self) -> bool:
        """Whether the guest is to be told something, which takes a disk of its own."""
        asked = (self.key_name, self.user_data, self.adminPass)
        files = self.personality is not msgspec.UNSET and len(self.personality) > 0
        drive = self.config_drive in (True, "true", "True")
        return drive or files or any(asked)

    @property
    def without_drive(self) -> bool:
        """Whether there is to be no such disk: the guest asks the metadata service."""
        return self.config_drive in (False, "false", "False")


class Hints(msgspec.Struct, forbid_unknown_fields=True):
    """Where a new server is to be: the one hint that there is."""

    group: str | None = None


class CreateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /servers``; the hints have two names, as in Nova."""

    server: NewServer
    hints: Hints = msgspec.field(name="os:scheduler_hints", default_factory=Hints)
    old_hints: Hints = msgspec.field(
        name="OS-SCH-HNT:scheduler_hints", default_factory=Hints
    )

    @property
    def group(self) -> str | None:
        """The id of the server group that is hinted at."""
        return self.hints.group or self.old_hints.group


# The fields that not all versions have.
YOUNG: Mapping[str, versions.Version] = {
    "description": versions.DESCRIPTION,
    "tags": versions.TAGS_AT_CREATION,
    "trusted_image_certificates": versions.CERTIFICATES,
    "hostname": versions.HOSTNAME,
}


def check(call: Call, wanted: NewServer) -> None:
    """
    Return if what is wanted of a new server fits the version that it is wanted in.

    :raises BadRequest: It does not.
    """
    versions.check_fields(call.version, wanted, YOUNG)
    check_hostname(call, wanted.hostname)
    if wanted.networks is None and call.since(versions.NETWORKS_NEEDED):
        raise BadRequest("server.networks: 'networks' is a required property")
    for one in wanted.networks if isinstance(wanted.networks, list) else ():
        if one.tag is not msgspec.UNSET and not versions.nic_tags(call.version):
            raise BadRequest(
                "server.networks: Additional properties are not allowed ('tag' was "
                "unexpected)"
            )
    several = max(wanted.min_count or 1, wanted.max_count or 1) > 1
    if several and isinstance(wanted.networks, list):
        _check_several(wanted.networks)


def _check_several(wired: list[NetworkRef]) -> None:
    """
    Return if several servers can be on networks (nova/compute/api.py).

    :raises BadRequest: What they are to have there only one of them can have.
    """
    if any(one.port for one in wired):
        raise BadRequest(
            "Unable to launch multiple instances with a single configured port ID. "
            "Please launch your instance one by one with different ports."
        )
    if any(one.fixed_ip for one in wired):
        raise BadRequest(
            "Invalid fixed IP address: max_count must be 1 if a fixed_ip is specified"
        )


def check_hostname(call: Call, hostname: str | msgspec.UnsetType) -> None:
    """
    Return if a hostname fits the version that it is wanted in.

    :raises BadRequest: It has a domain, which younger versions allow.
    """
    dotted = isinstance(hostname, str) and "." in hostname
    if dotted and not call.since(versions.HOSTNAME_WITH_DOTS):
        raise BadRequest("server.hostname: must have no dots")
