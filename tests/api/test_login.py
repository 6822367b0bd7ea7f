"""``POST /identity/v3/auth/tokens``: logging in."""

from uuid import uuid4

from twisted.internet.defer import Deferred, fail

from snf.core import passwords
from snf.core.errors import Unavailable
from snf.core.identity import Project, Role, User
from snf.storage import users
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    PASSWORD,
    PROJECT_A,
    PROJECT_ADMIN,
    PROJECT_B,
    READER,
)
from tests.api.case import ROOT, TOKENS, ApiTestCase, Reply

DEFAULT = {"id": "default"}


class LoginTestCase(ApiTestCase):
    """A test that logs in in a way of its own."""

    def with_user(self, user, scope=None) -> Reply:
        """Log in as the ``user`` of the password method."""
        auth = {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"password": PASSWORD} | user},
            }
        }
        if scope is not None:
            auth["scope"] = scope
        return self.call("POST", TOKENS, {"auth": auth})

    def assert_is(self, user: User, project: Project | None, reply: Reply) -> None:
        """The reply is a token of a user in a project."""
        self.assertEqual(201, reply.code, reply.text)
        token = reply.json["token"]
        self.assertEqual(str(user.id), token["user"]["id"])
        got = token.get("project", {}).get("id")
        self.assertEqual(project and str(project.id), got)
        self.assertTrue(reply.header("X-Subject-Token"))

    def assert_refused(self, reply: Reply) -> None:
        """The reply says that authentication is needed, and nothing more."""
        self.assertEqual(401, reply.code, reply.text)
        self.assertEqual(
            {
                "error": {
                    "code": 401,
                    "title": "Unauthorized",
                    "message": "The request you have made requires authentication.",
                }
            },
            reply.json,
        )
        self.assertEqual(
            f'Keystone uri="{ROOT}/identity"', reply.header("WWW-Authenticate")
        )
        self.assertIsNone(reply.header("X-Subject-Token"))


class UserTests(LoginTestCase):
    """Who logs in, in all the ways that clients write it."""

    def test_by_name(self) -> None:
        """A name is enough with the domain by id, by name in any case, or not at all."""
        for domain in (
            {"domain": {"id": "default"}},
            {"domain": {"name": "Default"}},
            {"domain": {"name": "default"}},
            {"domain": {"name": "DEFAULT"}},
            {},
        ):
            reply = self.with_user({"name": "alice"} | domain)
            self.assert_is(ALICE, PROJECT_A, reply)

    def test_by_id(self) -> None:
        """An id needs no domain; it may be written without its hyphens."""
        for text in (str(ALICE.id), ALICE.id.hex, str(ALICE.id).upper()):
            self.assert_is(ALICE, PROJECT_A, self.with_user({"id": text}))

    def test_unicode(self) -> None:
        """Names and passwords may be of any script."""
        user = User(id=uuid4(), name="Αλίκη 🐇")
        self.run_in(users.add_user, user, _kept("κωδικός"))
        reply = self.with_user({"name": user.name, "password": "κωδικός"})
        self.assert_is(user, None, reply)

    def test_stray_keys(self) -> None:
        """Keys that some clients send and that mean nothing are ignored."""
        auth = {
            "tenantName": "alpha",
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "alice", "password": PASSWORD, "x": [1]}},
            },
            "scope": {"project": {"name": "alpha"}},
        }
        reply = self.call("POST", TOKENS, {"auth": auth})
        self.assert_is(ALICE, PROJECT_A, reply)


class ScopeTests(LoginTestCase):
    """What the token is for."""

    def test_project(self) -> None:
        """A project goes by id, or by name with the domain written in any way."""
        for scope in (
            {"id": str(PROJECT_A.id)},
            {"id": PROJECT_A.id.hex},
            {"name": "alpha"},
            {"name": "alpha", "domain": {"id": "default"}},
            {"name": "alpha", "domain": {"name": "Default"}},
        ):
            reply = self.with_user({"name": "alice"}, {"project": scope})
            self.assert_is(ALICE, PROJECT_A, reply)

    def test_another_than_the_default(self) -> None:
        """The scope decides, not the user's default project."""
        self.run_in(users.assign, ALICE.id, PROJECT_B.id, Role.READER)
        reply = self.with_user({"name": "alice"}, {"project": {"name": "beta"}})
        self.assert_is(ALICE, PROJECT_B, reply)
        self.assertEqual(["reader"], [r["name"] for r in reply.json["token"]["roles"]])

    def test_none(self) -> None:
        """Without a scope it is the default project."""
        self.assert_is(BOB, PROJECT_B, self.with_user({"name": "bob"}))

    def test_unscoped(self) -> None:
        """An unscoped token has no project, no roles and no catalog."""
        reply = self.with_user({"name": "alice"}, "unscoped")
        self.assert_is(ALICE, None, reply)
        self.assertEqual(
            {"methods", "user", "audit_ids", "expires_at", "issued_at"},
            set(reply.json["token"]),
        )

    def test_default_project_not_to_be_had(self) -> None:
        """Whose default project is of no use gets an unscoped token."""
        self.sql("UPDATE project SET enabled = false WHERE name = 'beta'")
        self.assert_is(BOB, None, self.with_user({"name": "bob"}))
        self.sql("DELETE FROM role_assignment WHERE user_id = %s", ALICE.id)
        self.assert_is(ALICE, None, self.with_user({"name": "alice"}))

    def test_roles(self) -> None:
        """A role shows with those that it includes."""
        for user, roles in (
            (ADMIN, {"admin", "member", "reader"}),
            (ALICE, {"member", "reader"}),
            (READER, {"reader"}),
        ):
            token = self.with_user({"name": user.name}).json["token"]
            self.assertEqual(roles, {role["name"] for role in token["roles"]})


class RefusedTests(LoginTestCase):
    """Every login that fails looks the same, whatever the reason."""

    def test_wrong_password(self) -> None:
        """A password that is wrong, empty, or has a NUL in it."""
        for password in ("wrong", "", "\0", PASSWORD + "\0", PASSWORD.upper()):
            reply = self.with_user({"name": "alice", "password": password})
            self.assert_refused(reply)

    def test_unknown_user(self) -> None:
        """A name or an id that nobody has, or can have."""
        for who in (
            {"name": "nobody"},
            {"name": ""},
            {"name": "a\0lice"},
            {"name": "' OR true --"},
            {"id": str(uuid4())},
            {"id": "not an id"},
            {"id": ""},
        ):
            self.assert_refused(self.with_user(who))

    def test_unknown_domain(self) -> None:
        """There is one domain only."""
        for domain in ({"id": "Default"}, {"id": "x"}, {"name": "x"}):
            self.assert_refused(self.with_user({"name": "alice", "domain": domain}))
            scope = {"project": {"name": "alpha", "domain": domain}}
            self.assert_refused(self.with_user({"name": "alice"}, scope))

    def test_disabled_user(self) -> None:
        """A user who has been disabled."""
        self.sql("UPDATE user_account SET enabled = false WHERE name = 'alice'")
        self.assert_refused(self.with_user({"name": "alice"}))

    def test_disabled_project(self) -> None:
        """A project that has been disabled."""
        self.sql("UPDATE project SET enabled = false WHERE name = 'alpha'")
        scope = {"project": {"name": "alpha"}}
        self.assert_refused(self.with_user({"name": "alice"}, scope))

    def test_no_role(self) -> None:
        """A project of others; one that does not exist looks no different."""
        for project in (
            {"name": "beta"},
            {"id": str(PROJECT_B.id)},
            {"id": str(PROJECT_ADMIN.id)},
            {"name": "nothing"},
            {"name": "a\0"},
            {"id": str(uuid4())},
            {"id": "x"},
        ):
            self.assert_refused(self.with_user({"name": "alice"}, {"project": project}))

    def test_noted(self) -> None:
        """Logins and refused logins are in the audit trail."""
        self.with_user({"name": "alice"})
        self.with_user({"name": "alice", "password": "wrong"})
        self.with_user({"name": "nobody"})
        self.assertEqual(
            [(ALICE.id, "accepted"), (ALICE.id, "refused"), (None, "refused")],
            self.sql("SELECT user_id, outcome FROM activity ORDER BY id"),
        )


class BusyTests(LoginTestCase):
    """More logins than passwords can be checked."""

    def verify(self, password: str, kept: str) -> "Deferred[bool]":
        return fail(Unavailable("Too many are logging in; try again later", 5))

    def test_refused(self) -> None:
        """It is a 503 that says when to try again, and no token."""
        reply = self.with_user({"name": "alice"})
        self.assertEqual(503, reply.code, reply.text)
        self.assertEqual("5", reply.header("Retry-After"))
        self.assertIsNone(reply.header("X-Subject-Token"))


class ThrottledTests(LoginTestCase):
    """Somebody who guesses."""

    def test_too_many(self) -> None:
        """After some failures it is a 429 for a while, even with the right password."""
        for _ in range(5):
            self.assert_refused(self.with_user({"name": "alice", "password": "x"}))
        for who in ({"name": "alice"}, {"id": str(ALICE.id)}):
            reply = self.with_user(who)
            self.assertEqual(429, reply.code)
            self.assertEqual("30", reply.header("Retry-After"))
        self.assert_is(BOB, PROJECT_B, self.with_user({"name": "bob"}))
        self.clock.advance(30)
        self.assert_is(ALICE, PROJECT_A, self.with_user({"name": "alice"}))

    def test_unknown_users(self) -> None:
        """Whether there is such a user cannot be seen from it."""
        for _ in range(5):
            self.assert_refused(self.with_user({"name": "nobody"}))
        self.assertEqual(429, self.with_user({"name": "nobody"}).code)

    def test_tokens(self) -> None:
        """Tokens that are there go on working, also to be exchanged."""
        token = self.token(ALICE)
        for _ in range(6):
            self.with_user({"name": "alice", "password": "x"})
        identity = {"methods": ["token"], "token": {"id": token}}
        reply = self.call("POST", TOKENS, {"auth": {"identity": identity}})
        self.assert_is(ALICE, PROJECT_A, reply)


class MalformedTests(LoginTestCase):
    """A login that makes no sense is a 400 that names the field."""

    def test_parts_missing(self) -> None:
        """What is missing is named."""
        password = {"user": {"name": "alice", "password": "x"}}
        for auth, named in (
            ({}, "identity"),
            ({"identity": {}}, "methods"),
            ({"identity": {"methods": []}}, "auth.identity.methods"),
            ({"identity": {"methods": ["saml2"]}}, "auth.identity.methods"),
            ({"identity": {"methods": ["password"]}}, "auth.identity.password"),
            ({"identity": {"methods": ["token"]}}, "auth.identity.token"),
            (
                {"identity": {"methods": ["password"], "password": {"user": {}}}},
                "password",
            ),
            (
                {
                    "identity": {
                        "methods": ["password"],
                        "password": {"user": {"password": "x"}},
                    }
                },
                "auth.identity.password.user",
            ),
            (
                {
                    "identity": {"methods": ["password"], "password": password},
                    "scope": {},
                },
                "auth.scope",
            ),
            (
                {
                    "identity": {"methods": ["password"], "password": password},
                    "scope": {"project": {}},
                },
                "auth.scope.project",
            ),
            (
                {
                    "identity": {"methods": ["password"], "password": password},
                    "scope": "everything",
                },
                "auth.scope",
            ),
        ):
            reply = self.call("POST", TOKENS, {"auth": auth})
            self.assertEqual(400, reply.code, (auth, reply.text))
            self.assertIn(named, reply.message)

    def test_wrong_types(self) -> None:
        """A value of the wrong type anywhere is a 400."""
        for wrong in (None, 1, 1.5, True, [], "text"):
            for body in (
                wrong,
                {"auth": wrong},
                {"auth": {"identity": wrong}},
                {"auth": {"identity": {"methods": wrong}}},
                {"auth": {"identity": {"methods": ["password"], "password": wrong}}},
                {"auth": {"identity": {"methods": ["token"], "token": wrong}}},
            ):
                if body is None:
                    continue
                reply = self.call("POST", TOKENS, body)
                self.assertEqual(400, reply.code, (body, reply.text))
                self.assertEqual("Bad Request", reply.json["error"]["title"])

    def test_other_scopes(self) -> None:
        """There are no domain and system scopes: nobody has a role there."""
        for scope in ({"domain": DEFAULT}, {"system": {"all": True}}):
            reply = self.with_user({"name": "alice"}, scope)
            self.assertEqual(401, reply.code, reply.text)


def _kept(password: str) -> str:
    return passwords.digest(password, b"salt", cost=2)
