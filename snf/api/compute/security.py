"""``/servers/{id}/os-security-groups``: none, as for the server's ports.

Ansible asks for it whenever it compares a server with what it is to be, and then asks the
network API for each.  That a server itself shows ``default`` is for clients that want to
see one there.
"""

from attrs import frozen

from snf.api.call import Call, identifier
from snf.api.compute.owned import MISSING, owner
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.storage import servers
from snf.storage.database import Transaction


@frozen
class SecurityGroups:
    """``/servers/{id}/os-security-groups``."""

    app = new_app()
    reach = Reach.WIDE

    edge: Edge

    @route(app, "GET", "/<server>/os-security-groups")
    def listing(self, txn: Transaction, call: Call, server: str) -> dict:
        """List the groups of one: there are none."""
        servers.get(txn, owner(call), identifier(server, MISSING))
        return {"security_groups": []}
