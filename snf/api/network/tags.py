"""``/v2.0/{collection}/{id}/tags``: words by which owners find their things."""

import re
from typing import Any
from urllib.parse import quote

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.api.json import Answer, Edge, new_app, route
from snf.api.network.bodies import TagList
from snf.api.network.collection import Collection, Json
from snf.api.policy import Reach
from snf.core.errors import NotFound
from snf.core.identity import Role
from snf.core.subnet import InvalidInput
from snf.storage import tagged
from snf.storage.database import Transaction

_FITS = re.compile(r"[^,\x00-\x1f\x7f]{1,60}")


class TagNotFound(NotFound):
    """Named as Neutron names it."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"Tag {tag} could not be found.")


class TagsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that sets all."""

    tags: TagList


@frozen
class Tags:
    """The tags of the things of one collection.

    :ivar table: Where the things are, each with its tags.
    """

    app = new_app()
    reach = Reach.WIDE

    edge: Edge
    things: Collection[Any]
    table: str

    @route(app, "GET", "/<item>/tags")
    def list(self, txn: Transaction, call: Call, item: str) -> Json:
        """List the tags of one."""
        return {"tags": sorted(self.things.find(txn, call, item).tags)}

    @route(app, "PUT", "/<item>/tags", role=Role.MEMBER, body=TagsBody)
    def replace(self, txn: Transaction, call: Call, item: str) -> Json:
        """Give one these tags, and no others."""
        thing = self.things.own(txn, call, item, "update")
        return {"tags": tagged.replace(txn, self.table, thing.id, call.body.tags)}

    @route(app, "DELETE", "/<item>/tags", role=Role.MEMBER, code=204)
    def clear(self, txn: Transaction, call: Call, item: str) -> None:
        """Remove all tags of one."""
        thing = self.things.own(txn, call, item, "update")
        tagged.replace(txn, self.table, thing.id, [])

    @route(app, "GET", "/<item>/tags/<tag>", code=204)
    def show(self, txn: Transaction, call: Call, item: str, tag: str) -> None:
        """Tell whether one has a tag."""
        if tag not in self.things.find(txn, call, item).tags:
            raise TagNotFound(tag)

    @route(app, "PUT", "/<item>/tags/<tag>", role=Role.MEMBER, code=201)
    def add(self, txn: Transaction, call: Call, item: str, tag: str) -> Answer:
        """Give one a tag."""
        thing = self.things.own(txn, call, item, "update")
        if not _FITS.fullmatch(tag):
            raise InvalidInput("tag", "must have 1 to 60 characters, without a comma")
        tagged.add(txn, self.table, thing.id, tag)
        place = f"{call.base}/{self.things.collection}/{thing.id}/tags/{quote(tag, safe='')}"
        return Answer(headers={"Location": place})

    @route(app, "DELETE", "/<item>/tags/<tag>", role=Role.MEMBER, code=204)
    def remove(self, txn: Transaction, call: Call, item: str, tag: str) -> None:
        """Remove a tag of one."""
        thing = self.things.own(txn, call, item, "update")
        if not _FITS.fullmatch(tag) or not tagged.remove(
            txn, self.table, thing.id, tag
        ):
            raise TagNotFound(tag)
