"""``/images/{id}/metadata`` of the compute API: the properties of images, by key."""

from collections.abc import Mapping

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute.metadata import PairBody, PairsBody
from snf.api.compute.versions import BEFORE_IMAGE_METADATA_WENT
from snf.api.image import bodies
from snf.api.image.owned import find, own
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.catalog import Image
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.identity import Role
from snf.core.image import is_base, without_base
from snf.storage import images
from snf.storage.database import Transaction

Json = dict[str, dict[str, str]]


@frozen
class ImageMetadata:
    """``/images/{id}/metadata``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<image>/metadata", until=BEFORE_IMAGE_METADATA_WENT)
    def listing(self, txn: Transaction, call: Call, image: str) -> Json:
        """List the properties of one."""
        return {"metadata": without_base(find(txn, call, image).properties)}

    @route(
        app,
        "POST",
        "/<image>/metadata",
        role=Role.MEMBER,
        body=PairsBody,
        until=BEFORE_IMAGE_METADATA_WENT,
    )
    def merge(self, txn: Transaction, call: Call, image: str) -> Json:
        """Set some properties of one, and leave others as they are."""
        return _merge(txn, call, image)

    @route(
        app,
        "PUT",
        "/<image>/metadata",
        role=Role.MEMBER,
        body=PairsBody,
        until=BEFORE_IMAGE_METADATA_WENT,
    )
    def replace(self, txn: Transaction, call: Call, image: str) -> Json:
        """Give one these properties, and no others."""
        found = own(txn, call, image, "modify")
        return _set(txn, call, evolve(found, properties={}), call.body.metadata)

    @route(app, "GET", "/<image>/metadata/<key>", until=BEFORE_IMAGE_METADATA_WENT)
    def show(self, txn: Transaction, call: Call, image: str, key: str) -> Json:
        """Show one property of one."""
        return _show(txn, call, image, key)

    @route(
        app,
        "PUT",
        "/<image>/metadata/<key>",
        role=Role.MEMBER,
        body=PairBody,
        until=BEFORE_IMAGE_METADATA_WENT,
    )
    def put(self, txn: Transaction, call: Call, image: str, key: str) -> Json:
        """Set one property of one."""
        return _put(txn, call, image, key)

    @route(
        app,
        "DELETE",
        "/<image>/metadata/<key>",
        role=Role.MEMBER,
        code=204,
        until=BEFORE_IMAGE_METADATA_WENT,
    )
    def remove(self, txn: Transaction, call: Call, image: str, key: str) -> None:
        """Remove one property of one."""
        _remove(txn, call, image, key)


@frozen
class ImageMeta:
    """``/images/{id}/meta``: the same as Synnefo's clients ask for it."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<image>/meta")
    def listing(self, txn: Transaction, call: Call, image: str) -> Json:
        """List the properties of one."""
        return {"metadata": without_base(find(txn, call, image).properties)}

    @route(app, "POST", "/<image>/meta", role=Role.MEMBER, body=PairsBody, code=201)
    def merge(self, txn: Transaction, call: Call, image: str) -> Json:
        """Set some properties of one, and leave others as they are."""
        return _merge(txn, call, image)

    @route(app, "GET", "/<image>/meta/<key>")
    def show(self, txn: Transaction, call: Call, image: str, key: str) -> Json:
        """Show one property of one."""
        return _show(txn, call, image, key)

    @route(app, "PUT", "/<image>/meta/<key>", role=Role.MEMBER, body=PairBody, code=201)
    def put(self, txn: Transaction, call: Call, image: str, key: str) -> Json:
        """Set one property of one."""
        return _put(txn, call, image, key)

    @route(app, "DELETE", "/<image>/meta/<key>", role=Role.MEMBER, code=204)
    def remove(self, txn: Transaction, call: Call, image: str, key: str) -> None:
        """Remove one property of one."""
        _remove(txn, call, image, key)


def _merge(txn: Transaction, call: Call, image: str) -> Json:
    found = own(txn, call, image, "modify")
    return _set(txn, call, found, call.body.metadata)


def _show(txn: Transaction, call: Call, image: str, key: str) -> Json:
    known = without_base(find(txn, call, image).properties)
    if key not in known:
        raise NotFound("Metadata item was not found")
    return {"meta": {key: known[key]}}


def _put(txn: Transaction, call: Call, image: str, key: str) -> Json:
    if key not in call.body.meta:
        raise BadRequest("meta: Request body and URI mismatch")
    found = own(txn, call, image, "modify")
    _set(txn, call, found, call.body.meta)
    return {"meta": call.body.meta}


def _remove(txn: Transaction, call: Call, image: str, key: str) -> None:
    found = own(txn, call, image, "modify")
    if key not in found.properties:
        raise NotFound("Metadata item was not found")
    left = {name: value for name, value in found.properties.items() if name != key}
    _store(txn, call, evolve(found, properties=left))


def _set(txn: Transaction, call: Call, image: Image, wanted: Mapping[str, str]) -> Json:
    for name, value in wanted.items():
        if is_base(name):
            raise Forbidden(f"Attribute '{name}' is reserved.")
        image = bodies.with_value(call, image, name, value)
    bodies.check_counts(image)
    _store(txn, call, image)
    return {"metadata": without_base(image.properties)}


def _store(txn: Transaction, call: Call, image: Image) -> None:
    images.change(txn, evolve(image, updated=call.now))
    note(txn, call, "image update", image.id)
