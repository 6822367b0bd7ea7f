"""Security groups and their rules, by the network API and by the compute API."""

from typing import Any
from uuid import uuid4

from snf.core.firewall import Offered, Profile
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Life, Observed
from snf.storage import quotas
from snf.testing.world import ADMIN, ALICE, BOB, PROJECT_A, PROJECT_B, READER
from tests.api.case import SERVERS, ApiTestCase, Reply

V2 = "/network/v2.0"
GROUPS = f"{V2}/security-groups"
RULES = f"{V2}/security-group-rules"


class GroupCase(ApiTestCase):
    """What the tests here ask again and again."""

    def group(self, name: str = "web", by: Any = ALICE) -> dict[str, Any]:
        """Return a new group."""
        body = {"security_group": {"name": name, "description": "d"}}
        reply = self.call("POST", GROUPS, body, by=by)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["security_group"]

    def ask(self, group: str, by: Any = ALICE, **more: Any) -> Reply:
        """Ask for a new rule of a group."""
        rule = {"security_group_id": group, "direction": "ingress", **more}
        return self.call("POST", RULES, {"security_group_rule": rule}, by=by)

    def rule(self, group: str, by: Any = ALICE, **more: Any) -> dict[str, Any]:
        """Return a new rule of a group."""
        reply = self.ask(group, by, **more)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["security_group_rule"]

    def default(self, by: Any = ALICE) -> dict[str, Any]:
        """Return the default group."""
        [group] = self.call("GET", f"{GROUPS}?name=default", by=by).json[
            "security_groups"
        ]
        return group

    def firewalls(self) -> list[str]:
        """Return the servers for which Ganeti is to follow, as often as it is."""
        return [
            str(server)
            for (server,) in self.sql(
                "SELECT s.uuid FROM orders o JOIN server s ON s.id = o.server_id"
                " WHERE o.kind = 'firewall' ORDER BY o.number"
            )
        ]

    def running(self, **more: Any) -> str:
        """Return a server that runs."""
        server = self.server(**more)
        self.live(server, Life(Observed.UP))
        return server


class GroupTests(GroupCase):
    """``/v2.0/security-groups``."""

    def test_default(self) -> None:
        """Every project has one, which lets in what the operator has chosen: all."""
        for user, project in (
            (ALICE, PROJECT_A),
            (BOB, PROJECT_B),
            (READER, PROJECT_A),
        ):
            group = self.default(user)
            self.assertEqual(str(project.id), group["project_id"])
            self.assertEqual(
                [
                    (direction, family, None, None)
                    for direction in ("egress", "ingress")
                    for family in ("IPv4", "IPv6")
                ],
                sorted(
                    (
                        r["direction"],
                        r["ethertype"],
                        r["protocol"],
                        r["remote_ip_prefix"],
                    )
                    for r in group["security_group_rules"]
                ),
            )
        self.assertEqual([(2,)], self.sql("SELECT count(*) FROM security_group"))

    def test_chosen(self) -> None:
        """A narrower one is shown by the rules that do the same."""
        self.builder = type(self.builder)(firewall=Offered(Profile.LIMITED))
        self.site = self.new_site()
        doors = {
            (r["ethertype"], r["protocol"], r["port_range_min"], r["port_range_max"])
            for r in self.default()["security_group_rules"]
            if r["direction"] == "ingress"
        }
        tcp = {
            (family, "tcp", port, port)
            for family in ("IPv4", "IPv6")
            for port in (22, 3389)
        }
        pings = {("IPv4", "icmp", None, None), ("IPv6", "ipv6-icmp", None, None)}
        self.assertEqual(tcp | pings, doors)

    def test_life(self) -> None:
        """Made, shown, renamed, found by its name and deleted."""
        group = self.group()
        self.assertEqual(
            {("egress", "IPv4"), ("egress", "IPv6")},
            {(r["direction"], r["ethertype"]) for r in group["security_group_rules"]},
        )
        url = f"{GROUPS}/{group['id']}"
        self.assertEqual(group, self.call("GET", url, by=ALICE).json["security_group"])
        changed = self.call("PUT", url, {"security_group": {"name": "é"}}, by=ALICE)
        self.assertEqual("é", changed.json["security_group"]["name"])
        self.assertEqual("d", changed.json["security_group"]["description"])
        self.assertEqual(1, changed.json["security_group"]["revision_number"])
        found = self.call("GET", f"{GROUPS}?name=%C3%A9&fields=id", by=ALICE).json
        self.assertEqual({"security_groups": [{"id": group["id"]}]}, found)
        self.assertEqual(204, self.call("DELETE", url, by=ALICE).code)
        self.assertEqual(404, self.call("DELETE", url, by=ALICE).code)

    def test_many(self) -> None:
        """Several at once are all made, or none."""
        wanted = [{"name": "a"}, {"name": "a"}]
        reply = self.call("POST", GROUPS, {"security_groups": wanted}, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        names = [group["name"] for group in reply.json["security_groups"]]
        self.assertEqual(["a", "a"], names)
        wanted = [{"name": "b"}, {"name": "default"}]
        reply = self.call("POST", GROUPS, {"security_groups": wanted}, by=ALICE)
        self.assertEqual(409, reply.code)
        found = self.call("GET", f"{GROUPS}?name=b", by=ALICE).json
        self.assertEqual({"security_groups": []}, found)
        self.assertEqual(400, self.call("POST", GROUPS, {}, by=ALICE).code)

    def test_default_stays(self) -> None:
        """The default group is not deleted, renamed or made again."""
        url = f"{GROUPS}/{self.default()['id']}"
        for method, path, body, kind in (
            ("DELETE", url, None, "SecurityGroupCannotRemoveDefault"),
            (
                "PUT",
                url,
                {"security_group": {"name": "x"}},
                "SecurityGroupCannotUpdateDefault",
            ),
            (
                "POST",
                GROUPS,
                {"security_group": {"name": "default"}},
                "SecurityGroupDefaultAlreadyExists",
            ),
        ):
            reply = self.call(method, path, body, by=ALICE)
            self.assertEqual(409, reply.code)
            self.assertEqual(kind, reply.json["NeutronError"]["type"])
        reply = self.call(
            "PUT", url, {"security_group": {"description": "x"}}, by=ALICE
        )
        self.assertEqual(200, reply.code)

    def test_in_use(self) -> None:
        """One that has ports stays until they are gone from it."""
        group = self.group()
        server = self.running(security_groups=[{"name": "web"}])
        reply = self.call("DELETE", f"{GROUPS}/{group['id']}", by=ALICE)
        self.assertEqual(409, reply.code)
        self.assertEqual("SecurityGroupInUse", reply.json["NeutronError"]["type"])
        self.act(server, {"removeSecurityGroup": {"name": "web"}})
        self.assertEqual(
            204, self.call("DELETE", f"{GROUPS}/{group['id']}", by=ALICE).code
        )

    def test_quota(self) -> None:
        """More than a project may have are a 409, and the default one is counted."""
        limits = {**NO_LIMITS, Resource.SECURITY_GROUPS: 2}
        self.site = self.new_site(limits)
        group = self.group()
        reply = self.call("POST", GROUPS, {"security_group": {"name": "x"}}, by=ALICE)
        self.assertEqual(409, reply.code)
        self.assertEqual("OverQuota", reply.json["NeutronError"]["type"])
        self.call("DELETE", f"{GROUPS}/{group['id']}", by=ALICE)
        self.group()
        self.assertEqual([], self.run_in(quotas.recount))
        detail = self.call("GET", f"{V2}/quotas/{PROJECT_A.id}/details", by=ALICE)
        self.assertEqual(
            {"limit": 2, "used": 2, "reserved": 0},
            detail.json["quota"]["security_group"],
        )

    def test_for_others(self) -> None:
        """Admins make them for any project, others for their own only."""
        wanted = {"name": "x", "project_id": str(PROJECT_B.id)}
        for user, code in ((ALICE, 403), (ADMIN, 201)):
            reply = self.call("POST", GROUPS, {"security_group": wanted}, by=user)
            self.assertEqual(code, reply.code, reply.text)
        wanted["project_id"] = str(uuid4())
        reply = self.call("POST", GROUPS, {"security_group": wanted}, by=ADMIN)
        self.assertEqual(400, reply.code)


class ServerTests(GroupCase):
    """What the compute API has of them."""

    def shown_groups(self, server: str) -> list[str]:
        """Return the names of a server's groups, as it and its ports show them."""
        own = [group["name"] for group in self.shown(server)["security_groups"]]
        listed = self.call("GET", f"{SERVERS}/{server}/os-security-groups", by=ALICE)
        groups = {one["id"]: one["name"] for one in listed.json["security_groups"]}
        self.assertEqual(own, sorted(groups.values()))
        ports = self.call("GET", f"{V2}/ports?device_id={server}", by=ALICE)
        for port in ports.json["ports"]:
            self.assertEqual(set(groups), set(port["security_groups"]))
        return own

    def test_default(self) -> None:
        """A server that names none is in the default group."""
        for more in ({}, {"security_groups": []}):
            self.assertEqual(["default"], self.shown_groups(self.server(**more)))

    def test_at_creation(self) -> None:
        """Groups are named by name or by id, and the answer names them again."""
        group = self.group()["id"]
        wanted = [{"name": group}, {"name": "default"}]
        reply = self.create(security_groups=wanted)
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual(wanted, reply.json["server"]["security_groups"])
        server = reply.json["server"]["id"]
        self.assertEqual(["default", "web"], self.shown_groups(server))

    def test_unknown(self) -> None:
        """One that there is not is a 400, one that there is twice a 409."""
        theirs = self.group("theirs", by=BOB)["id"]
        for name in ("nothing", theirs, "theirs", str(uuid4())):
            reply = self.create(security_groups=[{"name": name}])
            self.assertEqual(400, reply.code)
            self.assertIn(name, reply.message)
        for _ in range(2):
            self.group("twice")
        self.assertEqual(409, self.create(security_groups=[{"name": "twice"}]).code)

    def test_added_and_removed(self) -> None:
        """A running server is put into a group and taken out again."""
        self.group()
        server = self.running()
        for body, names in (
            ({"addSecurityGroup": {"name": "web"}}, ["default", "web"]),
            ({"addSecurityGroup": {"name": "web"}}, ["default", "web"]),
            ({"removeSecurityGroup": {"name": "default"}}, ["web"]),
            ({"removeSecurityGroup": {"name": "web"}}, []),
        ):
            self.assertEqual(202, self.act(server, body).code)
            self.assertEqual(names, self.shown_groups(server))
        self.assertEqual([server], self.firewalls())

    def test_refused(self) -> None:
        """Groups that are not there, or not the server's; bodies that make no sense."""
        server = self.running()
        self.group()
        for body, code in (
            ({"removeSecurityGroup": {"name": "web"}}, 404),
            ({"addSecurityGroup": {"name": "nothing"}}, 404),
            ({"addSecurityGroup": {}}, 400),
            ({"addSecurityGroup": {"name": 7}}, 400),
            ({"addSecurityGroup": None}, 400),
            ({"addSecurityGroup": {"name": "web", "x": 1}}, 400),
        ):
            self.assertEqual(code, self.act(server, body).code, body)
        self.assertEqual([], self.firewalls())
        alone = self.server(networks="none")
        self.live(alone, Life(Observed.UP))
        reply = self.act(alone, {"addSecurityGroup": {"name": "web"}})
        self.assertEqual(400, reply.code)

    def test_of_old(self) -> None:
        """Clients of old list groups by the compute API, up to a version."""
        group = self.group()["id"]
        rule = self.rule(group, protocol="icmp")
        path = "/compute/v2.1/os-security-groups"
        listed = self.call("GET", path, by=ALICE).json["security_groups"]
        self.assertEqual({"default", "web"}, {one["name"] for one in listed})
        shown = self.call("GET", f"{path}/{group}", by=ALICE).json["security_group"]
        self.assertEqual(
            [
                {
                    "id": rule["id"],
                    "parent_group_id": group,
                    "ip_protocol": "icmp",
                    "from_port": -1,
                    "to_port": -1,
                    "group": {},
                    "ip_range": {"cidr": "0.0.0.0/0"},
                }
            ],
            shown["rules"],
        )
        self.assertEqual(404, self.call("GET", path, by=ALICE, version="2.36").code)
