"""What the identity API shows: each thing as Keystone shows it, and pages of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from snf.api.call import Call
from snf.core.identity import Credential, Domain, Group, Project, Role, User

Json = dict[str, Any]


def project(call: Call, one: Project) -> Json:
    """Return a project."""
    return {
        "id": str(one.id),
        "name": one.name,
        "domain_id": one.domain.id,
        "description": one.description,
        "enabled": one.enabled,
        "parent_id": one.domain.id,
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": _self(call, "projects", one.id),
    }


def user(call: Call, one: User) -> Json:
    """Return a user."""
    shown: Json = {
        "id": str(one.id),
        "name": one.name,
        "domain_id": one.domain.id,
        "enabled": one.enabled,
        "description": one.description,
        "options": {},
        "password_expires_at": None,
        "links": _self(call, "users", one.id),
    }
    if one.email is not None:
        shown["email"] = one.email
    if one.default_project is not None:
        shown["default_project_id"] = str(one.default_project)
    return shown


def group(call: Call, one: Group) -> Json:
    """Return a group."""
    return {
        "id": str(one.id),
        "name": one.name,
        "domain_id": one.domain.id,
        "description": one.description,
        "links": _self(call, "groups", one.id),
    }


def role(call: Call, one: Role) -> Json:
    """Return a role, whose id is its name."""
    return {
        "id": one.value,
        "name": one.value,
        "domain_id": None,
        "description": None,
        "options": {},
        "links": _self(call, "roles", one.value),
    }


def domain(call: Call, one: Domain) -> Json:
    """Return a domain."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "enabled": one.enabled,
        "tags": [],
        "options": {},
        "links": _self(call, "domains", one.id),
    }


def credential(call: Call, one: Credential) -> Json:
    """Return an application credential, without its secret."""
    place = f"users/{one.user}/application_credentials"
    return {
        "id": str(one.id),
        "name": one.name,
        "description": one.description,
        "user_id": str(one.user),
        "project_id": str(one.project),
        "roles": [
            {"id": role.value, "name": role.value, "domain_id": None}
            for role in Role
            if role in one.roles
        ],
        "expires_at": None
        if one.expires is None
        else one.expires.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "unrestricted": one.unrestricted,
        "links": _self(call, place, one.id),
    }


def listing(call: Call, path: str, key: str, items: Sequence[Json]) -> Json:
    """Return a list that is whole."""
    links = {"next": None, "self": f"{call.base}/{path}", "previous": None}
    return {key: items, "links": links}


def page(call: Call, key: str, items: Sequence[Json], limit: int) -> Json:
    """Return a page of a list, with the link to the next one if there may be one."""
    answer = listing(call, key, key, items)
    if items and len(items) >= limit:
        after = call.page_after(UUID(items[-1]["id"]))
        answer["links"]["next"] = f"{call.base}/{key}?{after}"
        # Keystone says so of a list that it has cut by itself.
        answer["truncated"] = True
    return answer


def ref(one: Domain) -> Json:
    """Return a domain as tokens and assignments name it."""
    return {"id": one.id, "name": one.name}


def moment(at: datetime) -> str:
    """Return a time as tokens have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _self(call: Call, path: str, thing: UUID | str) -> Json:
    return {"self": f"{call.base}/{path}/{thing}"}
