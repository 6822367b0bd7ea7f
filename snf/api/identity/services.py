"""``/services``, ``/endpoints`` and ``/regions``: the catalog, thing by thing.

They can only be read: what there is follows from the configuration.
"""

from attrs import frozen

from snf.api.call import Call
from snf.api.identity import view
from snf.api.identity.catalog import catalog
from snf.api.json import Edge, new_app, route
from snf.core.errors import NotFound
from snf.storage.database import Transaction

_All = list[view.Json]


@frozen
class Services:
    """``/services``."""

    app = new_app()

    edge: Edge
    region: str

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them."""
        shown = _narrowed(call, self._all(call), "name", "type")
        return view.listing(call, "services", "services", shown)

    @route(app, "GET", "/<service>", scoped=False)
    def show(self, txn: Transaction, call: Call, service: str) -> view.Json:
        """Show one."""
        return {"service": _one(self._all(call), service, "service")}

    def _all(self, call: Call) -> _All:
        return [
            {
                "id": one["id"],
                "type": one["type"],
                "name": one["name"],
                "enabled": True,
                "links": {"self": f"{call.base}/services/{one['id']}"},
            }
            for one in catalog(call.root, self.region)
        ]


@frozen
class Endpoints:
    """``/endpoints``."""

    app = new_app()

    edge: Edge
    region: str

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them."""
        shown = _narrowed(call, self._all(call), "service_id", "interface", "region_id")
        return view.listing(call, "endpoints", "endpoints", shown)

    @route(app, "GET", "/<item>", scoped=False)
    def show(self, txn: Transaction, call: Call, item: str) -> view.Json:
        """Show one."""
        return {"endpoint": _one(self._all(call), item, "endpoint")}

    def _all(self, call: Call) -> _All:
        return [
            {
                **endpoint,
                "service_id": service["id"],
                "enabled": True,
                "links": {"self": f"{call.base}/endpoints/{endpoint['id']}"},
            }
            for service in catalog(call.root, self.region)
            for endpoint in service["endpoints"]
        ]


@frozen
class Regions:
    """``/regions``."""

    app = new_app()

    edge: Edge
    region: str

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List the one that there is."""
        return view.listing(call, "regions", "regions", self._all(call))

    @route(app, "GET", "/<region>", scoped=False)
    def show(self, txn: Transaction, call: Call, region: str) -> view.Json:
        """Show it."""
        return {"region": _one(self._all(call), region, "region")}

    def _all(self, call: Call) -> _All:
        return [
            {
                "id": self.region,
                "description": "",
                "parent_region_id": None,
                "links": {"self": f"{call.base}/regions/{self.region}"},
            }
        ]


def _narrowed(call: Call, found: _All, *filters: str) -> _All:
    asked = {name: call.argument(name) for name in filters}
    return [
        one
        for one in found
        if all(value in (None, one[name]) for name, value in asked.items())
    ]


def _one(found: _All, wanted: str, noun: str) -> view.Json:
    for one in found:
        if one["id"] == wanted:
            return one
    raise NotFound(f"Could not find {noun}: {wanted}.")
