"""Server groups: how they are made and shown, and what they do to new servers."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve

from snf.api.compute.build import Builder
from snf.core.naming import apart_tag
from snf.core.placement import Capacity
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Fault, Life, Observed
from snf.core.server_group import Policy
from snf.storage import capacities, clusters, quotas
from snf.testing.world import ADMIN, ALICE, BOB, CLUSTER, PROJECT_A, READER, SMALL, TINY
from tests.api.case import SERVERS, ApiTestCase, Reply

GROUPS = "/compute/v2.1/os-server-groups"
SETS = f"/compute/v2.1/os-quota-sets/{PROJECT_A.id}"


class GroupTestCase(ApiTestCase):
    """Groups of alice's project."""

    def make(self, body: dict[str, Any], version: str = "2.64", by=ALICE) -> Reply:
        """Return the answer to the wish for a group."""
        return self.call("POST", GROUPS, {"server_group": body}, by=by, version=version)

    def group(self, policy: Policy = Policy.ANTI_AFFINITY, by=ALICE, **more) -> str:
        """Return the id of a new group."""
        reply = self.make({"name": "g", "policy": policy.value, **more}, by=by)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["server_group"]["id"]

    def create_in(self, group: object, by=ALICE, **changes: Any) -> Reply:
        """Ask for a server in a group."""
        server = {"name": "web", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        body = {"server": server | changes, "os:scheduler_hints": {"group": group}}
        return self.call("POST", SERVERS, body, by=by)

    def member(self, group: str) -> str:
        """Return the id of a new server in a group."""
        reply = self.create_in(group)
        self.assertEqual(202, reply.code, reply.text)
        return reply.json["server"]["id"]

    def members(self, group: str) -> list[str]:
        """Return the servers that a group shows."""
        reply = self.call("GET", f"{GROUPS}/{group}", by=ALICE)
        return reply.json["server_group"]["members"]

    def cluster_of(self, server: str) -> str:
        """Return the name of the cluster that a server is on."""
        [(name,)] = self.sql(
            "SELECT c.name FROM server s JOIN cluster c ON c.id = s.cluster_id"
            " WHERE s.uuid = %s",
            UUID(server),
        )
        return name

    def tags(self, server: str) -> list[str]:
        """Return the tags that the order of a server's build carries."""
        [(tags,)] = self.sql(
            "SELECT o.arguments->'build'->'tags' FROM orders o"
            " JOIN server s ON s.id = o.server_id WHERE s.uuid = %s",
            UUID(server),
        )
        return tags

    def more_clusters(self, *names: str) -> None:
        """Have more clusters, each with two nodes and as much room as the first."""
        for name in names:
            self.run_in(clusters.add, evolve(CLUSTER, name=name))
        room = Capacity(2, 64, 65_536, 60_000, 1_000_000, 900_000, 0)
        for (number,) in self.sql("SELECT id FROM cluster"):
            self.run_in(capacities.save, number, room, 0.0)


class NounTests(GroupTestCase):
    """``/os-server-groups``."""

    def test_forms(self) -> None:
        """Each version shows and takes a group in its own form."""
        old = {"name": "old", "policies": ["affinity"]}
        made = self.make(old, "2.1")
        self.assertEqual(200, made.code, made.text)
        shown = made.json["server_group"]
        group = shown.pop("id")
        plain = {"name": "old", "members": []}
        whose = {"project_id": str(PROJECT_A.id), "user_id": str(ALICE.id)}
        policies = {"policies": ["affinity"], "metadata": {}}
        self.assertEqual(plain | policies, shown)
        for version, more in (
            ("2.12", policies),
            ("2.13", policies | whose),
            ("2.63", policies | whose),
            ("2.64", {"policy": "affinity", "rules": {}} | whose),
            ("2.96", {"policy": "affinity", "rules": {}} | whose),
        ):
            url = f"{GROUPS}/{group}"
            reply = self.call("GET", url, by=ALICE, version=version)
            expected = {"id": group, **plain, **more}
            self.assertEqual(expected, reply.json["server_group"], version)
            reply = self.call("GET", GROUPS, by=ALICE, version=version)
            self.assertEqual([expected], reply.json["server_groups"], version)

    def test_wrong_forms(self) -> None:
        """What a version does not have is refused by name, and makes nothing."""
        soft = "soft-affinity"
        for version, body, word in (
            ("2.1", {"name": "g"}, "policies"),
            ("2.1", {"name": "g", "policy": "affinity"}, "policy"),
            ("2.1", {"name": "g", "policies": ["affinity"], "rules": {}}, "rules"),
            ("2.1", {"name": "g", "policies": []}, "policies"),
            ("2.1", {"name": "g", "policies": ["affinity"] * 2}, "policies"),
            ("2.1", {"name": "g", "policies": "affinity"}, "policies"),
            ("2.1", {"name": "g", "policies": [7]}, "policies"),
            ("2.14", {"name": "g", "policies": [soft]}, "affinity, anti-affinity"),
            ("2.15", {"name": "g", "policies": ["legacy"]}, soft),
            ("2.64", {"name": "g", "policies": ["affinity"]}, "policies"),
            ("2.64", {"name": "g"}, "policy"),
            ("2.64", {"name": "g", "policy": None}, "policy"),
            ("2.64", {"name": "g", "policy": "legacy"}, soft),
            ("2.64", {"policy": "affinity"}, "name"),
            ("2.64", {"name": " ", "policy": "affinity"}, "name"),
            ("2.64", {"name": "g" * 256, "policy": "affinity"}, "name"),
            ("2.64", {"name": "g\0", "policy": "affinity"}, "name"),
            ("2.64", {"name": "g", "policy": "affinity", "color": 1}, "color"),
        ):
            reply = self.make(body, version)
            self.assertEqual(400, reply.code, (version, body))
            self.assertIn(word, reply.message, (version, body))
        for body in ({}, {"server_group": None}, {"server_group": []}, []):
            self.assertEqual(400, self.call("POST", GROUPS, body, by=ALICE).code)
        self.assertEqual([], self.sql("SELECT id FROM server_group"))

    def test_rules(self) -> None:
        """How many a machine may have is a number, as clients write it."""
        for given in (2, "2"):
            rules = {"max_server_per_host": given}
            made = self.make(
                {"name": "ü", "policy": "anti-affinity", "rules": rules}, "2.64"
            )
            self.assertEqual(
                {"max_server_per_host": 2}, made.json["server_group"]["rules"]
            )
            self.assertEqual("ü", made.json["server_group"]["name"])
        for given in (0, -1, "0", "two", 1.5, True, [], 2**31, "9" * 30):
            rules = {"max_server_per_host": given}
            body = {"name": "g", "policy": "anti-affinity", "rules": rules}
            reply = self.make(body)
            self.assertEqual(400, reply.code, given)
            self.assertIn("rules.max_server_per_host", reply.message)
        rules = {"max_server_per_host": 2}
        for policy in ("affinity", "soft-affinity", "soft-anti-affinity"):
            reply = self.make({"name": "g", "policy": policy, "rules": rules})
            self.assertEqual(400, reply.code)
            self.assertEqual("Only anti-affinity policy supports rules.", reply.message)
            self.group(Policy(policy), rules={})

    def test_others(self) -> None:
        """Others' groups are not there; admins see and delete all; readers only look."""
        mine = self.group()
        url = f"{GROUPS}/{mine}"
        missing = f"Instance group {mine} could not be found."
        for method in ("GET", "DELETE"):
            reply = self.call(method, url, by=BOB)
            self.assertEqual((404, missing), (reply.code, reply.message))
        for query in ("", "?all_projects=True"):
            reply = self.call("GET", GROUPS + query, by=BOB)
            self.assertEqual([], reply.json["server_groups"])
        self.assertEqual(200, self.call("GET", url, by=READER).code)
        self.assertEqual(403, self.call("DELETE", url, by=READER).code)
        body = {"name": "g", "policy": "affinity"}
        self.assertEqual(403, self.make(body, by=READER).code)
        self.assertEqual([], self.call("GET", GROUPS, by=ADMIN).json["server_groups"])
        reply = self.call("GET", f"{GROUPS}?all_projects", by=ADMIN)
        self.assertEqual([mine], [one["id"] for one in reply.json["server_groups"]])
        self.assertEqual(200, self.call("GET", url, by=ADMIN).code)
        self.assertEqual(204, self.call("DELETE", url, by=ADMIN).code)
        self.assertEqual(404, self.call("GET", url, by=ALICE).code)
        self.assertEqual(404, self.call("GET", f"{GROUPS}/no-id", by=ALICE).code)

    def test_pages(self) -> None:
        """Lists come in the order of their making, from an offset on."""
        made = [self.group() for _ in range(3)]
        for query, expected in (
            ("", made),
            ("?limit=2", made[:2]),
            ("?limit=1&offset=1", made[1:2]),
            ("?offset=2", made[2:]),
            (f"?offset={10**18 - 1}", []),
        ):
            reply = self.call("GET", GROUPS + query, by=ALICE)
            found = [one["id"] for one in reply.json["server_groups"]]
            self.assertEqual(expected, found, query)
        for query in ("?offset=-1", "?offset=x", f"?offset={2**63}", "?limit=-1"):
            self.assertEqual(400, self.call("GET", GROUPS + query, by=ALICE).code)
        for version, code in (("2.74", 200), ("2.75", 400)):
            reply = self.call("GET", f"{GROUPS}?x=1", by=ALICE, version=version)
            self.assertEqual(code, reply.code)


class QuotaTests(GroupTestCase):
    """How many groups and members there may be."""

    def test_groups(self) -> None:
        """One group too many is refused in Nova's words; a deleted one does not count."""
        body = {"quota_set": {"server_groups": 1}}
        self.assertEqual(200, self.call("PUT", SETS, body, by=ADMIN).code)
        group = self.group()
        reply = self.make({"name": "g", "policy": "affinity"})
        self.assertEqual(403, reply.code)
        self.assertEqual("Quota exceeded, too many server groups.", reply.message)
        self.group(by=BOB)
        limits = self.call("GET", "/compute/v2.1/limits", by=ALICE).json["limits"]
        self.assertEqual(1, limits["absolute"]["totalServerGroupsUsed"])
        self.assertEqual(1, limits["absolute"]["maxServerGroups"])
        detail = self.call("GET", f"{SETS}/detail", by=ALICE).json["quota_set"]
        self.assertEqual(1, detail["server_groups"]["in_use"])
        self.call("DELETE", f"{GROUPS}/{group}", by=ALICE)
        self.group()

    def test_members(self) -> None:
        """One member too many is refused; other groups and servers go on."""
        limits = {**NO_LIMITS, Resource.SERVER_GROUP_MEMBERS: 2}
        self.builder = Builder(limits=limits)
        self.site = self.new_site(limits)
        group = self.group(Policy.SOFT_AFFINITY)
        self.member(group)
        reply = self.create_in(group, min_count=2)
        self.assertEqual(403, reply.code)
        self.assertEqual("Quota exceeded, too many servers in group", reply.message)
        self.assertEqual(1, len(self.members(group)))
        self.assertEqual(202, self.create_in(group, min_count=1, max_count=5).code)
        self.assertEqual(2, len(self.members(group)))
        self.member(self.group())
        self.server()

    def test_recount(self) -> None:
        """Counting anew finds what was counted."""
        self.group()
        self.group(by=BOB)
        self.assertEqual([], self.run_in(quotas.recount))


class MemberTests(GroupTestCase):
    """Servers in groups."""

    def test_shown(self) -> None:
        """A member shows its group, the group its members, until they are deleted."""
        group = self.group()
        first = self.member(group)
        self.server()
        self.assertEqual([first], self.members(group))
        reply = self.call("GET", f"{SERVERS}/{first}", by=ALICE, version="2.71")
        self.assertEqual([group], reply.json["server"]["server_groups"])
        reply = self.call("GET", f"{SERVERS}/{first}", by=ALICE, version="2.100")
        self.assertEqual({"group": [group]}, reply.json["server"]["scheduler_hints"])
        self.live(first, Life(Observed.GONE, deletion_asked=True))
        self.assertEqual([], self.members(group))

    def test_group_goes(self) -> None:
        """A group can be deleted that has members: these stay."""
        group = self.group()
        server = self.member(group)
        self.assertEqual(204, self.call("DELETE", f"{GROUPS}/{group}", by=ALICE).code)
        reply = self.call("GET", f"{SERVERS}/{server}", by=ALICE, version="2.71")
        self.assertEqual([], reply.json["server"]["server_groups"])
        self.assertEqual(400, self.create_in(group).code)

    def test_both_names(self) -> None:
        """The hints have two names."""
        group = self.group()
        server = {"name": "web", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        for name in ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"):
            body = {"server": server, name: {"group": group}}
            self.assertEqual(202, self.call("POST", SERVERS, body, by=ALICE).code)
            body = {"server": server, name: {}}
            self.assertEqual(202, self.call("POST", SERVERS, body, by=ALICE).code)
        self.assertEqual(2, len(self.members(group)))

    def test_wrong_hints(self) -> None:
        """Groups that are not there or somebody else's are the same 400."""
        theirs = self.group(by=BOB)
        for group in (theirs, str(uuid4()), "g", "x" * 1000):
            reply = self.create_in(group)
            self.assertEqual(400, reply.code)
            self.assertEqual(
                f"Instance group {group} could not be found.", reply.message
            )
        self.assertEqual(400, self.create_in(theirs, by=ADMIN).code)
        for group in (7, ["x"], {}, True):
            reply = self.create_in(group)
            self.assertEqual(400, reply.code)
            self.assertIn("os:scheduler_hints.group", reply.message)
        server = {"name": "web", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        for hints in ({"different_host": [theirs]}, [], "x", None):
            body = {"server": server, "os:scheduler_hints": hints}
            reply = self.call("POST", SERVERS, body, by=ALICE)
            self.assertEqual(400, reply.code, hints)
            self.assertIn("os:scheduler_hints", reply.message)
        self.assertEqual([(0,)], self.sql("SELECT count(*) FROM server"))

    def test_apart(self) -> None:
        """Those kept apart go to other clusters first, and are tagged for Ganeti."""
        self.more_clusters("two", "three")
        group = self.group()
        made = [self.member(group) for _ in range(6)]
        self.assertEqual([2, 2, 2], [*Counter(map(self.cluster_of, made)).values()])
        tag = apart_tag(UUID(group), 0)
        self.assertEqual([[tag]] * 6, [self.tags(server) for server in made])

    def test_some_each(self) -> None:
        """Where a machine may have two, each tag is on half of the servers."""
        group = self.group(rules={"max_server_per_host": 2})
        made = [self.member(group) for _ in range(4)]
        tags = Counter(tag for server in made for tag in self.tags(server))
        expected = {apart_tag(UUID(group), slot): 2 for slot in (0, 1)}
        self.assertEqual(expected, tags)

    def test_untagged(self) -> None:
        """Ganeti is not asked for what it cannot do, or what need not be done."""
        for policy in Policy:
            if policy is not Policy.ANTI_AFFINITY:
                self.assertEqual([], self.tags(self.member(self.group(policy))))
        self.assertEqual([], self.tags(self.server()))

    def test_softly_apart(self) -> None:
        """Those that had better be apart are spread over clusters, and always built."""
        self.more_clusters("two")
        group = self.group(Policy.SOFT_ANTI_AFFINITY)
        made = [self.member(group) for _ in range(8)]
        self.assertEqual([4, 4], [*Counter(map(self.cluster_of, made)).values()])

    def test_together(self) -> None:
        """Those kept together are on one cluster, or are not built."""
        self.more_clusters("two", "three")
        group = self.group(Policy.AFFINITY)
        made = [self.member(group) for _ in range(3)]
        [where] = {self.cluster_of(server) for server in made}
        self.sql("UPDATE cluster SET drained = true WHERE name = %s", where)
        reply = self.create_in(group)
        self.assertEqual(409, reply.code)
        self.assertIn("together", reply.message)
        self.assertEqual(3, len(self.members(group)))
        soft = self.group(Policy.SOFT_AFFINITY)
        self.assertNotEqual(where, self.cluster_of(self.member(soft)))

    def test_softly_together(self) -> None:
        """Those that had better be together are, and are built elsewhere otherwise."""
        self.more_clusters("two", "three")
        group = self.group(Policy.SOFT_AFFINITY)
        made = [self.member(group) for _ in range(3)]
        [where] = {self.cluster_of(server) for server in made}
        self.sql("UPDATE cluster SET drained = true WHERE name = %s", where)
        self.assertNotEqual(where, self.cluster_of(self.member(group)))

    def test_never_built(self) -> None:
        """A member that Ganeti does not have binds nobody to its cluster."""
        self.more_clusters("two")
        group = self.group(Policy.AFFINITY)
        first = self.member(group)
        where = self.cluster_of(first)
        self.live(first, Life(Observed.GONE, fault=Fault("no room", 0)))
        self.sql("UPDATE cluster SET drained = true WHERE name = %s", where)
        self.assertNotEqual(where, self.cluster_of(self.member(group)))
        self.assertEqual(2, len(self.members(group)))
