"""``/servers/{id}/tags``: words by which owners find their servers."""

import re
from typing import Annotated
from urllib.parse import quote

import msgspec
from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.compute import locks
from snf.api.compute.owned import locate
from snf.api.compute.versions import TAGS
from snf.api.json import Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import BadRequest, NotFound
from snf.core.identity import Role
from snf.storage import tags
from snf.storage.database import Transaction

# nova/api/openstack/compute/schemas/server_tags.py; a comma parts tags in filters.
_PATTERN = r"^[^,/\x00-\x1f\x7f]+\Z"
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=_PATTERN)]
TagList = Annotated[list[Tag], msgspec.Meta(max_length=tags.AT_MOST)]


class TagsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that sets all."""

    tags: TagList


@frozen
class Tags:
    """``/servers/{id}/tags``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/tags", since=TAGS)
    def listing(self, txn: Transaction, call: Call, server: str) -> dict:
        """List the tags of one."""
        number, _ = locate(txn, call, server)
        return {"tags": tags.of(txn, number)}

    @route(app, "PUT", "/<server>/tags", role=Role.MEMBER, body=TagsBody, since=TAGS)
    def replace(self, txn: Transaction, call: Call, server: str) -> dict:
        """Give one these tags, and no others."""
        number, uuid = locate(txn, call, server)
        locks.check(txn, call, uuid, heeds_lock=False)
        tags.replace(txn, number, call.body.tags)
        note(txn, call, "server tags", uuid)
        return {"tags": tags.of(txn, number)}

    @route(app, "DELETE", "/<server>/tags", role=Role.MEMBER, code=204, since=TAGS)
    def clear(self, txn: Transaction, call: Call, server: str) -> None:
        """Remove all tags of one."""
        number, uuid = locate(txn, call, server)
        locks.check(txn, call, uuid, heeds_lock=False)
        tags.replace(txn, number, [])
        note(txn, call, "server tags", uuid)

    @route(app, "GET", "/<server>/tags/<tag>", code=204, since=TAGS)
    def show(self, txn: Transaction, call: Call, server: str, tag: str) -> None:
        """Tell whether one has a tag."""
        number, _ = locate(txn, call, server)
        if not _FITS.fullmatch(tag) or not tags.has(txn, number, tag):
            raise NotFound(f"Server {server} has no tag '{tag}'")

    @route(app, "PUT", "/<server>/tags/<tag>", role=Role.MEMBER, code=201, since=TAGS)
    def add(self, txn: Transaction, call: Call, server: str, tag: str) -> Answer:
        """Give one a tag; 204 if it has it already."""
        if not _FITS.fullmatch(tag):
            raise BadRequest("tag: must have 1 to 60 characters, without a comma")
        number, uuid = locate(txn, call, server)
        locks.check(txn, call, uuid, heeds_lock=False)
        if tags.has(txn, number, tag):
            return Answer(code=204)
        tags.add(txn, number, [tag])
        note(txn, call, "server tags", uuid)
        place = f"{call.base}/servers/{uuid}/tags/{quote(tag, safe='')}"
        return Answer(headers={"Location": place})

    @route(
        app, "DELETE", "/<server>/tags/<tag>", role=Role.MEMBER, code=204, since=TAGS
    )
    def remove(self, txn: Transaction, call: Call, server: str, tag: str) -> None:
        """Remove a tag of one."""
        number, uuid = locate(txn, call, server)
        locks.check(txn, call, uuid, heeds_lock=False)
        if not _FITS.fullmatch(tag):
            raise NotFound("Tag was not found")
        tags.remove(txn, number, tag)
        note(txn, call, "server tags", uuid)


_FITS = re.compile(r"[^,/\x00-\x1f\x7f]{1,60}")
