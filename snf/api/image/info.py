"""``/v2/info``: what the image service offers."""

from attrs import frozen

from snf.api.call import Call
from snf.api.image.view import STORES
from snf.api.json import Edge, new_app, route
from snf.core.quota import Amounts, Resource
from snf.storage import quotas
from snf.storage.database import Transaction

_MIB = 1024 * 1024


@frozen
class Info:
    """``/info``.

    :ivar methods: By which images can be imported.
    :ivar limits: What a project may have for which an operator has set nothing.
    """

    app = new_app()

    edge: Edge
    methods: tuple[str, ...]
    limits: Amounts

    @route(app, "GET", "/import", scoped=False)
    def methods_of_import(self, txn: Transaction, call: Call) -> dict:
        """Tell by which methods images can be imported."""
        return {
            "import-methods": {
                "description": "Import methods available.",
                "type": "array",
                "value": list(self.methods),
            }
        }

    @route(app, "GET", "/stores", scoped=False)
    def stores(self, txn: Transaction, call: Call) -> dict:
        """Tell where the data of images is kept: there is one place."""
        return STORES

    @route(app, "GET", "/usage")
    def usage(self, txn: Transaction, call: Call) -> dict:
        """Tell how much data the project's images have, in MiB."""
        mine = call.project.id
        most = quotas.limits(txn, mine, self.limits)[Resource.IMAGE_BYTES]
        used = quotas.used(txn, mine)[Resource.IMAGE_BYTES]
        limit = most if most < 0 else most // _MIB
        return {
            "usage": {"image_size_total": {"limit": limit, "usage": -(-used // _MIB)}}
        }
