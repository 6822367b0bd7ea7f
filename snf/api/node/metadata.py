"""``/node/v1/metadata/{server}``: what a guest is told, for the node that it runs on."""

from typing import Annotated

import msgspec
import orjson
from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.node.signed import REFUSED, check
from snf.core.errors import Conflict, Forbidden, NotFound
from snf.core.guest_metadata import PASSWORD_AT_MOST, written
from snf.core.node_keys import NodeKeys
from snf.core.sealing import Unreadable
from snf.core.signing import METADATA_PATH, PASSWORD_PATH
from snf.storage import guest_metadata
from snf.storage.database import Transaction

_MOST = 2**63 - 1


class Password(msgspec.Struct, forbid_unknown_fields=True):
    """What a guest has made up, as text that is none of our business."""

    password: Annotated[
        str,
        msgspec.Meta(
            min_length=1, max_length=PASSWORD_AT_MOST, pattern=r"^[\x20-\x7e\r\n]*\Z"
        ),
    ]

    def __repr__(self) -> str:
        return "Password(...)"


@frozen
class Metadata:
    """
    ``/node/v1/metadata``.

    :ivar keys: None where nodes have no key.
    """

    app = new_app()

    edge: Edge
    keys: NodeKeys | None

    @route(app, "GET", "/<server>", role=None)
    def show(self, txn: Transaction, call: Call, server: str) -> orjson.Fragment:
        """Tell a node what a guest is told."""
        keys, number = self._checked(call, "GET", METADATA_PATH, server)
        try:
            served = guest_metadata.served(txn, keys.seal, number)
        except Unreadable as failure:
            # Of this guest alone: a 503 would have the node take the API for broken.
            raise Conflict(str(failure)) from None
        return orjson.Fragment(written(served))

    @route(app, "POST", "/<server>/password", role=None, body=Password, code=204)
    def set_password(self, txn: Transaction, call: Call, server: str) -> None:
        """Keep the password that a guest has encrypted for its owner, if it is the first."""
        _, number = self._checked(call, "POST", PASSWORD_PATH, server)
        guest_metadata.set_password(txn, number, call.body.password)

    def _checked(
        self, call: Call, method: str, path: str, server: str
    ) -> tuple[NodeKeys, int]:
        """
        Return the keys, and the number of the server.

        :raises Forbidden: It is no node that asks.
        :raises NotFound: There can be no such server.
        """
        if self.keys is None:
            raise Forbidden(REFUSED)
        check(call, self.keys.shared, path.format(server), method)
        if not (server.isascii() and server.isdigit() and int(server[:20]) <= _MOST):
            raise NotFound(f"There is no server {server}")
        return self.keys, int(server)
