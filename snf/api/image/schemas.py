"""``/schemas``: which fields things have, as JSON schemas; glanceclient asks for them."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.core.errors import NotFound
from snf.storage.database import Transaction

Json = dict[str, Any]


def _field(kind: str, says: str, nullable: bool = False, **more: Any) -> Json:
    return {
        "description": says,
        "type": ["null", kind] if nullable else kind,
        **more,
    }


def _text(says: str, nullable: bool = False, **more: Any) -> Json:
    return _field("string", says, nullable, **more)


def _told(kind: str, says: str, nullable: bool = False, **more: Any) -> Json:
    """Return a field that no client sets in Glance either."""
    return _field(kind, says, nullable, readOnly=True, **more)


_CONTAINERS = [None, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
_DISKS = [None, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi"]
_DISKS += ["iso", "ploop"]
_STATUSES = ["queued", "saving", "active", "killed", "deleted", "uploading"]
_STATUSES += ["importing", "pending_delete", "deactivated"]
_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

_FIELDS: Mapping[str, Json] = {
    "id": _text("The image's id", pattern=_UUID),
    "name": _text("What people call it", nullable=True, maxLength=255),
    "status": _told("string", "Whether it can be used: if active", enum=_STATUSES),
    "visibility": _text(
        "Who sees it", enum=["community", "public", "private", "shared"]
    ),
    "protected": _field("boolean", "Whether it cannot be deleted"),
    "os_hidden": _field("boolean", "Whether lists leave it out"),
    "checksum": _told("string", "MD5 of its data", nullable=True, maxLength=32),
    "os_hash_algo": _told("string", "Of os_hash_value", nullable=True, maxLength=64),
    "os_hash_value": _told("string", "Hash of its data", nullable=True, maxLength=128),
    "owner": _text("The id of its project", nullable=True, maxLength=255),
    "size": _told("integer", "Of its data, in bytes", nullable=True),
    "virtual_size": _told("integer", "Of the disk in it, in bytes", nullable=True),
    "container_format": _text("What its disk is in", nullable=True, enum=_CONTAINERS),
    "disk_format": _text("What its disk is like", nullable=True, enum=_DISKS),
    "created_at": _told("string", "When it was made"),
    "updated_at": _told("string", "When it was changed last"),
    "tags": _field("array", "Its tags", items={"type": "string", "maxLength": 255}),
    "min_ram": _field("integer", "The memory that a server needs to boot it, in MiB"),
    "min_disk": _field("integer", "The disk that a server needs to boot it, in GiB"),
    "self": _told("string", "Its URL"),
    "file": _told("string", "The URL of its data"),
    "schema": _told("string", "The URL of this schema"),
    "stores": _told("string", "Where its data is, if it has any"),
}

_IMAGE: Json = {
    "name": "image",
    "properties": _FIELDS,
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}

_IMAGES: Json = {
    "name": "images",
    "properties": {
        "images": {"type": "array", "items": _IMAGE},
        "first": {"type": "string"},
        "next": {"type": "string"},
        "schema": {"type": "string"},
    },
    "links": [
        {"rel": "first", "href": "{first}"},
        {"rel": "next", "href": "{next}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}

_MEMBER: Json = {
    "name": "member",
    "properties": {
        "created_at": _told("string", "When it was shared"),
        "image_id": _told("string", "The id of the image", pattern=_UUID),
        "member_id": _text("The id of the project"),
        "schema": _told("string", "The URL of this schema"),
        "status": _text("What it thinks", enum=["pending", "accepted", "rejected"]),
        "updated_at": _told("string", "When it was changed last"),
    },
}

_MEMBERS: Json = {
    "name": "members",
    "properties": {
        "members": {"type": "array", "items": _MEMBER},
        "schema": {"type": "string"},
    },
    "links": [{"rel": "describedby", "href": "{schema}"}],
}

_SCHEMAS = {
    "image": _IMAGE,
    "images": _IMAGES,
    "member": _MEMBER,
    "members": _MEMBERS,
}


@frozen
class Schemas:
    """``/schemas``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/<schema>", scoped=False)
    def show(self, txn: Transaction, call: Call, schema: str) -> Json:
        """Show which fields an image, a member or a list of them has."""
        if schema not in _SCHEMAS:
            raise NotFound(f"There is no such schema: {schema}")
        return _SCHEMAS[schema]
