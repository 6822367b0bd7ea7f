"""Images as Glance shows them."""

from typing import Any

from snf.core.catalog import Image
from snf.core.image import WITHOUT_DATA, without_base
from snf.storage.image_members import Member
from snf.storage.uploads import Upload

Json = dict[str, Any]

_STORE = "files"


def image(one: Image) -> Json:
    """Return an image with everything, its properties beside the rest."""
    shown = {
        **without_base(one.properties),
        "id": str(one.id),
        "name": one.name or None,
        "status": one.status,
        "visibility": one.visibility,
        "owner": one.project and str(one.project),
        "disk_format": one.disk_format,
        "container_format": one.container_format,
        "min_disk": one.min_disk_gib,
        "min_ram": one.min_ram_mib,
        "size": None if one.status in WITHOUT_DATA else one.size_bytes,
        "virtual_size": one.virtual_size_bytes,
        "checksum": one.checksum,
        "protected": one.protected,
        "os_hidden": one.hidden,
        "os_hash_algo": one.hash_algo,
        "os_hash_value": one.hash_value,
        "tags": list(one.tags),
        "created_at": _time(one.created),
        "updated_at": _time(one.updated),
        "self": f"/v2/images/{one.id}",
        "file": f"/v2/images/{one.id}/file",
        "schema": "/v2/schemas/image",
    }
    if one.sha256 is not None:
        shown["stores"] = _STORE
    return shown


def member(one: Member) -> Json:
    """Return a project with which an image is shared."""
    return {
        "image_id": str(one.image),
        "member_id": str(one.project),
        "status": one.status,
        "created_at": _time(one.created),
        "updated_at": _time(one.updated),
        "schema": "/v2/schemas/member",
    }


# What Glance calls the states of a task.
_STATUSES = {"running": "processing", "staged": "pending"}


def task(one: Upload) -> Json:
    """Return an import as what Glance calls a task."""
    return {
        "id": str(one.id),
        "type": "api_image_import",
        "status": _STATUSES.get(one.state, one.state),
        "image_id": str(one.image),
        "request_id": one.request_id,
        "user_id": one.user and str(one.user),
        "message": one.message or _progress(one),
        "input": {
            "image_id": str(one.image),
            "import_req": {"method": {"name": one.method}},
        },
        "result": {"image_id": str(one.image)} if one.state == "success" else None,
        "created_at": _time(one.created),
        "updated_at": _time(one.updated),
        "expires_at": None,
        "schema": "/v2/schemas/task",
    }


def _progress(one: Upload) -> str:
    if one.state != "running":
        return ""
    if not one.total:
        return f"{one.received} bytes"
    percent = min(100 * one.received // one.total, 100)
    return f"{percent} %: {one.received} of {one.total} bytes"


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


STORES = {
    "stores": [
        {
            "id": _STORE,
            "description": "Files, by what is in them",
            "default": "true",
        }
    ]
}
