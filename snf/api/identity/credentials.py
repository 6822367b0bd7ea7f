"""``/users/<user>/application_credentials``."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from attrs import frozen

from snf.api.audit import note
from snf.api.call import Call, identifier
from snf.api.identity import names, view
from snf.api.identity.bodies import CredentialBody, RoleRef
from snf.api.json import Edge, new_app, route
from snf.api.policy import Reach
from snf.core import passwords
from snf.core.errors import BadRequest, Forbidden, NotFound
from snf.core.identity import Credential, Role
from snf.storage import credentials
from snf.storage.database import Transaction


@frozen
class Credentials:
    """``/users/<user>/application_credentials``.

    :ivar digest: A coroutine function of a password: what is to be kept of it.
    :ivar new_secret: Makes a secret that cannot be guessed.
    """

    app = new_app()

    edge: Edge
    digest: Callable[[str], Awaitable[str]]
    new_secret: Callable[[], str]

    @route(
        app, "GET", "/<user>/application_credentials", scoped=False, reach=Reach.USER
    )
    def list(self, txn: Transaction, call: Call, user: str) -> view.Json:
        """List them, by name."""
        owner = names.user(txn, user).id
        found = credentials.listing(txn, owner, call.argument("name"))
        shown = [view.credential(call, one) for one in found]
        path = f"users/{user}/application_credentials"
        return view.listing(call, path, "application_credentials", shown)

    @route(
        app,
        "POST",
        "/<user>/application_credentials",
        reach=Reach.SELF,
        body=CredentialBody,
        code=201,
    )
    async def create(self, call: Call, user: str) -> view.Json:
        """Make one for the token's project; only this answer has its secret."""
        _check_unrestricted(call)
        asked = call.body.application_credential
        made = Credential(
            id=uuid4(),
            user=call.grant.user.id,
            project=call.project.id,
            name=asked.name,
            roles=_roles(call, asked.roles),
            description=asked.description or "",
            unrestricted=bool(asked.unrestricted),
            expires=_expires(call, asked.expires_at),
        )
        secret = asked.secret
        if secret is None:
            secret = self.new_secret()
            kept = passwords.secret_digest(secret)
        else:
            # Somebody may have thought of it, so it is kept as passwords are.
            kept = await self.digest(secret)
        await self.edge.database.run(self._create, call, made, kept)
        shown = view.credential(call, made) | {"secret": secret}
        return {"application_credential": shown}

    def _create(
        self, txn: Transaction, call: Call, made: Credential, kept: str
    ) -> None:
        credentials.add(txn, made, kept)
        note(txn, call, "credential create", made.id)

    @route(
        app,
        "GET",
        "/<user>/application_credentials/<credential>",
        scoped=False,
        reach=Reach.USER,
    )
    def show(
        self, txn: Transaction, call: Call, user: str, credential: str
    ) -> view.Json:
        """Show one, without its secret."""
        message = f"Could not find Application Credential: {credential}."
        owner = names.user(txn, user).id
        found = credentials.get(txn, identifier(credential, message), owner)
        if found is None:
            raise NotFound(message)
        return {"application_credential": view.credential(call, found[0])}

    @route(
        app,
        "DELETE",
        "/<user>/application_credentials/<credential>",
        scoped=False,
        reach=Reach.USER,
        code=204,
    )
    def delete(self, txn: Transaction, call: Call, user: str, credential: str) -> None:
        """Delete one, which ends its tokens."""
        _check_unrestricted(call)
        message = f"Could not find Application Credential: {credential}."
        wanted = identifier(credential, message)
        if not credentials.remove(txn, wanted, names.user(txn, user).id):
            raise NotFound(message)
        note(txn, call, "credential delete", wanted)


def _check_unrestricted(call: Call) -> None:
    """Return unless the caller came by an application credential that is restricted."""
    by = call.grant.credential
    if by is not None and not by.unrestricted:
        raise Forbidden(
            "This application credential may not be used for application credentials"
        )


def _roles(call: Call, asked: Any) -> frozenset[Role]:
    """
    Return the roles that a credential is to have: those of the token unless named.

    :raises BadRequest: The token does not have one.
    """
    if not asked:
        return call.grant.roles
    return frozenset(_role(call, one) for one in asked)


def _role(call: Call, asked: RoleRef) -> Role:
    text = asked.id or asked.name or ""
    try:
        role = Role(text)
    except ValueError:
        role = None
    if role is None or not call.grant.may(role):
        raise BadRequest(f"application_credential.roles: {text} is not a role you have")
    return role


def _expires(call: Call, text: str | None) -> datetime | None:
    if text is None:
        return None
    field = "application_credential.expires_at"
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{field}: must be a time such as 2030-01-31T12:00:00"
        ) from None
    if moment <= call.now:
        raise BadRequest(f"{field}: has passed")
    return moment
