"""``/identity/v3/auth/tokens``: what a token stands for, and until when."""

from typing import Any

from snf.core.identity import Role
from snf.core.passwords import token_digest
from snf.storage import users
from snf.testing.world import ADMIN, ALICE, BOB, PASSWORD, PROJECT_A, PROJECT_B
from tests.api.case import ROOT, SERVERS, TOKENS, ApiTestCase, Reply


class TokenTestCase(ApiTestCase):
    """A test about tokens."""

    def about(self, method: str, subject: str, by: str) -> Reply:
        """Ask about a token by means of another."""
        headers = {"X-Auth-Token": by, "X-Subject-Token": subject}
        return self.call(method, TOKENS, headers=headers)

    def exchange(self, token: str, scope: Any = None) -> Reply:
        """Log in with a token."""
        auth: dict[str, Any] = {
            "identity": {"methods": ["token"], "token": {"id": token}}
        }
        if scope is not None:
            auth["scope"] = scope
        return self.call("POST", TOKENS, {"auth": auth})

    def works(self, token: str) -> bool:
        """Whether a token is good for anything."""
        reply = self.call("GET", SERVERS, headers={"X-Auth-Token": token})
        self.assertIn(reply.code, (200, 401))
        return reply.code == 200


class ShapeTests(TokenTestCase):
    """A token as clients need it."""

    def test_keys(self) -> None:
        """It has what Keystone's has, and times with microseconds in UTC."""
        token = self.log_in("alice", PASSWORD).json["token"]
        self.assertEqual(
            {
                "methods",
                "user",
                "audit_ids",
                "expires_at",
                "issued_at",
                "project",
                "is_domain",
                "roles",
                "catalog",
            },
            set(token),
        )
        domain = {"id": "default", "name": "Default"}
        self.assertEqual(
            {
                "id": str(ALICE.id),
                "name": "alice",
                "domain": domain,
                "password_expires_at": None,
            },
            token["user"],
        )
        self.assertEqual(
            {"id": str(PROJECT_A.id), "name": "alpha", "domain": domain},
            token["project"],
        )
        self.assertEqual("2027-01-15T08:00:00.000000Z", token["issued_at"])
        self.assertEqual("2027-01-15T09:00:00.000000Z", token["expires_at"])
        self.assertEqual(["password"], token["methods"])

    def test_catalog(self) -> None:
        """The catalog has the four services, each with three interfaces."""
        catalog = self.log_in("alice", PASSWORD).json["token"]["catalog"]
        self.assertEqual(
            {
                "identity": f"{ROOT}/identity/v3",
                "compute": f"{ROOT}/compute/v2.1",
                "image": f"{ROOT}/image",
                "network": f"{ROOT}/network",
            },
            {service["type"]: service["endpoints"][0]["url"] for service in catalog},
        )
        for service in catalog:
            self.assertEqual({"id", "type", "name", "endpoints"}, set(service))
            self.assertEqual(
                {"public", "internal", "admin"},
                {endpoint["interface"] for endpoint in service["endpoints"]},
            )
            for endpoint in service["endpoints"]:
                self.assertEqual(
                    {"id", "interface", "region", "region_id", "url"}, set(endpoint)
                )
                self.assertEqual("RegionOne", endpoint["region"])

    def test_catalog_serves(self) -> None:
        """Each service answers at the URL that the catalog names."""
        for service in self.log_in("alice", PASSWORD).json["token"]["catalog"]:
            path = service["endpoints"][0]["url"].removeprefix(ROOT)
            self.assertIn(self.call("GET", path).code, (200, 300), path)

    def test_without_catalog(self) -> None:
        """Who does not want the catalog can leave it out."""
        token = self.token(ALICE)
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        reply = self.call("GET", f"{TOKENS}?nocatalog", headers=headers)
        self.assertNotIn("catalog", reply.json["token"])

    def test_kept_hashed_only(self) -> None:
        """The database has a digest of the token and the token itself nowhere."""
        token = self.token(ALICE)
        [(digest,)] = self.sql("SELECT digest FROM token")
        self.assertEqual(token_digest(token), bytes(digest))
        for (table,) in self.sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ):
            rows = self.sql(
                f"SELECT t::text FROM {table} t WHERE strpos(t::text, %s) > 0", token
            )
            self.assertEqual([], rows, table)


class SubjectTests(TokenTestCase):
    """Asking about a token, and ending it."""

    def test_show(self) -> None:
        """One's own token shows what it showed at the login."""
        logged_in = self.log_in("alice", PASSWORD)
        token = logged_in.header("X-Subject-Token") or ""
        reply = self.about("GET", token, token)
        self.assertEqual(200, reply.code)
        self.assertEqual(logged_in.json, reply.json)
        self.assertEqual(token, reply.header("X-Subject-Token"))

    def test_head(self) -> None:
        """HEAD tells the same without a body."""
        token = self.token(ALICE)
        reply = self.about("HEAD", token, token)
        self.assertEqual((200, b""), (reply.code, reply.text))
        self.assertEqual(404, self.about("HEAD", "other", token).code)

    def test_another_of_mine(self) -> None:
        """One token of a user may ask about another, and end it."""
        first = self.token(ALICE)
        second = self.log_in("alice", PASSWORD).header("X-Subject-Token") or ""
        self.assertEqual(200, self.about("GET", first, second).code)
        self.assertEqual(204, self.about("DELETE", first, second).code)
        self.assertFalse(self.works(first))
        self.assertTrue(self.works(second))

    def test_not_mine(self) -> None:
        """Another user's token is not there, and stays good."""
        alice, bob = self.token(ALICE), self.token(BOB)
        for method in ("GET", "HEAD", "DELETE"):
            self.assertEqual(404, self.about(method, alice, bob).code)
        unknown = self.about("GET", "unknown", bob)
        self.assertEqual(unknown.json, self.about("GET", alice, bob).json)
        self.assertTrue(self.works(alice))

    def test_by_admin(self) -> None:
        """An admin may ask about every token, and end it."""
        alice, admin = self.token(ALICE), self.token(ADMIN)
        self.assertEqual(
            "alice", self.about("GET", alice, admin).json["token"]["user"]["name"]
        )
        self.assertEqual(204, self.about("DELETE", alice, admin).code)
        self.assertFalse(self.works(alice))

    def test_end(self) -> None:
        """A token that has ended itself is good for nothing, not even for that."""
        token = self.token(ALICE)
        self.assertEqual(204, self.about("DELETE", token, token).code)
        self.assertFalse(self.works(token))
        self.assertEqual(401, self.about("DELETE", token, token).code)

    def test_no_subject(self) -> None:
        """Without a subject there is nothing to show or to end."""
        for method in ("GET", "DELETE"):
            self.assertEqual(404, self.call(method, TOKENS, by=ALICE).code)

    def test_unscoped(self) -> None:
        """An unscoped token may ask about itself."""
        token = self.unscoped(ALICE)["X-Auth-Token"]
        self.assertEqual(200, self.about("GET", token, token).code)
        self.assertEqual(204, self.about("DELETE", token, token).code)

    def test_nobody(self) -> None:
        """Without a token, or with one that is not known, it is a 401."""
        for headers in ({}, {"X-Auth-Token": "x"}, {"X-Auth-Token": ""}):
            headers = headers | {"X-Subject-Token": self.token(ALICE)}
            self.assertEqual(401, self.call("GET", TOKENS, headers=headers).code)


class ValidityTests(TokenTestCase):
    """Until when a token is good."""

    def test_expired(self) -> None:
        """An expired token is a 401, to the second."""
        token = self.token(ALICE)
        self.clock.advance(3599)
        self.assertTrue(self.works(token))
        self.clock.advance(1)
        self.assertFalse(self.works(token))

    def test_changes_at_once(self) -> None:
        """Whoever is disabled or loses the last role is out at once."""
        for change, back in (
            (
                "UPDATE user_account SET enabled = false",
                "UPDATE user_account SET enabled = true",
            ),
            (
                "UPDATE project SET enabled = false",
                "UPDATE project SET enabled = true",
            ),
            ("DELETE FROM role_assignment", "SELECT 1"),
        ):
            token = self.token(ALICE)
            self.sql(change)
            self.assertFalse(self.works(token), change)
            self.sql(back)

    def test_new_password(self) -> None:
        """A new password ends all tokens of its user, and no others."""
        alice, bob = self.token(ALICE), self.token(BOB)
        self.run_in(users.set_password, ALICE.id, "scrypt$2$8$1$00$00")
        self.assertFalse(self.works(alice))
        self.assertTrue(self.works(bob))


class ExchangeTests(TokenTestCase):
    """The method ``token``: one token for another."""

    def test_scope(self) -> None:
        """An unscoped token becomes one for a project, with both methods named."""
        unscoped = self.unscoped(ALICE)["X-Auth-Token"]
        reply = self.exchange(unscoped, {"project": {"name": "alpha"}})
        self.assertEqual(201, reply.code, reply.text)
        self.assertEqual("alpha", reply.json["token"]["project"]["name"])
        self.assertEqual(["token", "password"], reply.json["token"]["methods"])
        self.assertTrue(self.works(reply.header("X-Subject-Token") or ""))

    def test_another_project(self) -> None:
        """A token for one project becomes one for another; roles are that one's."""
        self.run_in(users.assign, ALICE.id, PROJECT_B.id, Role.READER)
        reply = self.exchange(self.token(ALICE), {"project": {"name": "beta"}})
        self.assertEqual("beta", reply.json["token"]["project"]["name"])
        self.assertEqual(1, len(reply.json["token"]["roles"]))

    def test_never_longer(self) -> None:
        """The new token expires when the old one does, however often it is done."""
        first = self.log_in("alice", PASSWORD)
        token = first.header("X-Subject-Token") or ""
        for _ in range(3):
            self.clock.advance(600)
            reply = self.exchange(token)
            self.assertEqual(
                first.json["token"]["expires_at"], reply.json["token"]["expires_at"]
            )
            token = reply.header("X-Subject-Token") or ""
        self.clock.advance(1800)
        self.assertFalse(self.works(token))
        self.assertEqual(401, self.exchange(token).code)

    def test_not_good(self) -> None:
        """An unknown token, or a project without a role, is a 401."""
        self.assertEqual(401, self.exchange("unknown").code)
        self.assertEqual(401, self.exchange("").code)
        beta = {"project": {"name": "beta"}}
        self.assertEqual(401, self.exchange(self.token(ALICE), beta).code)
