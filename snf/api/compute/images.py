"""``/images`` of the compute API: images as clients of old look for them."""

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import filters, view
from snf.api.compute.versions import BEFORE_PROXIES_WENT
from snf.api.image.owned import remove
from snf.api.json import Answer, Edge, new_app, route
from snf.api.policy import Reach
from snf.core.catalog import Image
from snf.core.identity import Role
from snf.storage import images, snapshots
from snf.storage.database import Transaction


@frozen
class Images:
    """``/images``.

    :ivar of_synnefo: Whether a list in which nothing has changed is a 304.
    """

    app = new_app()

    edge: Edge
    page_size: int
    of_synnefo: bool

    @route(app, "GET", "/", until=BEFORE_PROXIES_WENT)
    def brief(self, txn: Transaction, call: Call) -> Answer:
        """List ids and names."""
        found = self._listing(txn, call)
        shown = {one.id: view.image_brief(call, one) for one in found}
        return self._answer(call, view.page(call, "images", shown, self.page_size))

    @route(app, "GET", "/detail", until=BEFORE_PROXIES_WENT)
    def detail(self, txn: Transaction, call: Call) -> Answer:
        """List everything."""
        found = self._listing(txn, call)
        done = snapshots.percents(txn, found)
        shown = {one.id: view.image(call, one, done.get(one.id)) for one in found}
        page = view.page(call, "images/detail", shown, self.page_size)
        return self._answer(call, page)

    @route(app, "GET", "/<image>", reach=Reach.WIDE, until=BEFORE_PROXIES_WENT)
    def show(self, txn: Transaction, call: Call, image: str) -> dict:
        """Show one."""
        which = identifier(image, "Image {} could not be found.")
        found = images.get(txn, call.grant.project_id, which, call.is_admin)
        done = snapshots.percents(txn, [found])
        return {"image": view.image(call, found, done.get(found.id))}

    @route(
        app,
        "DELETE",
        "/<image>",
        role=Role.MEMBER,
        reach=Reach.WIDE,
        code=204,
        until=BEFORE_PROXIES_WENT,
    )
    def delete(self, txn: Transaction, call: Call, image: str) -> None:
        """Delete one; servers that were made from it go on."""
        remove(txn, call, image)

    def _listing(self, txn: Transaction, call: Call) -> list[Image]:
        wanted = images.Wanted(
            name=call.argument("name"),
            changed_since=filters.moment_if_any(call, filters.CHANGES_SINCE),
            marker=call.marker(),
        )
        project = call.grant.project_id
        return images.listing(txn, project, wanted, call.limit(self.page_size))

    def _answer(self, call: Call, page: dict) -> Answer:
        return (
            filters.if_changed(call, page, "images")
            if self.of_synnefo
            else Answer(page)
        )
