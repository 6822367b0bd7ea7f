"""``/v2/images``: images as Glance shows them (read only)."""

from typing import Any
from uuid import UUID

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.json import Edge, new_app, route
from snf.core.catalog import Image
from snf.core.errors import NotFound
from snf.storage import images
from snf.storage.database import Transaction

_MISSING = "No image found with ID {}"


@frozen
class Images:
    """``/images``."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/")
    def listing(self, txn: Transaction, call: Call) -> dict:
        """List them, newest first."""
        found = images.listing(
            txn, _project(call), _wanted(call), call.limit(self.page_size)
        )
        answer: dict[str, Any] = {
            "images": [_view(image) for image in found],
            "first": "/v2/images",
            "schema": "/v2/schemas/images",
        }
        if found and len(found) == call.limit(self.page_size):
            answer["next"] = f"/v2/images?{call.page_after(found[-1].id)}"
        return answer

    @route(app, "GET", "/<image>")
    def show(self, txn: Transaction, call: Call, image: str) -> dict:
        """Show one."""
        try:
            return _view(images.get(txn, _project(call), identifier(image, _MISSING)))
        except NotFound:
            raise NotFound(_MISSING.format(image)) from None


def _project(call: Call) -> UUID | None:
    return call.grant.project_id


def _wanted(call: Call) -> images.Wanted:
    return images.Wanted(
        name=call.argument("name"),
        ids=_ids(call.argument("id")),
        status=call.argument("status"),
        visibility=call.argument("visibility"),
        marker=call.marker(),
    )


def _ids(text: str | None) -> list[UUID] | None:
    """Return the ids that a filter names: one, or several as ``in:ID,ID``."""
    if text is None:
        return None
    wanted = []
    for word in text.removeprefix("in:").split(","):
        try:
            wanted.append(identifier(word.strip('"'), ""))
        except NotFound:
            continue  # nothing has such an id
    return wanted


def _view(image: Image) -> dict[str, Any]:
    return {
        **image.properties,
        "id": str(image.id),
        "name": image.name,
        "status": image.status,
        "visibility": image.visibility,
        "owner": image.project and str(image.project),
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk_gib,
        "min_ram": image.min_ram_mib,
        "size": image.size_bytes,
        "virtual_size": None,
        "checksum": None,
        "protected": False,
        "os_hidden": False,
        "os_hash_algo": None,
        "os_hash_value": None,
        "tags": [],
        "created_at": f"{image.created:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{image.updated:%Y-%m-%dT%H:%M:%SZ}",
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
    }
