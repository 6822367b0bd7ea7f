"""``/v2/images``: images as Glance shows, makes and changes them."""

from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.image import bodies, filters, view
from snf.api.image.bodies import Change, Changes, NewImage
from snf.api.image.owned import find, own, remove
from snf.api.json import Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.core.catalog import Image
from snf.core.errors import BadRequest, Conflict, Forbidden
from snf.core.identity import Role
from snf.core.image import (
    OS,
    Status,
    check_name,
    deactivated,
    is_base,
    reactivated,
)
from snf.core.quota import Resource
from snf.storage import image_lists, images, quotas, users
from snf.storage.database import Transaction

# What a JSON patch is sent as (glance/api/v2/images.py).
PATCH = "application/openstack-images-v2.1-json-patch"


@frozen
class Images:
    """``/images``.

    :ivar methods: By which images can be imported.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    page_size: int
    methods: tuple[str, ...]

    @route(app, "GET", "/")
    def listing(self, txn: Transaction, call: Call) -> dict:
        """List them, newest first unless told."""
        size = call.limit(self.page_size)
        try:
            found = image_lists.listing(txn, filters.wanted(call), size)
        except filters.Nothing:
            found = []
        answer: dict[str, Any] = {
            "images": [view.image(image) for image in found],
            "first": filters.first_page(call),
            "schema": "/v2/schemas/images",
        }
        if found and len(found) == size:
            answer["next"] = f"/v2/images?{call.page_after(found[-1].id)}"
        return answer

    @route(app, "POST", "/", role=Role.MEMBER, body=NewImage, code=201)
    def create(self, txn: Transaction, call: Call) -> Answer:
        """Make one, whose data is still to come."""
        given = dict(call.body)
        made = Image(
            id=bodies.image_id(given.pop("id", str(uuid4()))),
            name="",
            os=OS,
            created=call.now,
            updated=call.now,
            project=call.project.id,
            status=Status.QUEUED.value,
            visibility="shared",
            disk_format=None,
            container_format=None,
        )
        for name, value in given.items():
            made = bodies.with_value(call, made, name, value)
        _check_owner(txn, made)
        bodies.check_counts(made)
        images.add(txn, made)
        note(txn, call, "image create", made.id)
        return Answer(
            view.image(made),
            headers={
                "Location": f"{call.base}/v2/images/{made.id}",
                "OpenStack-image-import-methods": ",".join(self.methods),
            },
        )

    @route(app, "GET", "/<image>")
    def show(self, txn: Transaction, call: Call, image: str) -> dict:
        """Show one."""
        return view.image(find(txn, call, image))

    @route(app, "PATCH", "/<image>", role=Role.MEMBER, body=Changes, content_type=PATCH)
    def update(self, txn: Transaction, call: Call, image: str) -> dict:
        """Change one, by a JSON patch."""
        found = own(txn, call, image, "modify")
        changed = found
        for one in call.body:
            changed = _changed(call, changed, one)
        if changed != found:
            if changed.project != found.project:
                _check_owner(txn, changed)
                _count_anew(txn, found, changed)
            bodies.check_counts(changed)
            changed = evolve(changed, updated=call.now)
            images.change(txn, changed)
            note(txn, call, "image update", changed.id)
        return view.image(changed)

    @route(app, "DELETE", "/<image>", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, image: str) -> None:
        """Delete one; servers that were made from it go on."""
        remove(txn, call, image)


@frozen
class Actions:
    """``/images/{id}/actions``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "POST", "/<image>/actions/deactivate", role=Role.MEMBER, code=204)
    def deactivate(self, txn: Transaction, call: Call, image: str) -> None:
        """Let nobody but admins have the data of one."""
        found = own(txn, call, image, "deactivate")
        _set_status(txn, call, found, deactivated(found))

    @route(app, "POST", "/<image>/actions/reactivate", role=Role.MEMBER, code=204)
    def reactivate(self, txn: Transaction, call: Call, image: str) -> None:
        """Let all who see one have its data again."""
        found = own(txn, call, image, "reactivate")
        _set_status(txn, call, found, reactivated(found))


def _set_status(txn: Transaction, call: Call, image: Image, status: str) -> None:
    if image.status != status:
        images.change(txn, evolve(image, status=status, updated=call.now))
        note(txn, call, f"image {status}", image.id)


def _changed(call: Call, image: Image, change: Change) -> Image:
    """Return an image to which one operation of a patch has been done."""
    name = unquote(change.path[1:]).replace("~1", "/").replace("~0", "~")
    if change.op == "remove":
        return _without(image, name)
    try:
        check_name(name)
    except BadRequest as refusal:
        raise BadRequest(f"path: {refusal}") from None
    if change.op == "replace" and not is_base(name) and name not in image.properties:
        raise Conflict(f"Property {name} does not exist.")
    try:
        return bodies.with_value(call, image, name, change.value)
    except BadRequest as refusal:
        raise BadRequest(f"value: {refusal}") from None


def _without(image: Image, name: str) -> Image:
    check_name(name)
    if is_base(name):
        raise Forbidden(f"Property {name} may not be removed.")
    if name not in image.properties:
        raise Conflict(f"Property {name} does not exist.")
    left = {key: value for key, value in image.properties.items() if key != name}
    return evolve(image, properties=left)


def _check_owner(txn: Transaction, image: Image) -> None:
    if image.project is None or users.project(txn, image.project, None) is None:
        raise BadRequest(f"owner: there is no project {image.project}")


def _count_anew(txn: Transaction, before: Image, after: Image) -> None:
    """Have the bytes of an image count for its new owner, however many it may have."""
    if before.sha256 is None:
        return
    # In the order in which everybody does.
    for project in sorted({before.project, after.project} - {None}, key=str):
        amount = after.size_bytes if project == after.project else -before.size_bytes
        if project is not None:
            quotas.count_in(txn, project, {Resource.IMAGE_BYTES: amount})
