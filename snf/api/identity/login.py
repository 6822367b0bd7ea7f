"""What a client sends to log in, in all the ways that clients write it."""

from typing import Any
from uuid import UUID

import msgspec
from attrs import field, frozen

from snf.core.errors import BadRequest, Unauthorized
from snf.storage.users import HERE, DomainRef

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


class CredentialUser(msgspec.Struct):
    """Whose an application credential is."""

    id: str | None = None
    name: str | None = None
    domain: Domain | None = None


class Credential(msgspec.Struct):
    """The method ``application_credential``: by id, or by name and user."""

    secret: str
    id: str | None = None
    name: str | None = None
    user: CredentialUser | None = None


class Methods(msgspec.Struct):
    """How somebody logs in; each method named has its own part."""

    methods: list[str]
    password: Password | None = None
    token: Token | None = None
    application_credential: Credential | None = None


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
    domain: DomainRef = HERE
    unscoped: bool = False


@frozen
class CredentialRef:
    """An application credential: by its id, or by its user and its name."""

    id: UUID | None
    name: str | None


@frozen
class Wanted:
    """Who logs in, how, and for what.

    :ivar password: Of a user, or the secret of an application credential.
    :ivar token: Instead of it, a token to be exchanged.
    """

    scope: Scope | None
    user_id: UUID | None = None
    user_name: str | None = None
    domain: DomainRef = HERE
    password: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)
    credential: CredentialRef | None = None


def wanted(body: AuthBody) -> Wanted:
    """
    Return what a login asks for.

    :raises BadRequest: A part is missing.
    :raises Unauthorized: An id cannot be one, or the scope is of a kind that there is
        not.
    """
    identity = body.auth.identity
    scope = _scope(body.auth.scope)
    if "password" in identity.methods:
        return _by_password(scope, identity.password)
    if "application_credential" in identity.methods:
        return _by_credential(scope, identity.application_credential)
    if "token" in identity.methods:
        if identity.token is None:
            raise BadRequest("auth.identity.token: is missing")
        return Wanted(scope, token=identity.token.id)
    raise BadRequest(
        "auth.identity.methods: must name password, token or application_credential"
    )


def _by_password(scope: Scope | None, sent: Password | None) -> Wanted:
    if sent is None:
        raise BadRequest("auth.identity.password: is missing")
    user = sent.user
    if user.id is None and user.name is None:
        raise BadRequest("auth.identity.password.user: needs an id or a name")
    return Wanted(
        scope,
        user_id=None if user.id is None else claimed_id(user.id),
        user_name=claimed_name(user.name),
        domain=_domain(user.domain),
        password=user.password,
    )


def _by_credential(scope: Scope | None, sent: Credential | None) -> Wanted:
    if sent is None:
        raise BadRequest("auth.identity.application_credential: is missing")
    if sent.id is not None:
        ref = CredentialRef(claimed_id(sent.id), None)
        return Wanted(scope, password=sent.secret, credential=ref)
    user = sent.user
    if sent.name is None or user is None or (user.id is None and user.name is None):
        raise BadRequest(
            "auth.identity.application_credential: needs an id, or a name and a user"
        )
    return Wanted(
        scope,
        user_id=None if user.id is None else claimed_id(user.id),
        user_name=claimed_name(user.name),
        domain=_domain(user.domain),
        password=sent.secret,
        credential=CredentialRef(None, claimed_name(sent.name)),
    )


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
    if scope.project.id is not None:
        return Scope(project_id=claimed_id(scope.project.id))
    if scope.project.name is None:
        raise BadRequest("auth.scope.project: needs an id or a name")
    return Scope(
        project_name=claimed_name(scope.project.name),
        domain=_domain(scope.project.domain),
    )


def _domain(domain: Domain | None) -> DomainRef:
    """Return the domain that is meant: without a word, the default one."""
    if domain is None or (domain.id is None and domain.name is None):
        return HERE
    return DomainRef(claimed_name(domain.id), claimed_name(domain.name))


def claimed_id(text: str) -> UUID:
    """
    Return an id that somebody who logs in names.

    :raises Unauthorized: It is none, and so nobody's.
    """
    try:
        return UUID(text)
    except ValueError:
        raise Unauthorized(WHO) from None


def claimed_name(text: str | None) -> str | None:
    """Return a name that somebody who logs in gives."""
    # PostgreSQL stores no NUL, so nothing there can have such a name.
    return None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}")
