"""Who calls, and what they may do."""

from collections.abc import Collection
from datetime import datetime
from enum import Enum
from uuid import UUID

from attrs import frozen


class Role(Enum):
    """What a user may do in a project; each one includes those below it."""

    ADMIN = "admin"
    MEMBER = "member"
    READER = "reader"


_INCLUDES = {
    Role.ADMIN: frozenset(Role),
    Role.MEMBER: frozenset({Role.MEMBER, Role.READER}),
    Role.READER: frozenset({Role.READER}),
}


@frozen
class Domain:
    """Where the names of users, groups and projects are unique."""

    id: str = "default"
    name: str = "Default"
    description: str = ""
    enabled: bool = True


DEFAULT_DOMAIN = Domain()


@frozen
class Project:
    """Owns servers, networks and images."""

    id: UUID
    name: str
    description: str = ""
    enabled: bool = True
    domain: Domain = DEFAULT_DOMAIN

    @property
    def active(self) -> bool:
        """Whether anybody may work in it."""
        return self.enabled and self.domain.enabled


@frozen
class User:
    """Somebody who can log in."""

    id: UUID
    name: str
    enabled: bool = True
    default_project: UUID | None = None
    domain: Domain = DEFAULT_DOMAIN
    description: str = ""
    email: str | None = None

    @property
    def active(self) -> bool:
        """Whether the user may log in."""
        return self.enabled and self.domain.enabled


@frozen
class Group:
    """Users who have their roles together."""

    id: UUID
    name: str
    description: str = ""
    domain: Domain = DEFAULT_DOMAIN


@frozen
class Credential:
    """An application credential: a secret that stands for a user in one project.

    :ivar roles: What it may do there, as long as its user may.
    :ivar unrestricted: Whether it may be used to make and delete others.
    :ivar expires: When it ends; None is never.
    """

    id: UUID
    user: UUID
    project: UUID
    name: str
    roles: frozenset[Role]
    description: str = ""
    unrestricted: bool = False
    expires: datetime | None = None


def includes(held: Collection[Role], role: Role) -> bool:
    """Whether any of some roles is a role, or includes it."""
    return any(role in _INCLUDES[one] for one in held)


def restricted(held: Collection[Role], to: Collection[Role]) -> frozenset[Role]:
    """Return the roles that remain of those held where only some may be used."""
    return frozenset(role for role in to if includes(held, role))


@frozen
class Grant:
    """What a valid token stands for.  No project: an unscoped token.

    :ivar credential: The application credential that it came of, if it did.
    """

    user: User
    project: Project | None
    roles: frozenset[Role]
    methods: tuple[str, ...]
    audit_id: str
    issued: datetime
    expires: datetime
    credential: Credential | None = None

    @property
    def project_id(self) -> UUID | None:
        """The id of the project that it is for; None when it is unscoped."""
        return None if self.project is None else self.project.id

    def may(self, role: Role) -> bool:
        """Whether any of its roles includes one."""
        return includes(self.roles, role)

    @property
    def all_roles(self) -> tuple[Role, ...]:
        """Every role that it has, those that others include as well."""
        return tuple(role for role in Role if self.may(role))
