"""``/flavors``: the sizes of servers."""

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute import view
from snf.api.compute.versions import STRICT
from snf.api.json import Edge, new_app, route
from snf.core.catalog import Flavor
from snf.storage import flavors
from snf.storage.database import Transaction

# nova/api/openstack/compute/schemas/flavors.py
_PARAMETERS = frozenset(
    {"limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"}
)


@frozen
class Flavors:
    """``/flavors``."""

    app = new_app()

    edge: Edge
    page_size: int

    @route(app, "GET", "/")
    def brief(self, txn: Transaction, call: Call) -> dict:
        """List ids and names."""
        found = self._listing(txn, call)
        shown = {one.id: view.flavor_brief(call, one) for one in found}
        return view.page(call, "flavors", shown, self.page_size)

    @route(app, "GET", "/detail")
    def detail(self, txn: Transaction, call: Call) -> dict:
        """List everything."""
        found = self._listing(txn, call)
        shown = {one.id: view.flavor(call, one) for one in found}
        return view.page(call, "flavors/detail", shown, self.page_size)

    @route(app, "GET", "/<flavor>")
    def show(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """Show one; a deleted one too, since servers refer to it."""
        found = flavors.get(txn, identifier(flavor, "Flavor {} could not be found."))
        return {"flavor": view.flavor(call, found)}

    @route(app, "GET", "/<flavor>/os-extra_specs")
    def extra_specs(self, txn: Transaction, call: Call, flavor: str) -> dict:
        """Show what else there is to know of one."""
        flavors.get(txn, identifier(flavor, "Flavor {} could not be found."))
        return {"extra_specs": {}}

    def _listing(self, txn: Transaction, call: Call) -> list[Flavor]:
        if call.since(STRICT):
            call.check_known(_PARAMETERS)
        return flavors.listing(txn, call.marker(), call.limit(self.page_size))
