"""Who calls, and what they may do."""

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
class Project:
    """Owns servers, networks and images."""

    id: UUID
    name: str
    description: str = ""
    enabled: bool = True


@frozen
class User:
    """Somebody who can log in."""

    id: UUID
    name: str
    enabled: bool = True
    default_project: UUID | None = None


@frozen
class Grant:
    """What a valid token stands for.  No project: an unscoped token."""

    user: User
    project: Project | None
    roles: frozenset[Role]
    methods: tuple[str, ...]
    audit_id: str
    issued: datetime
    expires: datetime

    @property
    def project_id(self) -> UUID | None:
        """The id of the project that it is for; None when it is unscoped."""
        return None if self.project is None else self.project.id

    def may(self, role: Role) -> bool:
        """Whether any of its roles includes one."""
        return any(role in _INCLUDES[held] for held in self.roles)

    @property
    def all_roles(self) -> tuple[Role, ...]:
        """Every role that it has, those that others include as well."""
        return tuple(role for role in Role if self.may(role))
