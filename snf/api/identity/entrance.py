"""Logging in, whichever version of the API asks: who it is, and a token for them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from attrs import frozen

from snf.api.call import Call
from snf.api.identity.login import WHO, CredentialRef, Scope, Wanted
from snf.api.identity.passwords import Guarded
from snf.core import passwords
from snf.core.errors import Unauthorized
from snf.core.identity import Credential, Grant, Project, Role, User, restricted
from snf.storage import activities, credentials, tokens, users
from snf.storage.activities import Activity
from snf.storage.database import Database, Transaction


@frozen
class Known:
    """Who logs in, how, and until when the new token may be good.

    :ivar credential: The application credential that it goes by, if it does.
    """

    user: User
    methods: tuple[str, ...]
    expires: datetime
    credential: Credential | None = None


@frozen
class Entrance:
    """Lets in who has a password, the secret of an application credential, or a token.

    :ivar lifetime_s: How long a token is good for.
    :ivar new_token: Makes a token.
    """

    database: Database
    lifetime_s: int
    guarded: Guarded
    new_token: Callable[[], str]

    async def enter(self, call: Call, asked: Wanted) -> tuple[str, Grant]:
        """
        Return a new token and what it stands for.

        :raises Unauthorized: Whoever it is does not get it, for whatever reason.
        :raises TooMany: It was tried too often.
        """
        if asked.token is not None:
            known = await self._by_token(call, asked.token)
        elif asked.credential is not None:
            known = await self._by_credential(call, asked, asked.credential)
        else:
            known = await self._by_password(call, asked)
        token = self.new_token()
        return token, await self.database.run(
            self._grant, call, asked.scope, known, token
        )

    def _limit(self, call: Call) -> datetime:
        return call.now + timedelta(seconds=self.lifetime_s)

    async def _by_token(self, call: Call, token: str) -> Known:
        digest = passwords.token_digest(token)
        grant = await self.database.run(tokens.get, digest, call.now)
        if grant is None:
            raise Unauthorized(WHO)
        methods = tuple(dict.fromkeys(("token", *grant.methods)))
        expires = min(self._limit(call), grant.expires)
        return Known(grant.user, methods, expires, grant.credential)

    async def _by_password(self, call: Call, asked: Wanted) -> Known:
        kept = await self.database.run(
            users.credentials, asked.user_id, asked.user_name, asked.domain
        )
        who = str(asked.user_id or asked.user_name if kept is None else kept.user.id)
        secret = None if kept is None else kept.password
        good = await self.guarded.check(call, who, asked.password, secret)
        if kept is None or not good or not kept.user.active:
            await self._refuse(call, None if kept is None else kept.user.id)
            raise Unauthorized(WHO)
        return Known(kept.user, ("password",), self._limit(call))

    async def _by_credential(
        self, call: Call, asked: Wanted, ref: CredentialRef
    ) -> Known:
        found = await self.database.run(_credential, asked, ref)
        who = str(ref.id or f"{asked.user_id or asked.user_name}/{ref.name}")
        if found is not None:
            who = str(found[1].id)
        secret = None if found is None else found[2]
        good = await self.guarded.check(call, who, asked.password, secret)
        if found is None or not good or not _usable(found[0], found[1], call.now):
            await self._refuse(call, None if found is None else found[0].id)
            raise Unauthorized(WHO)
        user, credential, _ = found
        expires = self._limit(call)
        if credential.expires is not None:
            expires = min(expires, credential.expires)
        return Known(user, ("application_credential",), expires, credential)

    async def _refuse(self, call: Call, user: UUID | None) -> None:
        await self.database.run(
            activities.add,
            Activity(
                action="log in",
                user=user,
                outcome="refused",
                request_id=call.request_id,
                address=call.address,
            ),
        )

    def _grant(
        self,
        txn: Transaction,
        call: Call,
        scope: Scope | None,
        known: Known,
        token: str,
    ) -> Grant:
        if known.credential is None:
            project, roles = _scoped(txn, known.user, scope)
        else:
            project, roles = _of_credential(txn, known.credential, scope)
        grant = Grant(
            user=known.user,
            project=project,
            roles=roles,
            methods=known.methods,
            audit_id=self.new_token()[:22],
            issued=call.now,
            expires=known.expires,
            credential=known.credential,
        )
        tokens.add(txn, passwords.token_digest(token), grant)
        activities.add(
            txn,
            Activity(
                action="log in",
                user=known.user.id,
                project=grant.project_id,
                request_id=call.request_id,
                address=call.address,
            ),
        )
        return grant


def _credential(
    txn: Transaction, asked: Wanted, ref: CredentialRef
) -> tuple[User, Credential, str] | None:
    """Return an application credential with its user and what is kept of its secret."""
    owner = None
    if ref.id is None:
        named = users.credentials(txn, asked.user_id, asked.user_name, asked.domain)
        if named is None:
            return None
        owner = named.user.id
    found = credentials.get(txn, ref.id, owner, ref.name)
    if found is None:
        return None
    user = users.credentials(txn, found[0].user, None)
    return None if user is None else (user.user, *found)


def _usable(user: User, credential: Credential, now: datetime) -> bool:
    return user.active and (credential.expires is None or credential.expires > now)


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
    if scope is None:
        scope = Scope(project_id=user.default_project)
        project, roles = _roles(txn, user.id, scope)
        return (project, roles) if roles else (None, frozenset())
    project, roles = _roles(txn, user.id, scope)
    if not roles:
        raise Unauthorized(WHO)
    return project, roles


def _of_credential(
    txn: Transaction, credential: Credential, scope: Scope | None
) -> tuple[Project | None, frozenset[Role]]:
    """
    Return the one project of an application credential, and what it may do there.

    :raises Unauthorized: Another is asked for, or its user may do nothing there.
    """
    project, roles = _roles(txn, credential.user, Scope(credential.project))
    roles = restricted(roles, credential.roles)
    asked = None if scope is None else _roles(txn, credential.user, scope)[0]
    if not roles or (scope is not None and asked != project):
        raise Unauthorized(WHO)
    return project, roles


def _roles(
    txn: Transaction, user_id: UUID, scope: Scope
) -> tuple[Project | None, frozenset[Role]]:
    """Return a project and a user's roles there; none where it cannot be used."""
    if scope.project_id is None and scope.project_name is None:
        return None, frozenset()
    project = users.project(txn, scope.project_id, scope.project_name, scope.domain)
    if project is None or not project.active:
        return None, frozenset()
    return project, users.roles(txn, user_id, project.id)
