"""``/v2.0/routers``: there are none; public networks are routed by the nodes."""

from typing import Any

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.api.json import Edge, new_app, route
from snf.api.network.collection import Json
from snf.core.errors import Conflict, NotFound
from snf.core.identity import Role
from snf.storage.database import Transaction


class RouterNotFound(NotFound):
    """Named as Neutron names it."""


class NoRouters(Conflict):
    """There are no routers to be had."""


class RouterBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body that would make one."""

    router: dict[str, Any]


@frozen
class Routers:
    """``/v2.0/routers``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> Json:
        """List them: there are none."""
        return {"routers": []}

    @route(app, "POST", "/", role=Role.MEMBER, body=RouterBody, code=201)
    def create(self, txn: Transaction, call: Call) -> Json:
        """Refuse to make one."""
        raise NoRouters(
            "There are no routers: put the server on a public network, or give it a "
            "floating IP"
        )

    @route(app, "GET", "/<router>")
    def show(self, txn: Transaction, call: Call, router: str) -> Json:
        """Show one: there is none."""
        raise RouterNotFound(f"Router {router} could not be found")
