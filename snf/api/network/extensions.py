"""``/v2.0/extensions``: what the network API has besides its core."""

from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Json
from snf.core.errors import NotFound
from snf.storage.database import Transaction


@frozen
class Extensions:
    """``/v2.0/extensions``: there are none (yet)."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them."""
        return {"extensions": []}

    @route(app, "GET", "/<extension>")
    def show(self, txn: Transaction, call: Call, extension: str) -> Json:
        """Show one."""
        raise NotFound("The resource could not be found.")
