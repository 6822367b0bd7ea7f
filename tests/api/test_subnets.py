"""``/network/v2.0/subnets``: made, changed and deleted."""

from typing import Any
from uuid import uuid4

from snf.core.quota import NO_LIMITS, Resource
from snf.testing.world import ADMIN, ALICE, BOB, NETWORK, SUBNET
from tests.api.case import Reply
from tests.api.test_networks_admin import V2, MakingTestCase


class SubnetTestCase(MakingTestCase):
    """A test with a network of one's own."""

    def setUp(self) -> None:
        super().setUp()
        self.network = self.made()["id"]

    def ask(self, by: Any = ALICE, **subnet: Any) -> Reply:
        """Ask for a subnet."""
        body = {"network_id": self.network, "cidr": "192.168.5.0/24", "ip_version": 4}
        return self.call("POST", f"{V2}/subnets", {"subnet": body | subnet}, by=by)

    def subnet(self, **subnet: Any) -> dict[str, Any]:
        """Return a new subnet."""
        reply = self.ask(**subnet)
        self.assertEqual(201, reply.code, reply.text)
        return reply.json["subnet"]

    def put(self, subnet: str, by: Any = ALICE, **changes: Any) -> Reply:
        """Ask for a change."""
        return self.call("PUT", f"{V2}/subnets/{subnet}", {"subnet": changes}, by=by)

    def pools(self, *ends: tuple[str, str]) -> list[dict[str, str]]:
        """Return pools as clients write them."""
        return [{"start": first, "end": last} for first, last in ends]


class CreateTests(SubnetTestCase):
    """``POST``."""

    def test_usual(self) -> None:
        """The gateway is the first host, and the others are for ports."""
        subnet = self.subnet(name="s")
        self.assertEqual(
            ("192.168.5.1", self.pools(("192.168.5.2", "192.168.5.254")), True, "s"),
            tuple(
                subnet[key]
                for key in ("gateway_ip", "allocation_pools", "enable_dhcp", "name")
            ),
        )
        shown = self.call("GET", f"{V2}/subnets/{subnet['id']}", by=ALICE).json
        self.assertEqual({"subnet": subnet}, shown)
        network = self.call("GET", f"{V2}/networks/{self.network}", by=ALICE).json
        self.assertEqual([subnet["id"]], network["network"]["subnets"])

    def test_all(self) -> None:
        """All that can be said of a subnet is kept."""
        wanted = {
            "cidr": "10.1.2.3/16",
            "gateway_ip": "10.1.0.254",
            "allocation_pools": self.pools(
                ("10.1.9.1", "10.1.9.9"), ("10.1.1.1", "10.1.1.9")
            ),
            "dns_nameservers": ["9.9.9.9", "10.1.0.53"],
            "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.1.0.3"}],
            "enable_dhcp": False,
            "description": "d",
        }
        subnet = self.subnet(**wanted)
        expected = wanted | {
            "cidr": "10.1.0.0/16",
            "allocation_pools": self.pools(
                ("10.1.1.1", "10.1.1.9"), ("10.1.9.1", "10.1.9.9")
            ),
        }
        self.assertEqual(expected, {name: subnet[name] for name in expected})

    def test_no_gateway(self) -> None:
        """A subnet may have no gateway."""
        subnet = self.subnet(gateway_ip=None)
        self.assertIsNone(subnet["gateway_ip"])
        self.assertEqual(
            self.pools(("192.168.5.1", "192.168.5.254")), subnet["allocation_pools"]
        )

    def test_both(self) -> None:
        """A network has one subnet of each version, IPv6 by EUI-64."""
        self.subnet()
        six = self.subnet(cidr="2001:db8:5::/64", ip_version=6, ipv6_ra_mode="slaac")
        self.assertEqual(
            ("2001:db8:5::1", "slaac", 6),
            (six["gateway_ip"], six["ipv6_address_mode"], six["ip_version"]),
        )
        for cidr in ("192.168.5.128/25", "10.0.0.0/24"):
            reply = self.ask(cidr=cidr)
            self.assertEqual(409, reply.code, reply.text)
        self.assertIn("one of each version", reply.message)

    def test_eui64(self) -> None:
        """A server's IPv6 address follows from its MAC address."""
        self.subnet()
        self.subnet(cidr="2001:db8:5::/64", ip_version=6)
        self.server(networks=[{"uuid": self.network}])
        [port] = self.call("GET", f"{V2}/ports", by=ALICE).json["ports"]
        octets = [int(octet, 16) for octet in port["mac_address"].split(":")]
        low = [octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]
        words = [f"{low[i] * 256 + low[i + 1]:x}" for i in range(0, 8, 2)]
        self.assertEqual(
            {"192.168.5.2", f"2001:db8:5:0:{':'.join(words)}"},
            {fixed["ip_address"] for fixed in port["fixed_ips"]},
        )

    def test_wrong(self) -> None:
        """What makes no sense is refused with Neutron's type, and nothing is made."""
        inside = self.pools(("192.168.5.10", "192.168.5.20"))
        for code, kind, wanted in (
            (400, "InvalidInput", {"cidr": "x"}),
            (400, "InvalidInput", {"cidr": "192.168.5.0/33"}),
            (400, "InvalidInput", {"cidr": "224.0.0.0/24"}),
            (400, "InvalidInput", {"cidr": "127.0.0.0/8"}),
            (400, "InvalidInput", {"cidr": "250.0.0.0/8"}),
            (400, "InvalidInput", {"cidr": "0.0.0.0/0"}),
            (400, "InvalidInput", {"cidr": "192.168.5.0/31"}),
            (400, "InvalidInput", {"ip_version": 6}),
            (400, "InvalidInput", {"cidr": "2001:db8::/63", "ip_version": 6}),
            (
                400,
                "InvalidInput",
                {
                    "cidr": "2001:db8::/64",
                    "ip_version": 6,
                    "ipv6_address_mode": "dhcpv6-stateful",
                },
            ),
            (400, "InvalidInput", {"ipv6_ra_mode": "slaac"}),
            (400, "InvalidInput", {"gateway_ip": "x"}),
            (400, "InvalidInput", {"gateway_ip": "192.168.6.1"}),
            (400, "InvalidInput", {"gateway_ip": "192.168.5.255"}),
            (400, "InvalidInput", {"gateway_ip": "2001:db8::1"}),
            (
                409,
                "GatewayConflictWithAllocationPools",
                {"gateway_ip": "192.168.5.15", "allocation_pools": inside},
            ),
            (
                409,
                "OverlappingAllocationPools",
                {"allocation_pools": [*inside, *inside]},
            ),
            (
                409,
                "OutOfBoundsAllocationPool",
                {"allocation_pools": self.pools(("192.168.5.10", "192.168.6.1"))},
            ),
            (
                400,
                "InvalidAllocationPool",
                {"allocation_pools": self.pools(("192.168.5.20", "192.168.5.10"))},
            ),
            (
                400,
                "InvalidAllocationPool",
                {"allocation_pools": self.pools(("192.168.5.20", "2001:db8::1"))},
            ),
            (400, "InvalidAllocationPool", {"allocation_pools": self.pools(("", "x"))}),
            (400, "InvalidInput", {"dns_nameservers": ["x"]}),
            (400, "InvalidInput", {"dns_nameservers": ["2001:db8::1"]}),
            (400, "InvalidInput", {"dns_nameservers": ["9.9.9.9", "9.9.9.9"]}),
            (
                400,
                "InvalidInput",
                {"host_routes": [{"destination": "x", "nexthop": "192.168.5.1"}]},
            ),
            (
                400,
                "InvalidInput",
                {"host_routes": [{"destination": "10.0.0.0/8", "nexthop": "fe80::1"}]},
            ),
            (404, "NetworkNotFound", {"network_id": str(uuid4())}),
            (404, "NetworkNotFound", {"network_id": "x"}),
            (403, "PolicyNotAuthorized", {"network_id": str(NETWORK.id)}),
        ):
            self.assert_refused(code, kind, self.ask(**wanted))
        self.assertEqual(1, len(self.sql("SELECT id FROM subnet")))

    def test_bulk(self) -> None:
        """Several at once: all or none."""
        four = {"network_id": self.network, "cidr": "10.0.0.0/24", "ip_version": 4}
        six = {"network_id": self.network, "cidr": "2001:db8::/64", "ip_version": 6}
        body = {"subnets": [four, {**six, "cidr": "x"}]}
        self.assertEqual(400, self.call("POST", f"{V2}/subnets", body, by=ALICE).code)
        reply = self.call("POST", f"{V2}/subnets", {"subnets": [four, six]}, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        self.assertEqual([4, 6], [one["ip_version"] for one in reply.json["subnets"]])

    def test_quota(self) -> None:
        """They count, and count off with their network."""
        self.site = self.new_site({**NO_LIMITS, Resource.SUBNETS: 1})
        self.subnet()
        reply = self.ask(cidr="2001:db8::/64", ip_version=6)
        self.assert_refused(409, "OverQuota", reply)
        self.assertEqual(204, self.delete(self.network).code)
        self.network = self.made()["id"]
        self.subnet()

    def test_after_ports(self) -> None:
        """A network that has ports gets no more subnets: Ganeti's cannot change."""
        self.subnet()
        self.server(networks=[{"uuid": self.network}])
        reply = self.ask(cidr="2001:db8::/64", ip_version=6)
        self.assertEqual(409, reply.code)


class ChangeTests(SubnetTestCase):
    """``PUT`` and ``DELETE``."""

    def test_change(self) -> None:
        """All but where it is may change, and what is not named stays."""
        subnet = self.subnet(dns_nameservers=["9.9.9.9"])["id"]
        reply = self.put(subnet, name="n", description="d", enable_dhcp=False)
        self.assertEqual(200, reply.code, reply.text)
        shown = reply.json["subnet"]
        self.assertEqual(
            ("n", "d", False, ["9.9.9.9"], 1),
            tuple(
                shown[key]
                for key in (
                    *("name", "description", "enable_dhcp", "dns_nameservers"),
                    "revision_number",
                )
            ),
        )
        self.assertEqual(400, self.put(subnet, cidr="10.0.0.0/8").code)

    def test_pools(self) -> None:
        """Ports get addresses of the new pools; who has one keeps it."""
        subnet = self.subnet()["id"]
        wish = [{"uuid": self.network}]
        self.server(networks=wish)
        pools = self.pools(
            ("192.168.5.100", "192.168.5.100"), ("192.168.5.2", "192.168.5.2")
        )
        reply = self.put(subnet, allocation_pools=pools)
        self.assertEqual(200, reply.code, reply.text)
        self.server(networks=wish)
        self.assertEqual(
            [("192.168.5.2",), ("192.168.5.100",)],
            self.sql("SELECT host(address) FROM address ORDER BY address"),
        )
        self.assertEqual(409, self.create(networks=wish).code)

    def test_gateway(self) -> None:
        """The gateway moves, but not into a pool."""
        subnet = self.subnet(
            allocation_pools=self.pools(("192.168.5.10", "192.168.5.20"))
        )["id"]
        reply = self.put(subnet, gateway_ip="192.168.5.15")
        self.assert_refused(409, "GatewayConflictWithAllocationPools", reply)
        reply = self.put(subnet, gateway_ip="192.168.5.9")
        self.assertEqual("192.168.5.9", reply.json["subnet"]["gateway_ip"])
        self.assertIsNone(
            self.put(subnet, gateway_ip=None).json["subnet"]["gateway_ip"]
        )
        fixed = [{"ip_address": "192.168.5.99"}]
        asked = {"port": {"network_id": self.network, "fixed_ips": fixed}}
        self.call("POST", f"{V2}/ports", asked, by=ALICE)
        reply = self.put(subnet, gateway_ip="192.168.5.99")
        self.assertEqual(409, reply.code)
        self.assertIn("192.168.5.99 is in use", reply.message)

    def test_delete(self) -> None:
        """One that a port has an address of is a 409; others' are not there."""
        reply = self.call("DELETE", f"{V2}/subnets/{SUBNET.id}", by=ALICE)
        self.assert_refused(403, "PolicyNotAuthorized", reply)
        self.server()
        reply = self.call("DELETE", f"{V2}/subnets/{SUBNET.id}", by=ADMIN)
        self.assert_refused(409, "SubnetInUse", reply)
        subnet = self.subnet()["id"]
        path = f"{V2}/subnets/{subnet}"
        self.assertEqual(404, self.call("DELETE", path, by=BOB).code)
        self.assertEqual(404, self.put(subnet, BOB, name="x").code)
        self.assertEqual(204, self.call("DELETE", path, by=ALICE).code)
        self.assertEqual(404, self.call("GET", path, by=ALICE).code)
        self.subnet()
