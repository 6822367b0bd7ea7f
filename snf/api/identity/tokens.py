"""``/auth/tokens``: logging in, and what a token stands for."""

from typing import Any

from attrs import frozen

from snf.api.call import Call
from snf.api.identity import view
from snf.api.identity.catalog import catalog
from snf.api.identity.entrance import Entrance
from snf.api.identity.login import AuthBody, wanted
from snf.api.json import Answer, Edge, new_app, route
from snf.core import passwords
from snf.core.errors import NotFound
from snf.core.identity import Grant
from snf.storage import tokens
from snf.storage.database import Transaction


@frozen
class Tokens:
    """``/auth/tokens``."""

    app = new_app()

    edge: Edge
    entrance: Entrance
    region: str

    @route(app, "POST", "/", role=None, body=AuthBody, code=201)
    async def log_in(self, call: Call) -> Answer:
        """Exchange a password, a secret or a token for a (new) token."""
        token, grant = await self.entrance.enter(call, wanted(call.body))
        return Answer(
            {"token": self._view(call, grant)}, headers={"X-Subject-Token": token}
        )

    @route(app, "GET", "/", scoped=False)
    def show(self, txn: Transaction, call: Call) -> Answer:
        """Show what the token in X-Subject-Token stands for."""
        grant = tokens.get(txn, self._subject_digest(txn, call), call.now)
        if grant is None:
            raise NotFound("Could not find token.")
        return Answer(
            {"token": self._view(call, grant)},
            headers={"X-Subject-Token": call.subject or ""},
        )

    @route(app, "DELETE", "/", scoped=False, code=204)
    def revoke(self, txn: Transaction, call: Call) -> None:
        """End the token in X-Subject-Token."""
        if not tokens.remove(txn, self._subject_digest(txn, call)):
            raise NotFound("Could not find token.")

    def _subject_digest(self, txn: Transaction, call: Call) -> bytes:
        """Return the digest of the subject token, if the caller may ask about it."""
        if call.subject is None:
            raise NotFound("Could not find token.")
        digest = passwords.token_digest(call.subject)
        if call.subject != call.token and not call.is_admin:
            grant = tokens.get(txn, digest, call.now)
            if grant is None or grant.user.id != call.grant.user.id:
                raise NotFound("Could not find token.")
        return digest

    def _view(self, call: Call, grant: Grant) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "methods": grant.methods,
            "user": {
                "id": str(grant.user.id),
                "name": grant.user.name,
                "domain": view.ref(grant.user.domain),
                "password_expires_at": None,
            },
            "audit_ids": [grant.audit_id],
            "expires_at": view.moment(grant.expires),
            "issued_at": view.moment(grant.issued),
        }
        if grant.project is not None:
            shown |= {
                "project": {
                    "id": str(grant.project.id),
                    "name": grant.project.name,
                    "domain": view.ref(grant.project.domain),
                },
                "is_domain": False,
                "roles": [
                    {"id": role.value, "name": role.value} for role in grant.all_roles
                ],
            }
            if call.argument("nocatalog") is None:
                shown["catalog"] = catalog(call.root, self.region)
        if grant.credential is not None:
            shown["application_credential"] = {
                "id": str(grant.credential.id),
                "name": grant.credential.name,
                "restricted": not grant.credential.unrestricted,
            }
        return shown
