"""Application credentials, and logging in with one."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snf.core.identity import Role
from snf.storage import users
from snf.testing.world import ADMIN, ALICE, BOB, PROJECT_A, PROJECT_B, READER
from tests.api.case import NOW, SERVERS, TOKENS, Reply
from tests.api.identity import V3, IdentityTestCase


class CredentialTestCase(IdentityTestCase):
    """A test with application credentials."""

    def ask(self, by=ALICE, **what: Any) -> Reply:
        """Ask for an application credential."""
        body = {"application_credential": {"name": "ci"} | what}
        return self.v3("POST", f"users/{by.id}/application_credentials", body, by=by)

    def credential(self, by=ALICE, **what: Any) -> Any:
        """Return a new one, with its secret."""
        reply = self.ask(by, **what)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["application_credential"]

    def enter_by(self, credential: Any, scope: Any = None, **what: Any) -> Reply:
        """Log in with one."""
        sent = {"id": credential["id"], "secret": credential["secret"]} | what
        identity = {
            "methods": ["application_credential"],
            "application_credential": {k: v for k, v in sent.items() if v},
        }
        auth: dict[str, Any] = {"identity": identity}
        if scope is not None:
            auth["scope"] = scope
        return self.call("POST", TOKENS, {"auth": auth})

    def headers_of(self, credential: Any) -> dict[str, str]:
        """Return the header that authenticates by one."""
        reply = self.enter_by(credential)
        self.assertEqual(201, reply.code, reply.text)
        return {"X-Auth-Token": reply.header("X-Subject-Token") or ""}


class MakingTests(CredentialTestCase):
    """Making, showing and deleting them."""

    def test_secret(self) -> None:
        """The secret is shown once, and nowhere kept."""
        made = self.credential(description="d")
        secret = made.pop("secret")
        path = f"users/{ALICE.id}/application_credentials"
        self.assertEqual(["ci"], self.names(path, ALICE))
        shown = self.v3("GET", f"{path}/{made['id']}", by=ALICE)
        self.assertEqual({"application_credential": made}, shown.json)
        [(kept,)] = self.sql("SELECT secret FROM application_credential")
        self.assertTrue(kept.startswith("sha256$"))
        self.assertNotIn(secret, kept)

    def test_given_secret(self) -> None:
        """A secret that somebody has thought of is kept as passwords are."""
        made = self.credential(secret="hunter2")
        self.assertEqual("hunter2", made["secret"])
        [(kept,)] = self.sql("SELECT secret FROM application_credential")
        self.assertTrue(kept.startswith("scrypt$"))
        self.assertEqual(201, self.enter_by(made).code)
        self.assertEqual(401, self.enter_by(made, secret="hunter3").code)

    def test_names(self) -> None:
        """A user has one of a name; another user may have it too."""
        self.credential()
        self.assertEqual(409, self.ask().code)
        self.credential(by=BOB)

    def test_others(self) -> None:
        """Nobody makes one for somebody else; admins see and delete others'."""
        made = self.credential()
        body = {"application_credential": {"name": "x"}}
        path = f"users/{ALICE.id}/application_credentials"
        for by, code in ((BOB, 403), (ADMIN, 403)):
            self.assertEqual(code, self.v3("POST", path, body, by=by).code)
        one = f"{path}/{made['id']}"
        for method in ("GET", "DELETE"):
            self.assertEqual(403, self.v3(method, one, by=BOB).code)
            own = f"users/{BOB.id}/application_credentials/{made['id']}"
            self.assertEqual(404, self.v3(method, own, by=BOB).code)
        self.assertEqual(200, self.v3("GET", one).code)
        self.assertEqual(204, self.v3("DELETE", one).code)
        self.assertEqual(404, self.v3("GET", one).code)

    def test_nonsense(self) -> None:
        """A field that makes no sense is named."""
        for what, field in (
            ({"name": ""}, "name"),
            ({"expires_at": "tomorrow"}, "expires_at"),
            ({"expires_at": "2001-01-01T00:00:00"}, "expires_at"),
            ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
            ({"roles": [{"name": "admin"}]}, "roles"),
            ({"roles": [{"id": "owner"}]}, "roles"),
            ({"roles": [{}]}, "roles"),
            ({"unrestricted": "yes"}, "unrestricted"),
            ({"access_rules": [{"path": "/"}]}, "access_rules"),
            ({"secret": "a\0"}, "secret"),
        ):
            reply = self.ask(**what)
            self.assertEqual(400, reply.code, (what, reply.text))
            self.assertIn(field, reply.message)

    def test_unscoped(self) -> None:
        """It is for a project, so the token must be."""
        path = f"{V3}/users/{ALICE.id}/application_credentials"
        body = {"application_credential": {"name": "x"}}
        reply = self.call("POST", path, body, headers=self.unscoped(ALICE))
        self.assertEqual(403, reply.code)


class LoginTests(CredentialTestCase):
    """What one opens."""

    def test_token(self) -> None:
        """The token is for its project and says what it came of."""
        made = self.credential()
        for scope in (None, {"project": {"id": str(PROJECT_A.id)}}):
            token = self.enter_by(made, scope).json["token"]
            self.assertEqual("alpha", token["project"]["name"])
            self.assertEqual(["application_credential"], token["methods"])
            expected = {"id": made["id"], "name": "ci", "restricted": True}
            self.assertEqual(expected, token["application_credential"])
        by_name = self.enter_by(
            made,
            id=None,
            name="ci",
            user={"name": "alice", "domain": {"id": "default"}},
        )
        self.assertEqual(201, by_name.code, by_name.text)

    def test_refused(self) -> None:
        """A wrong secret, another project, or somebody else's are the same 401."""
        made = self.credential()
        self.run_in(users.assign, ALICE.id, PROJECT_B.id, Role.MEMBER)
        for reply in (
            self.enter_by(made, secret="x"),
            self.enter_by(made, id=str(uuid4())),
            self.enter_by(made, id="x"),
            self.enter_by(made, {"project": {"id": str(PROJECT_B.id)}}),
            self.enter_by(made, "unscoped"),
            self.enter_by(made, id=None, name="ci", user={"name": "bob"}),
            self.enter_by(made, id=None, name="ci", user={"id": str(BOB.id)}),
        ):
            self.assertEqual(401, reply.code, reply.text)

    def test_roles(self) -> None:
        """It may do what it was given, and no more after an exchange of the token."""
        headers = self.headers_of(self.credential(roles=[{"name": "reader"}]))
        old = headers["X-Auth-Token"]
        for _ in range(2):
            self.assertEqual(200, self.call("GET", SERVERS, headers=headers).code)
            reply = self.call("POST", SERVERS, {}, headers=headers)
            self.assertIn(reply.code, (400, 403))
            identity = {"methods": ["token"], "token": {"id": old}}
            again = self.call("POST", TOKENS, {"auth": {"identity": identity}})
            roles = [one["name"] for one in again.json["token"]["roles"]]
            self.assertEqual(["reader"], roles)
            headers = {"X-Auth-Token": again.header("X-Subject-Token") or ""}
        self.run_in(users.assign, ALICE.id, PROJECT_B.id, Role.MEMBER)
        auth = {"identity": identity, "scope": {"project": {"name": "beta"}}}
        self.assertEqual(401, self.call("POST", TOKENS, {"auth": auth}).code)

    def test_user_loses_roles(self) -> None:
        """It may never do more than its user may."""
        made = self.credential(by=READER, roles=[{"name": "reader"}])
        headers = self.headers_of(made)
        place = f"projects/{PROJECT_A.id}/users/{READER.id}/roles/reader"
        self.v3("DELETE", place)
        self.assertEqual(401, self.call("GET", SERVERS, headers=headers).code)
        self.assertEqual(401, self.enter_by(made).code)

    def test_restricted(self) -> None:
        """A restricted one is no way to others; an unrestricted one is."""
        path = f"{V3}/users/{ALICE.id}/application_credentials"
        body = {"application_credential": {"name": "more"}}
        made = self.credential()
        headers = self.headers_of(made)
        self.assertEqual(403, self.call("POST", path, body, headers=headers).code)
        one = f"{path}/{made['id']}"
        self.assertEqual(403, self.call("DELETE", one, headers=headers).code)
        headers = self.headers_of(self.credential(name="free", unrestricted=True))
        self.assertEqual(201, self.call("POST", path, body, headers=headers).code)
        self.assertEqual(204, self.call("DELETE", one, headers=headers).code)

    def test_expires(self) -> None:
        """Its tokens end with it, and it lets nobody in after that."""
        moment = datetime.fromtimestamp(NOW + 60, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        made = self.credential(expires_at=moment)
        self.assertEqual(f"{moment}.000000", made["expires_at"])
        headers = self.headers_of(made)
        self.clock.advance(59)
        self.assertEqual(200, self.call("GET", SERVERS, headers=headers).code)
        self.clock.advance(1)
        self.assertEqual(401, self.call("GET", SERVERS, headers=headers).code)
        self.assertEqual(401, self.enter_by(made).code)

    def test_ended(self) -> None:
        """Deleting it, or disabling its user or project, ends its tokens."""
        for method, path, body in (
            ("DELETE", f"users/{ALICE.id}/application_credentials/{{}}", None),
            ("PATCH", f"users/{ALICE.id}", {"user": {"enabled": False}}),
            ("PATCH", f"projects/{PROJECT_A.id}", {"project": {"enabled": False}}),
        ):
            self._logged_in.clear()
            made = self.credential(name=method + path)
            headers = self.headers_of(made)
            reply = self.v3(method, path.format(made["id"]), body)
            self.assertIn(reply.code, (200, 204))
            self.assertEqual(401, self.call("GET", SERVERS, headers=headers).code)
            self.assertEqual(401, self.enter_by(made).code)
            self.sql("UPDATE user_account SET enabled = true")

    def test_password_changed(self) -> None:
        """Another password of its user is nothing to it, but its tokens end."""
        made = self.credential()
        self.v3("PATCH", f"users/{ALICE.id}", {"user": {"password": "new"}})
        self.assertEqual(201, self.enter_by(made).code)
