"""What a client sends to log in, in all the ways that clients write it."""

from typing import Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.core.errors import BadRequest, Unauthorized

_DOMAIN_ID, _DOMAIN_NAME = "default", "default"

# All that is ever said of why somebody cannot log in.
WHO = "The request you have made requires authentication."


class Domain(msgspec.Struct):
    """A domain by id or by name."""

    id: str | None = None
    name: str | None = None


class PasswordUser(msgspec.Struct):
    """Who logs in, by id or by name and domain."""

    password: str
    id: str | None = None
    name: str | None = None
    domain: Domain | None = None


class Password(msgspec.Struct):
    """The method ``password``."""

    user: PasswordUser


class Token(msgspec.Struct):
    """The method ``token``."""

    id: str


class Methods(msgspec.Struct):
    """How somebody logs in; each method named has its own part."""

    methods: list[str]
    password: Password | None = None
    token: Token | None = None


class ScopeProject(msgspec.Struct):
    """A project by id, or by name (and domain, which some clients leave out)."""

    id: str | None = None
    name: str | None = None
    domain: Domain | None = None


class ScopeBody(msgspec.Struct):
    """What the token is to be good for."""

    project: ScopeProject | None = None
    domain: dict[str, Any] | None = None
    system: dict[str, Any] | None = None


class Auth(msgspec.Struct):
    """``auth``."""

    identity: Methods
    scope: ScopeBody | str | None = None


class AuthBody(msgspec.Struct):
    """The body of ``POST /auth/tokens``; keys that are not known are ignored."""

    auth: Auth


@frozen
class Scope:
    """What the token is to be good for: a project, or expressly nothing."""

    project_id: UUID | None = None
    project_name: str | None = None
    unscoped: bool = False


@frozen
class Wanted:
    """Who logs in, how, and for what.  One of password and token is there."""

    scope: Scope | None
    user_id: UUID | None = None
    user_name: str | None = None
    password: str | None = None
    token: str | None = None


def wanted(body: AuthBody) -> Wanted:
    """
    Return what a login asks for.

    :raises BadRequest: A part is missing.
    :raises Unauthorized: The domain does not exist, or an id cannot be one.
    """
    identity = body.auth.identity
    scope = _scope(body.auth.scope)
    if "password" in identity.methods:
        if identity.password is None:
            raise BadRequest("auth.identity.password: is missing")
        user = identity.password.user
        _check_domain(user.domain)
        if user.id is None and user.name is None:
            raise BadRequest("auth.identity.password.user: needs an id or a name")
        return Wanted(
            scope,
            user_id=None if user.id is None else _id(user.id),
            user_name=_text(user.name),
            password=user.password,
        )
    if "token" in identity.methods:
        if identity.token is None:
            raise BadRequest("auth.identity.token: is missing")
        return Wanted(scope, token=identity.token.id)
    raise BadRequest("auth.identity.methods: must name password or token")


def _scope(scope: ScopeBody | str | None) -> Scope | None:
    if scope is None:
        return None
    if isinstance(scope, str):
        if scope != "unscoped":
            raise BadRequest('auth.scope: must be an object or "unscoped"')
        return Scope(unscoped=True)
    if scope.project is None:
        if scope.domain is not None or scope.system is not None:
            raise Unauthorized("There are only project scopes.")
        raise BadRequest("auth.scope: must name a project")
    _check_domain(scope.project.domain)
    if scope.project.id is not None:
        return Scope(project_id=_id(scope.project.id))
    if scope.project.name is None:
        raise BadRequest("auth.scope.project: needs an id or a name")
    return Scope(project_name=_text(scope.project.name))


def _check_domain(domain: Domain | None) -> None:
    """Return if it is the one domain that there is, by id or by name."""
    if domain is None:
        return
    if domain.id not in (None, _DOMAIN_ID):
        raise Unauthorized(WHO)
    if domain.name is not None and domain.name.lower() != _DOMAIN_NAME:
        raise Unauthorized(WHO)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Unauthorized(WHO) from None


def _text(text: str | None) -> str | None:
    # PostgreSQL stores no NUL, so nothing there can have such a name.
    return None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}")
