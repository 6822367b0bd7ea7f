"""``/node/v1/guest/{order}``: what a guest is told, for the node that makes its disk."""

from uuid import UUID

import orjson
from attrs import frozen

from snf.api.call import UUID_TEXT, Call
from snf.api.json import Edge, new_app, route
from snf.api.node.signed import REFUSED, check
from snf.core.errors import Forbidden, NotFound
from snf.core.guest import written
from snf.core.node_keys import NodeKeys
from snf.core.sealing import Unreadable
from snf.core.signing import GUEST_PATH
from snf.storage import guests
from snf.storage.database import Transaction


@frozen
class Guests:
    """
    ``/node/v1/guest``.

    :ivar keys: None where there are no signed URLs.
    """

    app = new_app()

    edge: Edge
    keys: NodeKeys | None

    @route(app, "GET", "/<order>", role=None)
    def show(self, txn: Transaction, call: Call, order: str) -> orjson.Fragment:
        """Tell a node what a guest is told, while its order is open."""
        if self.keys is None or not UUID_TEXT.fullmatch(order):
            raise Forbidden(REFUSED)
        check(call, self.keys.signer, GUEST_PATH.format(order))
        try:
            guest = guests.told(txn, self.keys.seal, UUID(order))
        except (NotFound, Unreadable):
            raise Forbidden(REFUSED) from None
        return orjson.Fragment(written(guest))
