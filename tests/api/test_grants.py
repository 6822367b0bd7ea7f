"""Roles, groups, and who has which where."""

from uuid import uuid4

from snf.testing.world import ADMIN, ALICE, BOB, PROJECT_A, PROJECT_B, READER
from tests.api.case import SERVERS
from tests.api.identity import IdentityTestCase


class GrantTests(IdentityTestCase):
    """Giving and taking roles."""

    def test_user(self) -> None:
        """A role that is given counts; taking it ends the tokens that it gave."""
        place = f"projects/{PROJECT_B.id}/users/{ALICE.id}/roles"
        scope = {"project": {"id": str(PROJECT_B.id)}}
        self.assertFalse(self.enters("alice", scope=scope))
        for _ in range(2):
            self.assertEqual(204, self.v3("PUT", f"{place}/member").code)
        self.assertEqual(["member"], self.names(place))
        self.assertEqual(204, self.v3("HEAD", f"{place}/member").code)
        self.assertEqual(404, self.v3("HEAD", f"{place}/reader").code)
        token = self.log_in("alice", "correct horse", scope).header("X-Subject-Token")
        headers = {"X-Auth-Token": token or ""}
        self.assertEqual(200, self.call("GET", SERVERS, headers=headers).code)
        self.assertEqual(204, self.v3("DELETE", f"{place}/member").code)
        self.assertEqual(404, self.v3("DELETE", f"{place}/member").code)
        self.v3("PUT", f"{place}/reader")
        self.assertEqual(401, self.call("GET", SERVERS, headers=headers).code)
        self.assertTrue(self.works(ALICE))

    def test_nothing_such(self) -> None:
        """A user, group, project or role that there is not is a 404."""
        for place in (
            f"projects/{uuid4()}/users/{ALICE.id}/roles/member",
            f"projects/{PROJECT_A.id}/users/{uuid4()}/roles/member",
            f"projects/{PROJECT_A.id}/users/alice/roles/member",
            f"projects/{PROJECT_A.id}/users/{ALICE.id}/roles/owner",
            f"projects/{PROJECT_A.id}/groups/{uuid4()}/roles/member",
        ):
            for method in ("GET", "PUT", "DELETE"):
                reply = self.v3(method, place)
                self.assertEqual(404, reply.code, (method, place))

    def test_group(self) -> None:
        """Members have what their group has, and lose it with it."""
        group = self.made("group", name="devs")["id"]
        place = f"projects/{PROJECT_B.id}/groups/{group}/roles"
        member = f"groups/{group}/users/{ALICE.id}"
        scope = {"project": {"id": str(PROJECT_B.id)}}
        self.assertEqual(404, self.v3("HEAD", member).code)
        self.assertEqual(204, self.v3("PUT", member).code)
        self.assertEqual(204, self.v3("HEAD", member).code)
        self.assertFalse(self.enters("alice", scope=scope))
        self.assertEqual(204, self.v3("PUT", f"{place}/reader").code)
        self.assertEqual(["alpha", "beta"], self.names("projects", ALICE))
        self.assertEqual(["devs"], self.names(f"users/{ALICE.id}/groups", ALICE))
        self.assertEqual(["alice"], self.names(f"groups/{group}/users"))
        for method, path in (
            ("DELETE", f"{place}/reader"),
            ("DELETE", member),
            ("DELETE", f"groups/{group}"),
        ):
            self.v3("PUT", f"{place}/reader")
            self.v3("PUT", member)
            got = self.log_in("alice", "correct horse", scope)
            headers = {"X-Auth-Token": got.header("X-Subject-Token") or ""}
            self.assertEqual(200, self.call("GET", SERVERS, headers=headers).code)
            self.assertEqual(204, self.v3(method, path).code)
            self.assertEqual(401, self.call("GET", SERVERS, headers=headers).code)
            self.assertEqual(404, self.v3(method, path).code)

    def test_group_names(self) -> None:
        """Groups have names of their own, each once; they can be changed."""
        first = self.made("group", name="alice")["id"]
        second = self.made("group", name="b", description="d")["id"]
        body = {"group": {"name": "alice"}}
        self.assertEqual(409, self.v3("POST", "groups", body).code)
        self.assertEqual(409, self.v3("PATCH", f"groups/{second}", body).code)
        body = {"group": {"name": "c"}}
        changed = self.v3("PATCH", f"groups/{second}", body).json["group"]
        self.assertEqual(("c", "d"), (changed["name"], changed["description"]))
        self.assertEqual(["alice", "c"], self.names("groups"))
        self.assertEqual(["c"], self.names("groups?name=c"))
        self.assertEqual(403, self.v3("GET", f"groups/{first}", by=ALICE).code)


class AssignmentTests(IdentityTestCase):
    """``/identity/v3/role_assignments``."""

    def listed(self, query: str = "", by=ADMIN) -> set[tuple[str, str, str]]:
        """Return who (by name) has which role in which project."""
        answer = self.v3("GET", f"role_assignments?include_names&{query}", by=by)
        self.assertEqual(200, answer.code, answer.text)
        return {
            (
                one.get("user", one.get("group"))["name"],
                one["role"]["name"],
                one["scope"]["project"]["name"],
            )
            for one in answer.json["role_assignments"]
        }

    def test_filters(self) -> None:
        """By user, project and role; what cannot be is nothing."""
        alice, reader = ("alice", "member", "alpha"), ("reader", "reader", "alpha")
        self.assertEqual(4, len(self.listed()))
        self.assertEqual({alice}, self.listed(f"user.id={ALICE.id}"))
        project = f"scope.project.id={PROJECT_A.id}"
        self.assertEqual({alice, reader}, self.listed(project))
        self.assertEqual({reader}, self.listed(f"{project}&role.id=reader"))
        for query in ("user.id=x", f"group.id={uuid4()}", "scope.domain.id=default"):
            self.assertEqual(set(), self.listed(query))

    def test_groups(self) -> None:
        """A group's roles are the group's, or, effectively, its members'."""
        group = self.made("group", name="devs")["id"]
        self.v3("PUT", f"projects/{PROJECT_B.id}/groups/{group}/roles/reader")
        self.v3("PUT", f"groups/{group}/users/{ALICE.id}")
        project = f"scope.project.id={PROJECT_B.id}"
        bob, alice = ("bob", "member", "beta"), ("alice", "reader", "beta")
        self.assertEqual({bob, ("devs", "reader", "beta")}, self.listed(project))
        self.assertEqual({bob, alice}, self.listed(f"{project}&effective"))

    def test_of_others(self) -> None:
        """Who is not admin sees what one has oneself."""
        self.assertEqual({("alice", "member", "alpha")}, self.listed(by=ALICE))
        for query in (f"user.id={BOB.id}", f"group.id={uuid4()}"):
            reply = self.v3("GET", f"role_assignments?{query}", by=ALICE)
            self.assertEqual(403, reply.code)


class ReadTests(IdentityTestCase):
    """What everybody with a token may read."""

    def test_shown(self) -> None:
        """Each thing of a list is shown by its id; what there is not is a 404."""
        for key in ("roles", "domains", "services", "endpoints", "regions"):
            listed = self.v3("GET", key, by=READER).json[key]
            self.assertTrue(listed)
            for one in listed:
                path = f"{key}/{one['id']}"
                shown = self.v3("GET", path, by=READER).json
                self.assertEqual({key.rstrip("s"): one}, shown)
            self.assertEqual(404, self.v3("GET", f"{key}/%00nothing").code)

    def test_filters(self) -> None:
        """Services go by type and name, endpoints by service and interface."""
        self.assertEqual(["nova"], self.names("services?type=compute"))
        [nova] = self.v3("GET", "services?name=nova").json["services"]
        found = self.v3("GET", f"endpoints?service_id={nova['id']}&interface=public")
        [endpoint] = found.json["endpoints"]
        self.assertTrue(endpoint["url"].endswith("/compute/v2.1"))
        self.assertEqual(["Default"], self.names("domains?name=default"))
        self.assertEqual([], self.names("roles?name=owner"))

    def test_own_token(self) -> None:
        """The catalog is the token's; domain and system tokens there are none."""
        shown = self.v3("GET", "auth/catalog", by=ALICE).json["catalog"]
        self.assertEqual(
            ["identity", "compute", "image", "network"], [one["type"] for one in shown]
        )
        self.assertEqual([], self.v3("GET", "auth/domains", by=ALICE).json["domains"])
        self.assertEqual([], self.v3("GET", "auth/system", by=ALICE).json["system"])
