"""Security groups and their rules, by the network API and by the compute API."""

from typing import Any
from uuid import uuid4

from snf.core.firewall import RULES_AT_MOST, Offered, Profile
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Life, Observed
from snf.storage import quotas
from snf.testing.world import ADMIN, ALICE, BOB, NETWORK, PROJECT_A, PROJECT_B, READER
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


class RuleTests(GroupCase):
    """``/v2.0/security-group-rules``."""

    def test_filters(self) -> None:
        """By the network that they name, whole; groups by whether they are shared."""
        group = self.group()["id"]
        rule = self.rule(group, remote_ip_prefix="198.51.100.7/24")
        self.assertEqual("198.51.100.0/24", rule["normalized_cidr"])
        for place, query, count in (
            (RULES, "normalized_cidr=198.51.100.0/24", 1),
            (RULES, "normalized_cidr=198.51.100.0/25", 0),
            (GROUPS, "shared=true", 0),
            (GROUPS, "shared=false", 2),
        ):
            reply = self.call("GET", f"{place}?{query}&fields=id", by=ALICE)
            [found] = reply.json.values()
            self.assertEqual(count, len(found), query)

    def test_kinds(self) -> None:
        """Rules are shown as they were asked for."""
        group = self.group()["id"]
        for asked in (
            {"protocol": "tcp", "port_range_min": 22, "port_range_max": 23},
            {"protocol": "17", "port_range_min": "53", "port_range_max": "53"},
            {"protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
            {"protocol": "icmp", "ethertype": "IPv6", "port_range_min": 0},
            {"protocol": None, "remote_ip_prefix": "198.51.100.0/24"},
            {"protocol": 89, "ethertype": "IPv6", "remote_ip_prefix": "2001:db8::/32"},
        ):
            rule = self.rule(group, **asked)
            for name, value in asked.items():
                expected = value
                if name == "protocol" and value is not None:
                    expected = str(value)
                elif name.startswith("port"):
                    expected = int(value)
                self.assertEqual(expected, rule[name])
            url = f"{RULES}/{rule['id']}"
            shown = self.call("GET", url, by=ALICE).json["security_group_rule"]
            self.assertEqual(rule, shown)

    def test_senseless(self) -> None:
        """What makes no sense is refused by its name, and nothing is stored."""
        group = self.group()["id"]
        tcp = {"protocol": "tcp"}
        for kind, asked in (
            ("SecurityGroupInvalidPortRange", {**tcp, "port_range_min": 22}),
            (
                "SecurityGroupInvalidPortRange",
                {**tcp, "port_range_min": 23, "port_range_max": 22},
            ),
            (
                "SecurityGroupInvalidPortValue",
                {**tcp, "port_range_min": 0, "port_range_max": 22},
            ),
            (
                "SecurityGroupProtocolRequiredWithPorts",
                {"port_range_min": 22, "port_range_max": 22},
            ),
            ("SecurityGroupMissingIcmpType", {"protocol": "icmp", "port_range_max": 0}),
            (
                "SecurityGroupInvalidIcmpValue",
                {"protocol": "icmp", "port_range_min": 256},
            ),
            ("SecurityGroupRuleInvalidProtocol", {"protocol": "tpc"}),
            ("SecurityGroupRuleInvalidProtocol", {"protocol": 256}),
            ("SecurityGroupEthertypeConflictWithProtocol", {"protocol": "icmpv6"}),
            ("SecurityGroupInvalidEtherType", {"ethertype": "IPv5"}),
            (
                "SecurityGroupRuleParameterConflict",
                {"remote_ip_prefix": "2001:db8::/32"},
            ),
            (
                "SecurityGroupInvalidProtocolForPort",
                {"protocol": "gre", "port_range_min": 1, "port_range_max": 1},
            ),
            ("SecurityGroupRuleNotSupported", {"remote_group_id": group}),
            ("SecurityGroupRuleNotSupported", {"direction": "egress", **tcp}),
            ("BadRequest", {"remote_ip_prefix": "nowhere"}),
        ):
            reply = self.ask(group, **asked)
            self.assertEqual(400, reply.code, asked)
            self.assertEqual(kind, reply.json["NeutronError"]["type"], asked)
        self.assertEqual(
            [(2,)],
            self.sql(
                "SELECT count(*) FROM security_group_rule WHERE group_id = %s", group
            ),
        )

    def test_twice(self) -> None:
        """The same rule again is a 409, in whatever words."""
        group = self.group()["id"]
        ports = {"port_range_min": 22, "port_range_max": 22}
        self.rule(group, protocol="tcp", **ports)
        for protocol in ("tcp", "6", 6, "TCP"):
            reply = self.ask(group, protocol=protocol, **ports)
            self.assertEqual(409, reply.code)
            self.assertEqual(
                "SecurityGroupRuleExists", reply.json["NeutronError"]["type"]
            )
        self.rule(group, protocol="tcp", ethertype="IPv6", **ports)
        self.assertEqual([], self.run_in(quotas.recount))

    def test_life(self) -> None:
        """A rule is found, described and removed; its group tells of it."""
        group = self.group()["id"]
        rule = self.rule(group, protocol="tcp")
        query = f"security_group_id={group}&direction=ingress&protocol=tcp"
        found = self.call("GET", f"{RULES}?{query}", by=ALICE).json
        self.assertEqual({"security_group_rules": [rule]}, found)
        url = f"{RULES}/{rule['id']}"
        body = {"security_group_rule": {"description": "mine"}}
        changed = self.call("PUT", url, body, by=ALICE).json["security_group_rule"]
        self.assertEqual(rule | {"description": "mine"}, changed)
        self.assertEqual(204, self.call("DELETE", url, by=ALICE).code)
        self.assertEqual(404, self.call("GET", url, by=ALICE).code)
        self.assertEqual([], self.run_in(quotas.recount))

    def test_others(self) -> None:
        """Somebody else's groups take no rules of mine."""
        group = self.group(by=BOB)["id"]
        for wanted in (group, "nonsense", str(uuid4())):
            reply = self.ask(wanted, protocol="tcp")
            self.assertEqual(404, reply.code)
            self.assertEqual(
                "SecurityGroupNotFound", reply.json["NeutronError"]["type"]
            )
        self.rule(group, by=ADMIN, protocol="tcp")

    def test_quota(self) -> None:
        """More rules than a project may have are a 409, also many at once."""
        self.site = self.new_site({**NO_LIMITS, Resource.SECURITY_GROUP_RULES: 7})
        group = self.group()["id"]  # with the default group's there are six
        many = [
            {"security_group_id": group, "direction": "ingress", "protocol": protocol}
            for protocol in ("tcp", "udp")
        ]
        reply = self.call("POST", RULES, {"security_group_rules": many}, by=ALICE)
        self.assertEqual(409, reply.code, reply.text)
        self.assertEqual("OverQuota", reply.json["NeutronError"]["type"])
        self.rule(group, protocol="tcp")
        self.assertEqual(409, self.ask(group, protocol="udp").code)

    def test_most(self) -> None:
        """A port has no more rules than its node can be told."""
        group = self.group()["id"]
        many = [
            {
                "security_group_id": group,
                "direction": "ingress",
                "protocol": "tcp",
                "port_range_min": port,
                "port_range_max": port,
            }
            for port in range(1, RULES_AT_MOST + 1)
        ]
        reply = self.call("POST", RULES, {"security_group_rules": many}, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        self.assertEqual(400, self.ask(group, protocol="udp").code)
        other = self.group("other")["id"]
        self.rule(other, protocol="udp")
        names = [{"name": "web"}, {"name": "other"}]
        self.assertEqual(400, self.create(security_groups=names).code)

    def test_ordered(self) -> None:
        """What a group lets in is ordered for its servers, once, and for no others."""
        group = self.group()["id"]
        server = self.running(security_groups=[{"name": group}])
        self.running()
        rule = self.rule(group, protocol="tcp")
        self.rule(group, protocol="udp")
        self.assertEqual([server], self.firewalls())
        self.live(server, Life(Observed.UP))
        self.call("DELETE", f"{RULES}/{rule['id']}", by=ALICE)
        self.assertEqual([server, server], self.firewalls())

    def test_while_building(self) -> None:
        """A build that has not begun takes what there is then: nothing more is ordered."""
        self.server()
        self.rule(self.default()["id"], protocol="tcp")
        self.assertEqual([], self.firewalls())


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


class PortTests(GroupCase):
    """Ports that are in groups of their own."""

    def port(self, **more: Any) -> dict[str, Any]:
        """Return a new port."""
        body = {"port": {"network_id": str(NETWORK.id), **more}}
        reply = self.call("POST", f"{V2}/ports", body, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["port"]

    def test_found(self) -> None:
        """They are found by their groups."""
        group, other = (self.group(name)["id"] for name in ("one", "other"))
        port = self.port(security_groups=[group])["id"]
        for wanted, found in ((group, [{"id": port}]), (other, [])):
            query = f"security_groups={wanted}&fields=id"
            reply = self.call("GET", f"{V2}/ports?{query}", by=ALICE)
            self.assertEqual({"ports": found}, reply.json)

    def put(self, port: str, groups: Any) -> Reply:
        """Ask for other groups of a port."""
        body = {"port": {"security_groups": groups}}
        return self.call("PUT", f"{V2}/ports/{port}", body, by=ALICE)

    def test_made(self) -> None:
        """A new port is in the groups that are named, in none, or in the default one."""
        group = self.group()["id"]
        for more, expected in (
            ({}, [self.default()["id"]]),
            ({"security_groups": [group, group]}, [group]),
            ({"security_groups": []}, []),
            ({"security_groups": None}, []),
        ):
            self.assertEqual(expected, self.port(**more)["security_groups"])

    def test_changed(self) -> None:
        """A port of a running server changes its groups, and Ganeti follows."""
        group = self.group()["id"]
        server = self.running()
        [(port,)] = self.sql("SELECT id FROM port")
        reply = self.put(str(port), [group])
        self.assertEqual([group], reply.json["port"]["security_groups"], reply.text)
        self.assertEqual([server], self.firewalls())
        query = f"security_groups={group}&fields=id"
        found = self.call("GET", f"{V2}/ports?{query}", by=ALICE).json["ports"]
        self.assertEqual([{"id": str(port)}], found)

    def test_refused(self) -> None:
        """Groups that are not there, or somebody else's."""
        port = self.port()["id"]
        for group in (self.group(by=BOB)["id"], str(uuid4()), "nonsense"):
            reply = self.put(port, [group])
            self.assertEqual(404, reply.code)
            self.assertEqual(
                "SecurityGroupNotFound", reply.json["NeutronError"]["type"]
            )
            self.assertIn(group, reply.message)

    def test_attached(self) -> None:
        """The tags of a port that is not open are there before its NIC is."""
        server = self.running()
        number = self.sql("SELECT id FROM server")[0][0]
        for port in (self.port(), self.port(security_groups=[])):
            body = {"interfaceAttachment": {"port_id": port["id"]}}
            path = f"{SERVERS}/{server}/os-interface"
            self.assertEqual(200, self.call("POST", path, body, by=ALICE).code)
        kinds = self.sql(
            "SELECT kind FROM orders WHERE server_id = %s AND state = 'new'"
            " ORDER BY number",
            number,
        )
        self.assertEqual([("attach",), ("firewall",), ("attach",)], kinds)

    def test_given(self) -> None:
        """A port that a server is made with keeps its own groups, as with Nova."""
        group = self.group()["id"]
        port = self.port(security_groups=[group])["id"]
        server = self.server(
            networks=[{"port": port}], security_groups=[{"name": "default"}]
        )
        names = [one["name"] for one in self.shown(server)["security_groups"]]
        self.assertEqual(["web"], names)


class ProfileTests(GroupCase):
    """``firewallProfile``."""

    def profile(self, server: str, **more: Any) -> Reply:
        return self.act(server, {"firewallProfile": more})

    def kept(self, server: str) -> list[str | None]:
        rows = self.sql(
            "SELECT p.profile FROM port p JOIN server s ON s.id = p.server_id"
            " WHERE s.uuid = %s ORDER BY p.position",
            server,
        )
        return [word for (word,) in rows]

    def test_words(self) -> None:
        """Synnefo's words, and those of the operator's own profiles."""
        self.builder = type(self.builder)(firewall=Offered(added=("web",)))
        self.site = self.new_site()
        server = self.running()
        for name, word in (
            ("ENABLED", "protected"),
            ("PROTECTED", "limited"),
            ("DISABLED", "unprotected"),
            ("WEB", "web"),
        ):
            self.assertEqual(202, self.profile(server, profile=name).code)
            self.assertEqual([word], self.kept(server))
        self.assertEqual([server], self.firewalls())

    def test_nic(self) -> None:
        """A NIC is named by its id; without one it is the first."""
        networks = [{"uuid": str(NETWORK.id)}] * 2
        server = self.running(networks=networks)
        ports = self.sql("SELECT id FROM port ORDER BY position")
        nic = str(ports[1][0])
        self.assertEqual(202, self.profile(server, profile="ENABLED", nic=nic).code)
        self.assertEqual([None, "protected"], self.kept(server))
        self.assertEqual(202, self.profile(server, profile="ENABLED").code)
        self.assertEqual(["protected"] * 2, self.kept(server))

    def test_refused(self) -> None:
        """Unknown profiles and NICs, and bodies that make no sense."""
        server = self.running()
        self.running()
        others = self.sql("SELECT id FROM port ORDER BY id")
        for more, code in (
            ({"profile": "enabled"}, 400),
            ({"profile": "RULES"}, 400),
            ({"profile": None}, 400),
            ({}, 400),
            ({"profile": "ENABLED", "nic": []}, 400),
            ({"profile": "ENABLED", "x": 1}, 400),
            ({"profile": "ENABLED", "nic": "nonsense"}, 404),
            ({"profile": "ENABLED", "nic": str(uuid4())}, 404),
        ):
            self.assertEqual(code, self.profile(server, **more).code, more)
        codes = {
            self.profile(server, profile="ENABLED", nic=str(port)).code
            for (port,) in others
        }
        self.assertEqual({202, 404}, codes)

    def test_then_groups(self) -> None:
        """Whatever was asked for last holds: a profile, or the groups."""
        self.group()
        server = self.running()
        self.profile(server, profile="ENABLED")
        self.act(server, {"addSecurityGroup": {"name": "web"}})
        self.assertEqual([None], self.kept(server))
