"""``/auth/tokens``: logging in, and what a token stands for."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from attrs import frozen

from snf.api.call import Call
from snf.api.identity.catalog import catalog
from snf.api.identity.login import WHO, AuthBody, Scope, Wanted, wanted
from snf.api.json import Answer, Edge, new_app, route
from snf.config import Identity as IdentitySettings
from snf.core import passwords
from snf.core.errors import NotFound, Unauthorized
from snf.core.identity import Grant, Project, Role, User
from snf.storage import activities, tokens, users
from snf.storage.activities import Activity
from snf.storage.database import Transaction


@frozen
class Tokens:
    """``/auth/tokens``."""

    app = new_app()

    edge: Edge
    settings: IdentitySettings
    verify: Callable[[str, str], Any]
    new_token: Callable[[], str]

    @route(app, "POST", "/", role=None, body=AuthBody, code=201)
    async def log_in(self, call: Call) -> Answer:
        """Exchange a password or a token for a (new) token."""
        asked = wanted(call.body)
        user, methods, expires = await self._who(call, asked)
        token = self.new_token()
        grant = await self.edge.database.run(
            self._grant, call, asked.scope, user, methods, expires, token
        )
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

    async def _who(
        self, call: Call, asked: Wanted
    ) -> tuple[User, tuple[str, ...], datetime]:
        """Return who logs in, how, and until when the new token may be good."""
        limit = call.now + timedelta(seconds=self.settings.token_lifetime_s)
        if asked.token is not None:
            digest = passwords.token_digest(asked.token)
            grant = await self.edge.database.run(tokens.get, digest, call.now)
            if grant is None:
                raise Unauthorized(WHO)
            methods = tuple(dict.fromkeys(("token", *grant.methods)))
            return grant.user, methods, min(limit, grant.expires)
        return await self._by_password(call, asked), ("password",), limit

    async def _by_password(self, call: Call, asked: Wanted) -> User:
        kept = await self.edge.database.run(
            users.credentials, asked.user_id, asked.user_name
        )
        good = await self.verify(
            asked.password or "", passwords.NOBODY if kept is None else kept.password
        )
        if kept is None or not good or not kept.user.enabled:
            await self.edge.database.run(
                activities.add,
                Activity(
                    action="log in",
                    user=None if kept is None else kept.user.id,
                    outcome="refused",
                    request_id=call.request_id,
                    address=call.address,
                ),
            )
            raise Unauthorized(WHO)
        return kept.user

    def _grant(
        self,
        txn: Transaction,
        call: Call,
        scope: Scope | None,
        user: User,
        methods: tuple[str, ...],
        expires: datetime,
        token: str,
    ) -> Grant:
        project, roles = _scoped(txn, user, scope)
        grant = Grant(
            user=user,
            project=project,
            roles=roles,
            methods=methods,
            audit_id=self.new_token()[:22],
            issued=call.now,
            expires=expires,
        )
        tokens.add(txn, passwords.token_digest(token), grant)
        activities.add(
            txn,
            Activity(
                action="log in",
                user=user.id,
                project=grant.project_id,
                request_id=call.request_id,
                address=call.address,
            ),
        )
        return grant

    def _view(self, call: Call, grant: Grant) -> dict[str, Any]:
        view: dict[str, Any] = {
            "methods": grant.methods,
            "user": {
                "id": str(grant.user.id),
                "name": grant.user.name,
                "domain": _DOMAIN,
                "password_expires_at": None,
            },
            "audit_ids": [grant.audit_id],
            "expires_at": _time(grant.expires),
            "issued_at": _time(grant.issued),
        }
        if grant.project is not None:
            view |= {
                "project": {
                    "id": str(grant.project.id),
                    "name": grant.project.name,
                    "domain": _DOMAIN,
                },
                "is_domain": False,
                "roles": [
                    {"id": role.value, "name": role.value} for role in grant.all_roles
                ],
            }
            if call.argument("nocatalog") is None:
                view["catalog"] = catalog(call.root, self.settings.region)
        return view


_DOMAIN = {"id": "default", "name": "Default"}


def _scoped(
    txn: Transaction, user: User, scope: Scope | None
) -> tuple[Project | None, frozenset[Role]]:
    """
    Return the project that a token is to be for, and the user's roles in it.

    Without a wish it is the user's default project, if there is one.

    :raises Unauthorized: There is no such project, or no role in it.
    """
    if scope is not None and scope.unscoped:
        return None, frozenset()
    project_id: UUID | None = user.default_project
    name = None
    if scope is not None:
        project_id, name = scope.project_id, scope.project_name
    if project_id is None and name is None:
        return None, frozenset()
    project = users.project(txn, project_id, name)
    if project is not None and project.enabled:
        roles = users.roles(txn, user.id, project.id)
        if roles:
            return project, roles
    if scope is None:
        return None, frozenset()
    raise Unauthorized(WHO)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
