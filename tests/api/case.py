"""What the tests of the APIs stand on: every route, no socket, a real PostgreSQL."""

import json
from typing import Any

from attrs import frozen
from treq.testing import StubTreq
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.api.compute.build import Builder
from snf.api.tree import Parts, site
from snf.config import Api, Identity
from snf.core import passwords
from snf.core.identity import User
from snf.testing import world
from snf.testing.postgres import inline_database

ROOT = "http://cloud.test:8774"
NOW = 1_800_000_000.0


@frozen
class Reply:
    """What the server answered."""

    code: int
    headers: Any
    text: bytes

    @property
    def json(self) -> Any:
        """What its JSON holds."""
        return json.loads(self.text)

    def header(self, name: str) -> str | None:
        """Return one of its headers."""
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None


class ApiTestCase(SynchronousTestCase):
    """A test with the whole site, over a database that holds a small world."""

    max_body_bytes = 4096
    page_size = 1000

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.database = inline_database(self)
        self.run_in(world.make)
        self.tokens = 0
        self.site = site(
            Parts(
                clock=self.clock,
                database=self.database,  # type: ignore[arg-type]
                api=Api(
                    public_url=ROOT,
                    max_body_bytes=self.max_body_bytes,
                    page_size=self.page_size,
                ),
                identity=Identity(token_lifetime_s=3600),
                instance_prefix="snf",
                verify=lambda password, kept: succeed(
                    passwords.matches(password, kept)
                ),
                new_token=self._new_token,
                builder=Builder(),
            )
        )
        self.client = StubTreq(self.site.resource)
        self._logged_in: dict[str, str] = {}

    def _new_token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens:030d}"

    def run_in(self, function: Any, *args: Any) -> Any:
        """Return what a storage function returns, in a transaction of its own."""
        from twisted.internet.defer import Deferred

        return self.successResultOf(
            Deferred.fromCoroutine(self.database.run(function, *args))
        )

    def token(self, user: User) -> str:
        """Return a token of a user, in the user's own project."""
        if user.name not in self._logged_in:
            reply = self.log_in(user.name, world.PASSWORD)
            self.assertEqual(201, reply.code, reply.text)
            self._logged_in[user.name] = reply.header("X-Subject-Token") or ""
        return self._logged_in[user.name]

    def log_in(self, name: str, password: str, scope: Any = None) -> Reply:
        """Log in with a password, in the domain ``default``."""
        auth: dict[str, Any] = {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": name,
                        "password": password,
                        "domain": {"id": "default"},
                    }
                },
            }
        }
        if scope is not None:
            auth["scope"] = scope
        return self.call("POST", "/identity/v3/auth/tokens", {"auth": auth})

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: User | None = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Return the answer to a request; ``body`` is sent as JSON."""
        sent = dict(headers or {})
        if by is not None:
            sent["X-Auth-Token"] = self.token(by)
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        response = self.successResultOf(
            self.client.request(method, ROOT + path, data=data, headers=sent)
        )
        return Reply(
            response.code,
            response.headers,
            self.successResultOf(response.content()),
        )
