"""``/v2.0/availability_zones``: one, as with servers."""

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Json
from snf.storage.database import Transaction


@frozen
class Zones:
    """``/v2.0/availability_zones``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        zone = {"name": "nova", "resource": "network", "state": "available"}
        return {"availability_zones": [zone]}
