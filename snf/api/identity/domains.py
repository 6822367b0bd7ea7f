"""``/domains``."""

from attrs import frozen

from snf.api.call import Call
from snf.api.identity import names, view
from snf.api.json import Edge, new_app, route
from snf.storage import domains
from snf.storage.database import Transaction


@frozen
class Domains:
    """``/domains``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List them, by name."""
        found = domains.listing(txn, call.argument("name"))
        shown = [view.domain(call, one) for one in found]
        return view.listing(call, "domains", "domains", shown)

    @route(app, "GET", "/<domain>", scoped=False)
    def show(self, txn: Transaction, call: Call, domain: str) -> view.Json:
        """Show one."""
        return {"domain": view.domain(call, names.domain(txn, domain))}
