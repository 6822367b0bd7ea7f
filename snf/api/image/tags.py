"""``/v2/images/{id}/tags``: words by which images are found."""

from attrs import evolve, frozen

from snf.api.call import Call
from snf.api.image import bodies
from snf.api.image.owned import own
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.errors import NotFound
from snf.core.identity import Role
from snf.storage import images
from snf.storage.database import Transaction


@frozen
class Tags:
    """The tags of images."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "PUT", "/<image>/tags/<tag>", role=Role.MEMBER, code=204)
    def add(self, txn: Transaction, call: Call, image: str, tag: str) -> None:
        """Give one a tag."""
        found = own(txn, call, image, "modify")
        changed = evolve(found, tags=bodies.tags("tag", [*found.tags, tag]))
        bodies.check_counts(changed)
        images.change(txn, evolve(changed, updated=call.now))

    @route(app, "DELETE", "/<image>/tags/<tag>", role=Role.MEMBER, code=204)
    def remove(self, txn: Transaction, call: Call, image: str, tag: str) -> None:
        """Remove a tag of one."""
        found = own(txn, call, image, "modify")
        if tag not in found.tags:
            raise NotFound("Tag could not be found.")
        left = tuple(one for one in found.tags if one != tag)
        images.change(txn, evolve(found, tags=left, updated=call.now))
