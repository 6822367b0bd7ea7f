"""Images: which formats and names there are, and what may be done in which state."""

from collections.abc import Mapping
from enum import StrEnum

from snf.core.catalog import Image
from snf.core.errors import BadRequest, Conflict, Forbidden

# What a node can write onto a disk.
DISK_FORMATS = ("raw", "qcow2", "vmdk", "vhd", "vhdx", "iso")
CONTAINER_FORMATS = ("bare",)
VISIBILITIES = ("public", "private", "shared", "community")

# What an image of a user's own is installed by.
OS = "cyclades+default"


class Status(StrEnum):
    """Glance's states of an image."""

    # There is no data yet.
    QUEUED = "queued"
    # It is coming by PUT /file.
    SAVING = "saving"
    # It is coming, or has come, by PUT /stage.
    UPLOADING = "uploading"
    # It is fetched, or made of what was staged.
    IMPORTING = "importing"
    ACTIVE = "active"
    # It is there, and only admins may have it.
    DEACTIVATED = "deactivated"


# In these, nobody knows yet how large the data is.
WITHOUT_DATA = frozenset(
    {Status.QUEUED, Status.SAVING, Status.UPLOADING, Status.IMPORTING}
)

# What every image has, whatever its owner adds (glance/api/v2/images.py).
_BASE = frozenset(
    {
        "name",
        "visibility",
        "protected",
        "os_hidden",
        "container_format",
        "disk_format",
        "min_disk",
        "min_ram",
        "tags",
        "owner",
    }
)
_READ_ONLY = frozenset(
    {
        "id",
        "status",
        "size",
        "virtual_size",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "created_at",
        "updated_at",
        "self",
        "file",
        "schema",
        "direct_url",
        "stores",
        "locations",
    }
)
_RESERVED = frozenset({"deleted", "deleted_at", "location", "backend", "store"})
_RESERVED_PREFIX = "os_glance_"

PROPERTIES_AT_MOST = 128
# Of all names and values of an image's properties: lists hold a thousand images.
PROPERTY_CHARACTERS_AT_MOST = 32_768
TAGS_AT_MOST = 128


def is_base(name: str) -> bool:
    """Whether a name is of what every image has and its owner may set."""
    return name in _BASE


def check_name(name: str) -> None:
    """
    Return if an owner may set what has a name.

    :raises Forbidden: It follows from the data, or is Glance's.
    :raises BadRequest: It is no name that a property can have.
    """
    if name in _READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name in _RESERVED or name.startswith(_RESERVED_PREFIX):
        raise Forbidden(f"Attribute '{name}' is reserved.")
    if not name or len(name) > 255 or not name.isprintable() or "/" in name:
        raise BadRequest(
            f"{name}: the name of a property must have 1 to 255 printable characters, "
            "without a slash"
        )


def without_base(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that do not pass for what every image has."""
    return {
        name: value
        for name, value in properties.items()
        if name not in _BASE and name not in _READ_ONLY
    }


def begin_upload(image: Image, status: Status) -> None:
    """
    Return if data may begin to come, for which the image gets a status.

    :raises Conflict: It has some, or some is on its way.
    :raises BadRequest: It is not said in which format it will be.
    """
    if image.status != Status.QUEUED:
        raise Conflict(
            f"Image status transition from {image.status} to {status.value} is not "
            "allowed"
        )
    lacking = [
        name
        for name, value in (
            ("disk_format", image.disk_format),
            ("container_format", image.container_format),
        )
        if value is None
    ]
    if lacking:
        raise BadRequest(
            f"Properties {', '.join(lacking)} must be set prior to saving data."
        )


def deactivated(image: Image) -> str:
    """
    Return the status of an image that is deactivated.

    :raises Forbidden: It has no data that could be had.
    """
    if image.status not in (Status.ACTIVE, Status.DEACTIVATED):
        raise Forbidden(
            f"Image status transition from {image.status} to deactivated is not allowed"
        )
    return Status.DEACTIVATED.value


def reactivated(image: Image) -> str:
    """
    Return the status of an image that is reactivated.

    :raises Forbidden: It was not deactivated.
    """
    if image.status not in (Status.ACTIVE, Status.DEACTIVATED):
        raise Forbidden(
            f"Image status transition from {image.status} to active is not allowed"
        )
    return Status.ACTIVE.value


def check_removable(image: Image) -> None:
    """
    Return if an image may be deleted.

    :raises Forbidden: It is protected.
    """
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected and cannot be deleted.")
