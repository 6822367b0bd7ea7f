"""``/auth/...``: what the caller's own token opens."""

from attrs import frozen

from snf.api.call import Call
from snf.api.identity import view
from snf.api.identity.catalog import catalog
from snf.api.json import Edge, new_app, route
from snf.storage import users
from snf.storage.database import Transaction


@frozen
class OwnProjects:
    """``/auth/projects``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List the projects that the caller may get a token for."""
        wanted = users.Wanted(user=call.grant.user.id, enabled=True)
        credential = call.grant.credential
        if credential is not None:
            wanted = users.Wanted(ids=[credential.project])
        found = users.projects(txn, wanted)
        shown = [view.project(call, one) for one in found if one.active]
        return view.listing(call, "auth/projects", "projects", shown)


@frozen
class OwnDomains:
    """``/auth/domains``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List the domains that one may get a token for: none."""
        return view.listing(call, "auth/domains", "domains", [])


@frozen
class OwnSystem:
    """``/auth/system``."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """List the systems that one may get a token for: none."""
        return view.listing(call, "auth/system", "system", [])


@frozen
class OwnCatalog:
    """``/auth/catalog``."""

    app = new_app()

    edge: Edge
    region: str

    @route(app, "GET", "/")
    def list(self, txn: Transaction, call: Call) -> view.Json:
        """Show where each service is."""
        shown = catalog(call.root, self.region)
        # Unlike all other lists, this one has no pages, not even in its links.
        return {"catalog": shown, "links": {"self": f"{call.base}/auth/catalog"}}
