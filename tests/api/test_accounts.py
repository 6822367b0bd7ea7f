"""``/identity/v3/users``: who can log in."""

from uuid import uuid4

from psycopg2.errors import SerializationFailure

from snf.core.quota import Resource
from snf.storage import quotas
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    PASSWORD,
    PROJECT_A,
    PROJECT_B,
    SMALL,
)
from tests.api.identity import V3, IdentityTestCase


class UserTests(IdentityTestCase):
    """An admin makes, changes and deletes users."""

    def test_new_one(self) -> None:
        """A new user can log in, and is shown without the password."""
        made = self.made(
            "user",
            name="Ζωή 🐇",
            password="κωδικός",
            email="z@example.org",
            default_project_id=str(PROJECT_A.id),
        )
        self.assertNotIn("password", made)
        self.assertEqual("z@example.org", made["email"])
        self.assertEqual(str(PROJECT_A.id), made["default_project_id"])
        self.assertTrue(self.enters("Ζωή 🐇", "κωδικός"))
        shown = self.v3("GET", f"users/{made['id']}").json["user"]
        self.assertEqual(made, shown)

    def test_without_a_password(self) -> None:
        """Nobody can log in as a user who has no password."""
        self.made("user", name="robot")
        for password in ("", "x"):
            self.assertFalse(self.enters("robot", password))

    def test_names(self) -> None:
        """A name is had once, also by a change; case makes another."""
        body = {"user": {"name": "alice"}}
        self.assertEqual(409, self.v3("POST", "users", body).code)
        self.assertEqual(409, self.v3("PATCH", f"users/{BOB.id}", body).code)
        self.assertEqual(
            201, self.v3("POST", "users", {"user": {"name": "Alice"}}).code
        )

    def test_change(self) -> None:
        """What is sent changes, the rest stays."""
        made = self.made("user", name="u", description="d", email="e")
        changed = self.v3(
            "PATCH", f"users/{made['id']}", {"user": {"name": "v", "email": None}}
        ).json["user"]
        del made["email"]
        self.assertEqual(made | {"name": "v"}, changed)

    def test_disabled(self) -> None:
        """Disabling ends the tokens for good: enabling does not bring them back."""
        self.token(BOB)
        for enabled in (False, True):
            body = {"user": {"enabled": enabled}}
            self.assertEqual(200, self.v3("PATCH", f"users/{BOB.id}", body).code)
            self.assertFalse(self.works(BOB))
            self.assertEqual(enabled, self.enters("bob"))

    def test_deleted(self) -> None:
        """A deleted user is gone; the servers stay; the name is free."""
        server = self.server(BOB)
        self.assertEqual(204, self.v3("DELETE", f"users/{BOB.id}").code)
        self.assertFalse(self.works(BOB))
        self.assertFalse(self.enters("bob"))
        for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"user": {}})):
            self.assertEqual(404, self.v3(method, f"users/{BOB.id}", body).code)
        self.assertEqual("web", self.shown(server, ADMIN)["name"])
        self.assertNotIn("bob", self.names("users"))
        self.made("user", name="bob", password="other")
        self.assertTrue(self.enters("bob", "other", "unscoped"))

    def test_another_password(self) -> None:
        """An admin can set anybody's, which ends the tokens."""
        self.token(BOB)
        body = {"user": {"password": "new"}}
        self.assertEqual(200, self.v3("PATCH", f"users/{BOB.id}", body).code)
        self.assertFalse(self.works(BOB))
        self.assertTrue(self.enters("bob", "new"))

    def test_nonsense(self) -> None:
        """What makes no sense is a 400 that names the field."""
        for user, field in (
            ({}, "user.name"),
            ({"name": ""}, "user.name"),
            ({"name": " "}, "user.name"),
            ({"name": "a\nb"}, "user.name"),
            ({"name": 5}, "user.name"),
            ({"name": "x" * 256}, "user.name"),
            ({"name": "x", "enabled": "yes"}, "user.enabled"),
            ({"name": "x", "password": "a\0"}, "user.password"),
            ({"name": "x", "password": ""}, "user.password"),
            ({"name": "x", "domain_id": "nowhere"}, "user.domain_id"),
            ({"name": "x", "default_project_id": "x"}, "user.default_project_id"),
            (
                {"name": "x", "default_project_id": str(uuid4())},
                "user.default_project_id",
            ),
            ({"name": "x", "options": {"lock_password": True}}, "user.options"),
        ):
            reply = self.v3("POST", "users", {"user": user})
            self.assertEqual(400, reply.code, reply.text)
            self.assertIn(field, reply.message)
        reply = self.v3("PATCH", f"users/{BOB.id}", {"user": {"domain_id": "other"}})
        self.assertEqual(400, reply.code)


class SelfTests(IdentityTestCase):
    """What a user may do without being admin."""

    def test_oneself(self) -> None:
        """One sees oneself, and one's projects and groups."""
        shown = self.v3("GET", f"users/{ALICE.id}", by=ALICE)
        self.assertEqual("alice", shown.json["user"]["name"])
        self.assertEqual(["alice"], self.names("users", ALICE))
        self.assertEqual([], self.names("users?name=bob", ALICE))
        self.assertEqual(["alpha"], self.names(f"users/{ALICE.id}/projects", ALICE))
        self.assertEqual([], self.names(f"users/{ALICE.id}/groups", ALICE))

    def test_others(self) -> None:
        """Others are a 403, whether there are such users or not; a name is a 404."""
        for path in ("", "/projects", "/groups", "/application_credentials"):
            for who in (BOB.id, uuid4()):
                reply = self.v3("GET", f"users/{who}{path}", by=ALICE)
                self.assertEqual(403, reply.code, reply.text)
            reply = self.v3("GET", f"users/bob{path}", by=ALICE)
            self.assertEqual(404, reply.code, reply.text)

    def test_admin_things(self) -> None:
        """Changes are for admins, oneself included."""
        for method, path, body in (
            ("POST", "users", {"user": {"name": "x"}}),
            ("PATCH", f"users/{ALICE.id}", {"user": {"enabled": True}}),
            ("DELETE", f"users/{ALICE.id}", None),
        ):
            self.assertEqual(403, self.v3(method, path, body, by=ALICE).code)

    def test_unscoped_admin(self) -> None:
        """An admin's token for no project is no admin's."""
        headers = self.unscoped(ADMIN)
        reply = self.call("GET", f"{V3}/users/{BOB.id}", headers=headers)
        self.assertEqual(403, reply.code)
        body = {"user": {"name": "x"}}
        reply = self.call("POST", f"{V3}/users", body, headers=headers)
        self.assertEqual(403, reply.code)

    def change(self, original: str, new: str, who=ALICE, by=ALICE) -> int:
        """Return the status of changing a password."""
        body = {"user": {"original_password": original, "password": new}}
        return self.v3("POST", f"users/{who.id}/password", body, by=by).code

    def test_password(self) -> None:
        """One's own password changes with the present one, which ends the tokens."""
        self.assertEqual(401, self.change("wrong", "new"))
        self.assertEqual(403, self.change(PASSWORD, "new", who=BOB))
        self.assertEqual(403, self.change(PASSWORD, "new", by=ADMIN))
        self.assertTrue(self.works(ALICE))
        self.assertEqual(204, self.change(PASSWORD, "new"))
        self.assertFalse(self.works(ALICE))
        self.assertTrue(self.enters("alice", "new"))
        self.assertFalse(self.enters("alice"))


class ListTests(IdentityTestCase):
    """Lists of users."""

    def test_filters(self) -> None:
        """By name, domain and whether they are enabled."""
        self.v3("PATCH", f"users/{BOB.id}", {"user": {"enabled": False}})
        everybody = ["admin", "alice", "bob", "reader"]
        self.assertEqual(everybody, self.names("users"))
        self.assertEqual(["bob"], self.names("users?name=bob"))
        self.assertEqual(["bob"], self.names("users?enabled=False"))
        self.assertEqual(everybody, self.names("users?domain_id=default"))
        self.assertEqual([], self.names("users?domain_id=other"))

    def test_pages(self) -> None:
        """Pages follow each other by their links to the end."""
        path, found = "users?limit=3", []
        while path:
            answer = self.v3("GET", path).json
            found += [one["name"] for one in answer["users"]]
            following = answer["links"]["next"] or ""
            path = following.rpartition(f"{V3}/")[2]
        self.assertEqual(["admin", "alice", "bob", "reader"], found)

    def test_head(self) -> None:
        """HEAD is GET without the body."""
        reply = self.v3("HEAD", f"users/{BOB.id}")
        self.assertEqual((200, b""), (reply.code, reply.text))


class ProjectTests(IdentityTestCase):
    """``/identity/v3/projects``."""

    def test_new_one(self) -> None:
        """A new project is shown, and found by its name."""
        made = self.made("project", name="Ωμέγα", description="d")
        self.assertEqual((True, "default"), (made["enabled"], made["domain_id"]))
        self.assertEqual(
            ["Ωμέγα"], self.names("projects?name=%CE%A9%CE%BC%CE%AD%CE%B3%CE%B1")
        )
        self.assertEqual(made, self.v3("GET", f"projects/{made['id']}").json["project"])

    def test_names(self) -> None:
        """A name is had once."""
        body = {"project": {"name": "alpha"}}
        self.assertEqual(409, self.v3("POST", "projects", body).code)
        self.assertEqual(409, self.v3("PATCH", f"projects/{PROJECT_B.id}", body).code)

    def test_whose(self) -> None:
        """One sees the projects in which one has a role; others are a 403."""
        self.assertEqual(["alpha"], self.names("projects", ALICE))
        self.assertEqual(["admin", "alpha", "beta"], self.names("projects"))
        for project, code in ((PROJECT_A.id, 200), (PROJECT_B.id, 403), (uuid4(), 403)):
            reply = self.v3("GET", f"projects/{project}", by=ALICE)
            self.assertEqual(code, reply.code)
        self.assertEqual(404, self.v3("GET", "projects/alpha", by=ALICE).code)
        self.assertEqual(404, self.v3("GET", f"projects/{uuid4()}").code)
        self.assertEqual(["alpha"], self.names("auth/projects", ALICE))

    def test_disabled(self) -> None:
        """Disabling ends the project's tokens for good."""
        self.token(BOB)
        for enabled in (False, True):
            body = {"project": {"enabled": enabled}}
            reply = self.v3("PATCH", f"projects/{PROJECT_B.id}", body)
            self.assertEqual(enabled, reply.json["project"]["enabled"])
            self.assertFalse(self.works(BOB))
            scope = {"project": {"id": str(PROJECT_B.id)}}
            self.assertEqual(enabled, self.enters("bob", scope=scope))

    def test_delete(self) -> None:
        """One that owns a live server stays; then it can be deleted, and is gone."""
        server = self.server(BOB)
        path = f"projects/{PROJECT_B.id}"
        reply = self.v3("DELETE", path)
        self.assertEqual(409, reply.code)
        self.assertIn("servers: 1", reply.message)
        self.call("DELETE", f"/compute/v2.1/servers/{server}", by=BOB)
        self.assertEqual(204, self.v3("DELETE", path).code)
        self.assertFalse(self.works(BOB))
        self.assertEqual(404, self.v3("GET", path).code)
        self.assertNotIn("beta", self.names("projects"))
        self.assertTrue(self.enters("bob", scope="unscoped"))
        self.made("project", name="beta")

    def test_delete_all(self) -> None:
        """What was only the project's goes with it; its servers' history stays."""
        server = self.server(BOB)
        body = {"server_group": {"name": "g", "policies": ["affinity"]}}
        path = "/compute/v2.1/os-server-groups"
        self.assertEqual(200, self.call("POST", path, body, by=BOB).code)
        limit = {Resource.CORES: 5}
        self.run_in(quotas.set_limits, PROJECT_B.id, limit)
        self.sql(
            "INSERT INTO flavor_access (flavor_id, project_id) VALUES (%s, %s)",
            SMALL.id,
            PROJECT_B.id,
        )
        self.call("DELETE", f"/compute/v2.1/servers/{server}", by=BOB)
        self.assertEqual(204, self.v3("DELETE", f"projects/{PROJECT_B.id}").code)
        for table in ("server_group", "flavor_access", "quota_limit", "quota_usage"):
            found = self.sql(
                f"SELECT count(*) FROM {table} WHERE project_id = %s", PROJECT_B.id
            )
            self.assertEqual([(0,)], found, table)
        listed = self.call("GET", f"{path}?all_projects=1", by=ADMIN).json
        self.assertEqual([], listed["server_groups"])
        self.assertEqual([], self.run_in(quotas.recount))
        self.assertEqual([(1,)], self.sql("SELECT count(*) FROM server"))

    def test_server_meanwhile(self) -> None:
        """A server asked for while its project goes is to be tried again, not made."""
        self.token(BOB)
        self.sql("UPDATE project SET deleted = now() WHERE id = %s", PROJECT_B.id)
        reply = self.create(BOB)
        [failure] = self.flushLoggedErrors(SerializationFailure)
        self.assertIn("is being deleted", str(failure.value))
        self.assertEqual(500, reply.code)  # the real database tries again: 401
        self.assertEqual([(0,)], self.sql("SELECT count(*) FROM server"))

    def test_nonsense(self) -> None:
        """What is not offered, or makes no sense, is a 400 that names the field."""
        for project, field in (
            ({}, "project.name"),
            ({"name": None}, "project.name"),
            ({"name": "x", "is_domain": True}, "project.is_domain"),
            ({"name": "x", "parent_id": str(PROJECT_A.id)}, "project.parent_id"),
            ({"name": "x", "tags": ["a"]}, "project.tags"),
            ({"name": "x", "description": 1}, "project.description"),
        ):
            reply = self.v3("POST", "projects", {"project": project})
            self.assertEqual(400, reply.code, reply.text)
            self.assertIn(field, reply.message)
