"""A Keystone that listens somewhere, real or our own, prepared for the contract."""

from typing import Any
from uuid import uuid4

import orjson
from attrs import define, evolve, field
from treq.client import HTTPClient
from twisted.web.client import Agent

from snf.keystone.account import Account
from snf.keystone.client import Client, connect

_TIMEOUT_S = 30.0


@define(eq=False)
class KeystoneOverHttp:
    """
    The contract's subject, whose things an admin makes by the API.

    :ivar url: Of its version 3.
    :ivar admin: The admin's name and password, in a project of the same name.
    """

    reactor: Any
    url: str
    admin: tuple[str, str]
    client: Client = field(init=False)
    stranger: Client = field(init=False)
    user: str = field(init=False, factory=lambda: f"alice-{uuid4().hex}")
    project: str = field(init=False, factory=lambda: f"alpha-{uuid4().hex}")
    _token: str = field(init=False, default="", repr=False)
    _project_id: str = field(init=False, default="")

    async def prepare(self) -> "KeystoneOverHttp":
        """Make the account that checks tokens, the user and the project."""
        self._token = await self._log_in(self.admin[0], self.admin[1], self.admin[0])
        service, place = f"cyclades-{uuid4().hex}", f"service-{uuid4().hex}"
        await self._make(service, place, "service", "admin")
        self._project_id = await self._make(self.user, self.project, "member")
        account = Account(self.url, service, "secret", project=place)
        self.client = connect(self.reactor, account, _TIMEOUT_S, 10)
        wrong = evolve(account, password="guess")
        self.stranger = connect(self.reactor, wrong, _TIMEOUT_S, 10)
        return self

    async def token(self, scoped: bool = True) -> str:
        """Return a new token of the user's."""
        return await self._log_in(self.user, "secret", self.project if scoped else None)

    async def revoke(self, token: str) -> None:
        """End a token."""
        await self._ask("DELETE", "/auth/tokens", 204, subject=token)

    async def disable(self) -> None:
        """Disable the project."""
        change = {"project": {"enabled": False}}
        await self._ask("PATCH", f"/projects/{self._project_id}", 200, change)

    async def close(self) -> None:
        """Close the clients' connections."""
        await self.client.close()
        await self.stranger.close()

    async def _make(self, user: str, project: str, *roles: str) -> str:
        """Make a user with the first of some roles that there is, in a project."""
        _, made = await self._ask(
            "POST", "/projects", 201, {"project": {"name": project}}
        )
        where = made["project"]["id"]
        body = {"user": {"name": user, "password": "secret"}}
        _, made = await self._ask("POST", "/users", 201, body)
        who = made["user"]["id"]
        _, found = await self._ask("GET", "/roles", 200)
        known = {role["name"]: role["id"] for role in found["roles"]}
        [role, *_] = [known[name] for name in roles if name in known]
        path = f"/projects/{where}/users/{who}/roles/{role}"
        await self._ask("PUT", path, 204)
        return where

    async def _log_in(self, user: str, password: str, project: str | None) -> str:
        domain = {"id": "default"}
        who = {"name": user, "password": password, "domain": domain}
        scope: Any = "unscoped"
        if project is not None:
            scope = {"project": {"name": project, "domain": domain}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": scope,
        }
        token, _ = await self._ask("POST", "/auth/tokens", 201, {"auth": auth})
        assert token is not None
        return token

    async def _ask(
        self,
        method: str,
        path: str,
        expected: int,
        body: Any = None,
        subject: str | None = None,
    ) -> tuple[str | None, Any]:
        """Return the token and the JSON of an answer."""
        headers: dict[bytes | str, bytes | str] = {"Content-Type": "application/json"}
        if self._token:
            headers["X-Auth-Token"] = self._token
        if subject is not None:
            headers["X-Subject-Token"] = subject
        http = HTTPClient(Agent(self.reactor, connectTimeout=_TIMEOUT_S))
        response = await http.request(
            method,
            self.url + path,
            headers=headers,
            data=None if body is None else orjson.dumps(body),
            timeout=_TIMEOUT_S,
        )
        content = await response.content()
        if response.code != expected:
            raise AssertionError(f"{method} {path}: {response.code} {content!r}")
        token = response.headers.getRawHeaders("X-Subject-Token", [None])[0]
        return token, orjson.loads(content) if content else None
