"""What clients send to make and to change things of the identity API.

Keys that are not known are ignored, as Keystone does: its clients send some.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from snf.core.errors import BadRequest

# No control characters, and not blank.  (\Z, since $ lets a newline pass at the end.)
_PRINTABLE = r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f]+\Z"
_NO_NUL = r"^[^\x00]*\Z"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=_PRINTABLE)]
Text = Annotated[str, msgspec.Meta(max_length=10_000, pattern=_NO_NUL)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=_NO_NUL)]

# What is not offered may only be given as clients give "nothing of it".
_NoTags = Annotated[list[str], msgspec.Meta(max_length=0)]
_NoOptions = Annotated[dict[str, Any], msgspec.Meta(max_length=0)]


class Project(msgspec.Struct):
    """``project``, new or changed."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    domain_id: Text | None = None
    parent_id: Text | None = None
    is_domain: Literal[False, None] = False
    tags: _NoTags = []
    options: _NoOptions = {}


class Domain(msgspec.Struct):
    """``domain``, new or changed."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    tags: _NoTags = []
    options: _NoOptions = {}


class User(msgspec.Struct):
    """``user``, new or changed."""

    name: Name | UnsetType = UNSET
    password: Secret | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    email: Text | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    default_project_id: Text | UnsetType | None = UNSET
    domain_id: Text | None = None
    options: _NoOptions = {}


class Group(msgspec.Struct):
    """``group``, new or changed."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    domain_id: Text | None = None


class NewPassword(msgspec.Struct):
    """``user`` where one changes one's own password."""

    original_password: str
    password: Secret


class RoleRef(msgspec.Struct):
    """A role by id or by name, which are the same."""

    id: str | None = None
    name: str | None = None


class Credential(msgspec.Struct):
    """``application_credential``."""

    name: Name
    secret: Secret | None = None
    description: Text | None = None
    expires_at: str | None = None
    roles: Annotated[list[RoleRef], msgspec.Meta(max_length=20)] | None = None
    unrestricted: bool | None = None
    access_rules: Annotated[list[Any], msgspec.Meta(max_length=0)] | None = None


class ProjectBody(msgspec.Struct):
    """The body of ``POST /projects`` and ``PATCH /projects/{id}``."""

    project: Project


class DomainBody(msgspec.Struct):
    """The body of ``POST /domains`` and ``PATCH /domains/{id}``."""

    domain: Domain


class UserBody(msgspec.Struct):
    """The body of ``POST /users`` and ``PATCH /users/{id}``."""

    user: User


class GroupBody(msgspec.Struct):
    """The body of ``POST /groups`` and ``PATCH /groups/{id}``."""

    group: Group


class PasswordBody(msgspec.Struct):
    """The body of ``POST /users/{id}/password``."""

    user: NewPassword


class CredentialBody(msgspec.Struct):
    """The body of ``POST /users/{id}/application_credentials``."""

    application_credential: Credential


def needed(value: Any, field: str) -> Any:
    """
    Return what a client has to send.

    :raises BadRequest: It has not.
    """
    if value is UNSET:
        raise BadRequest(f"{field}: is missing")
    return value


def given(body: msgspec.Struct, *fields: str) -> dict[str, Any]:
    """Return those of some fields that a client has sent; a text of null is empty."""
    values = {name: getattr(body, name) for name in fields}
    return {
        name: "" if value is None else value
        for name, value in values.items()
        if value is not UNSET
    }


def same_domain(asked: str | None, is_in: str, noun: str) -> None:
    """
    Return if a change leaves a thing in its domain.

    :raises BadRequest: It does not; nothing can be moved.
    """
    if asked not in (None, is_in):
        raise BadRequest(f"{noun}.domain_id: cannot be changed")
