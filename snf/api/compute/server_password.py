"""``/servers/{id}/os-server-password``: what a guest has made up, encrypted for its owner."""

from attrs import frozen

from snf.api.call import Call
from snf.api.compute import locks
from snf.api.compute.owned import locate
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core.identity import Role
from snf.storage import guests
from snf.storage.database import Transaction


@frozen
class ServerPassword:
    """``/servers/{id}/os-server-password``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/os-server-password")
    def show(self, txn: Transaction, call: Call, server: str) -> dict:
        """Show the password that a guest has made up, if it has: encrypted."""
        number, _ = locate(txn, call, server)
        return {"password": guests.password(txn, number)}

    @route(app, "DELETE", "/<server>/os-server-password", role=Role.MEMBER, code=204)
    def delete(self, txn: Transaction, call: Call, server: str) -> None:
        """Forget it; the guest keeps it."""
        number, uuid = locate(txn, call, server)
        locks.check(txn, call, uuid, heeds_lock=False)
        guests.forget_password(txn, number)
