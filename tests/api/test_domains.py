"""Domains written by the API, and what is in them."""

from typing import Any

from attrs import evolve

from snf.testing.world import ADMIN, ALICE, PASSWORD
from tests.api.case import TOKENS, Reply
from tests.api.identity import IdentityTestCase


class DomainTestCase(IdentityTestCase):
    """A test with a domain ``acme``, a user ``eve`` and a project ``web`` in it."""

    def setUp(self) -> None:
        super().setUp()
        self.domain = self.made("domain", name="acme")
        inside = {"domain_id": self.domain["id"]}
        self.project = self.made("project", name="web", **inside)
        self.user = self.made("user", name="eve", password=PASSWORD, **inside)
        self.group = self.made("group", name="all", **inside)
        self.give("users", self.user["id"], self.project["id"])

    def give(self, holders: str, who: str, project: str) -> None:
        """Give a user or a group the role of a member."""
        path = f"projects/{project}/{holders}/{who}/roles/member"
        self.assertEqual(204, self.v3("PUT", path).code)

    def enter(self, **domain: str) -> Reply:
        """Log in as eve, the domain named somehow."""
        who: dict[str, Any] = {"name": "eve", "password": PASSWORD, "domain": domain}
        return self._enter(who, {"project": {"name": "web", "domain": domain}})

    def _enter(self, who: Any, scope: Any) -> Reply:
        identity = {"methods": ["password"], "password": {"user": who}}
        body = {"auth": {"identity": identity, "scope": scope}}
        return self.call("POST", TOKENS, body)

    def change(self, **what: Any) -> Reply:
        """Change the domain."""
        return self.v3("PATCH", f"domains/{self.domain['id']}", {"domain": what})

    def good(self, token: str | None) -> bool:
        """Whether a token works."""
        headers = {"X-Auth-Token": token or "", "X-Subject-Token": token or ""}
        return self.call("GET", TOKENS, headers=headers).code == 200


class WriteTests(DomainTestCase):
    """POST, PATCH and DELETE of ``/domains``."""

    def test_made(self) -> None:
        """A new domain is shown as Keystone shows it, and is listed."""
        self.assertEqual(
            ("acme", "", True, [], {}),
            tuple(
                self.domain[key]
                for key in ("name", "description", "enabled", "tags", "options")
            ),
        )
        self.assertRegex(self.domain["id"], "^[0-9a-f]{32}$")
        self.assertEqual({"acme", "Default"}, set(self.names("domains")))
        self.assertEqual(["acme"], self.names("domains?name=ACME"))
        self.assertEqual([], self.names("domains?enabled=false"))

    def test_names(self) -> None:
        """A name is taken once, in any case."""
        for name in ("acme", "ACME", "default"):
            reply = self.v3("POST", "domains", {"domain": {"name": name}})
            self.assertEqual(409, reply.code, name)
        self.assertEqual(409, self.change(name="DEFAULT").code)

    def test_changed(self) -> None:
        """Name and description change; who has logged in stays so."""
        token = self.enter(name="acme").header("X-Subject-Token")
        reply = self.change(name="apex", description="d")
        self.assertEqual(
            ("apex", "d"),
            tuple(reply.json["domain"][k] for k in ("name", "description")),
        )
        self.assertTrue(self.good(token))
        self.assertEqual(401, self.enter(name="acme").code)
        self.assertEqual(201, self.enter(name="Apex").code)

    def test_wrong(self) -> None:
        """What is no domain is refused by field."""
        for what, named in (
            ({}, "name"),
            ({"name": ""}, "name"),
            ({"name": 7}, "name"),
            ({"name": "x", "enabled": "yes"}, "enabled"),
            ({"name": "x", "tags": ["a"]}, "tags"),
        ):
            reply = self.v3("POST", "domains", {"domain": what})
            self.assertEqual(400, reply.code, what)
            self.assertIn(named, reply.message)
        for path in ("domains/nobody", "domains/%00"):
            for method in ("PATCH", "DELETE"):
                body = {"domain": {}} if method == "PATCH" else None
                self.assertEqual(404, self.v3(method, path, body).code, path)

    def test_admins_only(self) -> None:
        """Others may look, not touch."""
        path = f"domains/{self.domain['id']}"
        for method, place in (("POST", "domains"), ("PATCH", path), ("DELETE", path)):
            body = None if method == "DELETE" else {"domain": {"name": "mine"}}
            self.assertEqual(403, self.v3(method, place, body, by=ALICE).code, method)


class DisabledTests(DomainTestCase):
    """A domain that is disabled."""

    def test_tokens(self) -> None:
        """Its tokens end at once, for good; nobody logs in, by whatever name."""
        token = self.enter(id=self.domain["id"]).header("X-Subject-Token")
        self.assertTrue(self.good(token))
        self.change(enabled=False)
        self.assertFalse(self.good(token))
        for domain in ({"id": self.domain["id"]}, {"name": "acme"}):
            self.assertEqual(401, self.enter(**domain).code)
        who = {"id": self.user["id"], "password": PASSWORD}
        scope = {"project": {"id": self.project["id"]}}
        self.assertEqual(401, self._enter(who, scope).code)
        self.assertEqual(401, self._enter(who, "unscoped").code)
        self.change(enabled=True)
        self.assertFalse(self.good(token))
        self.assertEqual(201, self.enter(name="acme").code)

    def test_projects(self) -> None:
        """Users of other domains lose its projects, and keep their own."""
        self.give("users", str(ALICE.id), self.project["id"])
        scope = {"project": {"id": self.project["id"]}}
        token = self.log_in("alice", PASSWORD, scope).header("X-Subject-Token")
        self.assertTrue(self.good(token))
        self.assertEqual(["alpha", "web"], self.names("auth/projects", by=ALICE))
        self.change(enabled=False)
        self.assertFalse(self.good(token))
        self.assertEqual(401, self.log_in("alice", PASSWORD, scope).code)
        self.assertEqual(["alpha"], self.names("auth/projects", by=ALICE))

    def test_login_meanwhile(self) -> None:
        """A token that is made while the domain is being disabled is not valid."""
        token = self.enter(name="acme").header("X-Subject-Token")
        self.sql("UPDATE domain SET enabled = false WHERE name = 'acme'")
        self.assertFalse(self.good(token))

    def test_default(self) -> None:
        """The default domain is there for ever, and on."""
        reply = self.v3("PATCH", "domains/default", {"domain": {"enabled": False}})
        self.assertEqual(403, reply.code)
        self.assertEqual(403, self.v3("DELETE", "domains/default").code)
        change = {"domain": {"description": "ours"}}
        self.assertEqual(200, self.v3("PATCH", "domains/default", change).code)


class DeleteTests(DomainTestCase):
    """A domain that is deleted."""

    def delete(self) -> Reply:
        return self.v3("DELETE", f"domains/{self.domain['id']}")

    def test_enabled(self) -> None:
        """One that is enabled is not; Keystone's sentence says what to do."""
        reply = self.delete()
        self.assertEqual(403, reply.code)
        self.assertIn("please disable it first", reply.message)

    def test_all(self) -> None:
        """All that is in it goes with it, and its name is free again."""
        self.v3("PUT", f"groups/{self.group['id']}/users/{ALICE.id}")
        self.give("groups", self.group["id"], str(ADMIN.default_project))
        scope = {"project": {"id": str(ADMIN.default_project)}}
        token = self.log_in("alice", PASSWORD, scope).header("X-Subject-Token")
        self.assertTrue(self.good(token))
        self.change(enabled=False)
        self.assertEqual(204, self.delete().code)
        self.assertFalse(self.good(token))
        self.assertEqual(404, self.delete().code)
        for path, noun in (
            ("users", self.user),
            ("groups", self.group),
            ("projects", self.project),
        ):
            self.assertEqual(404, self.v3("GET", f"{path}/{noun['id']}").code, path)
        self.assertEqual(["Default"], self.names("domains"))
        body = {"user": {"name": "x", "domain_id": self.domain["id"]}}
        self.assertEqual(400, self.v3("POST", "users", body).code)
        again = self.made("domain", name="acme")
        self.made("project", name="web", domain_id=again["id"])

    def test_owns(self) -> None:
        """One whose project has a server is kept whole."""
        token = self.enter(name="acme").header("X-Subject-Token") or ""
        self._logged_in["eve"] = token
        self.server(evolve(ALICE, name="eve"))
        self.change(enabled=False)
        reply = self.delete()
        self.assertEqual(409, reply.code)
        self.assertIn("web", reply.message)
        self.assertEqual(200, self.v3("GET", f"users/{self.user['id']}").code)
