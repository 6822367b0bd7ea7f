"""``/domains``."""

from uuid import uuid4

from attrs import evolve, frozen

from snf.api.audit import note
from snf.api.call import Call
from snf.api.identity import names, view
from snf.api.identity.bodies import DomainBody, given, needed
from snf.api.json import Edge, new_app, route
from snf.core.errors import Forbidden
from snf.core.identity import DEFAULT_DOMAIN, Domain, Role
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
        enabled = names.present(call, "enabled") if call.every("enabled") else None
        found = domains.listing(txn, call.argument("name"), enabled)
        shown = [view.domain(call, one) for one in found]
        return view.listing(call, "domains", "domains", shown)

    @route(app, "POST", "/", role=Role.ADMIN, body=DomainBody, code=201)
    def create(self, txn: Transaction, call: Call) -> view.Json:
        """Make one."""
        asked = call.body.domain
        made = Domain(
            id=uuid4().hex,
            name=needed(asked.name, "domain.name"),
            **given(asked, "description", "enabled"),
        )
        domains.add(txn, made)
        note(txn, call, f"domain create {made.id}", None)
        return {"domain": view.domain(call, made)}

    @route(app, "GET", "/<domain>", scoped=False)
    def show(self, txn: Transaction, call: Call, domain: str) -> view.Json:
        """Show one."""
        return {"domain": view.domain(call, names.domain(txn, domain))}

    @route(app, "PATCH", "/<domain>", role=Role.ADMIN, body=DomainBody)
    def change(self, txn: Transaction, call: Call, domain: str) -> view.Json:
        """Change one; disabling it ends the tokens of its users and projects."""
        before = names.domain(txn, domain)
        after = evolve(
            before, **given(call.body.domain, "name", "description", "enabled")
        )
        if before.id == DEFAULT_DOMAIN.id and not after.enabled:
            raise Forbidden("The default domain cannot be disabled.")
        domains.change(txn, after)
        note(txn, call, f"domain change {after.id}", None)
        return {"domain": view.domain(call, after)}

    @route(app, "DELETE", "/<domain>", role=Role.ADMIN, code=204)
    def delete(self, txn: Transaction, call: Call, domain: str) -> None:
        """Delete one that is disabled, with its users, groups and projects."""
        gone = names.domain(txn, domain)
        if gone.id == DEFAULT_DOMAIN.id:
            raise Forbidden("The default domain cannot be deleted.")
        if gone.enabled:
            raise Forbidden(
                "Cannot delete a domain that is enabled, please disable it first."
            )
        domains.remove(txn, gone, call.now)
        note(txn, call, f"domain delete {gone.id}", None)
