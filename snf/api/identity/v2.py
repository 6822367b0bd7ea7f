"""``/identity/v2.0``: the older version, for clients that speak no other.

It knows the default domain only.
"""

from typing import Any
from uuid import UUID

import msgspec
from attrs import frozen

from snf.api.call import Call
from snf.api.identity.catalog import catalog
from snf.api.identity.entrance import Entrance
from snf.api.identity.login import Scope, Wanted, claimed_id, claimed_name
from snf.api.json import Edge, new_app, route
from snf.core.errors import BadRequest
from snf.core.identity import Grant
from snf.storage import users
from snf.storage.database import Transaction

_Json = dict[str, Any]


class PasswordCredentials(msgspec.Struct):
    """Who logs in: by name, or by id."""

    password: str
    username: str | None = None
    userId: str | None = None


class Token(msgspec.Struct):
    """A token to be exchanged."""

    id: str


class Auth(msgspec.Struct):
    """``auth``."""

    passwordCredentials: PasswordCredentials | None = None
    token: Token | None = None
    tenantName: str | None = None
    tenantId: str | None = None


class AuthBody(msgspec.Struct):
    """The body of ``POST /v2.0/tokens``; keys that are not known are ignored."""

    auth: Auth


@frozen
class Tokens:
    """``/v2.0/tokens``."""

    app = new_app()

    edge: Edge
    entrance: Entrance
    region: str

    @route(app, "POST", "/", role=None, body=AuthBody)
    async def log_in(self, call: Call) -> _Json:
        """Exchange a password or a token for a (new) token."""
        token, grant = await self.entrance.enter(call, _wanted(call.body.auth))
        return {"access": self._view(call, token, grant)}

    def _view(self, call: Call, token: str, grant: Grant) -> _Json:
        project = grant.project
        roles = [{"name": role.value} for role in grant.all_roles if project]
        shown: _Json = {
            "id": token,
            "issued_at": grant.issued.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            # Whole seconds: clients of that time know no other form.
            "expires": grant.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "audit_ids": [grant.audit_id],
        }
        services: list[_Json] = []
        if project is not None:
            shown["tenant"] = {
                "id": str(project.id),
                "name": project.name,
                "description": project.description,
                "enabled": project.enabled,
            }
            services = _catalog(call.root, self.region, project.id)
        return {
            "token": shown,
            "serviceCatalog": services,
            "user": {
                "id": str(grant.user.id),
                "name": grant.user.name,
                "username": grant.user.name,
                "roles": roles,
                "roles_links": [],
            },
            "metadata": {"is_admin": 0, "roles": [role["name"] for role in roles]},
        }


@frozen
class Tenants:
    """``/v2.0/tenants``: what projects were called."""

    app = new_app()

    edge: Edge

    @route(app, "GET", "/", scoped=False)
    def list(self, txn: Transaction, call: Call) -> _Json:
        """List the projects that the caller may get a token for."""
        wanted = users.Wanted(
            user=call.grant.user.id, enabled=True, name=call.argument("name")
        )
        if call.grant.credential is not None:
            wanted = users.Wanted(ids=[call.grant.credential.project])
        shown = [
            {
                "id": str(one.id),
                "name": one.name,
                "description": one.description,
                "enabled": one.enabled,
            }
            for one in users.projects(txn, wanted)
        ]
        return {"tenants": shown, "tenants_links": []}


def _wanted(auth: Auth) -> Wanted:
    """
    Return what a login asks for.

    :raises BadRequest: A part is missing.
    """
    scope = None
    if auth.tenantId:
        scope = Scope(project_id=claimed_id(auth.tenantId))
    elif auth.tenantName:
        scope = Scope(project_name=claimed_name(auth.tenantName))
    if auth.token is not None:
        return Wanted(scope, token=auth.token.id)
    sent = auth.passwordCredentials
    if sent is None:
        raise BadRequest("auth: needs passwordCredentials or token")
    if sent.userId is None and sent.username is None:
        raise BadRequest("auth.passwordCredentials: needs a username or a userId")
    return Wanted(
        scope,
        user_id=None if sent.userId is None else claimed_id(sent.userId),
        user_name=claimed_name(sent.username),
        password=sent.password,
    )


def _catalog(root: str, region: str, project: UUID) -> list[_Json]:
    """Return the catalog as it was then, the compute API's URL with the project."""
    return [
        {
            "type": one["type"],
            "name": one["name"],
            "endpoints_links": [],
            "endpoints": [_endpoint(root, region, one, project)],
        }
        for one in catalog(root, region)
    ]


def _endpoint(root: str, region: str, service: _Json, project: UUID) -> _Json:
    urls = {
        "identity": f"{root}/identity/v2.0",
        "compute": f"{root}/compute/v2/{project}",
    }
    [public, *_] = service["endpoints"]
    url = urls.get(service["type"], public["url"])
    return {
        "id": public["id"],
        "region": region,
        "publicURL": url,
        "internalURL": url,
        "adminURL": url,
    }
