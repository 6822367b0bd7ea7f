"""The rules of security groups, by the network API."""

from uuid import uuid4

from snf.core.firewall import RULES_AT_MOST
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Life, Observed
from snf.storage import quotas
from snf.testing.world import ADMIN, ALICE, BOB
from tests.api.test_security_groups import GROUPS, RULES, GroupCase


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
