"""What the tests of the identity API have in common."""

from typing import Any

from snf.core.identity import User
from snf.testing.world import ADMIN, PASSWORD
from tests.api.case import TOKENS, ApiTestCase, Reply

V3 = "/identity/v3"


class IdentityTestCase(ApiTestCase):
    """A test of what is below ``/identity/v3``."""

    def v3(
        self, method: str, path: str, body: Any = None, by: User = ADMIN, **more: Any
    ) -> Reply:
        """Return the answer to a request, an admin's unless told."""
        return self.call(method, f"{V3}/{path}", body, by=by, **more)

    def made(self, noun: str, **what: Any) -> Any:
        """Return a new thing that an admin has made."""
        reply = self.v3("POST", f"{noun}s", {noun: what})
        self.assertEqual(201, reply.code, reply.text)
        return reply.json[noun]

    def names(self, path: str, by: User = ADMIN) -> list[str]:
        """Return the names in a list."""
        reply = self.v3("GET", path, by=by)
        self.assertEqual(200, reply.code, reply.text)
        key = path.partition("?")[0].rpartition("/")[2]
        return [one["name"] for one in reply.json[key]]

    def works(self, user: User) -> bool:
        """Whether the token that a user was given is valid still."""
        reply = self.call("GET", TOKENS, by=user, headers=self._subject(user))
        self.assertIn(reply.code, (200, 401), reply.text)
        return reply.code == 200

    def _subject(self, user: User) -> dict[str, str]:
        return {"X-Subject-Token": self.token(user)}

    def enters(self, name: str, password: str = PASSWORD, scope: Any = None) -> bool:
        """Whether somebody can log in."""
        return self.log_in(name, password, scope).code == 201
