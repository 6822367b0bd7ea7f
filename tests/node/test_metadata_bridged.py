"""Guests of private networks ask for their metadata, and their neighbors hear nothing."""

import socket
import struct

from tests.node.asking import SERVICE, MetadataTestCase
from tests.node.case import mac
from tests.node.inside import connects, heard, listen, pings, sends, sniffer
from tests.node.lab import Guest, NodeNamespace, batch
from tests.node.test_bridged import FILTERED

VXLAN = "vxlan vni:4097 private snf:mtu:1450"


class BridgedTests(MetadataTestCase):
    """Guests of private networks, whose addresses may be the same."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge("prv0")
        self.one = self.bridged(1, "aa:00:01:00:00:01", "10.1.0.1")
        self.two = self.bridged(2, "aa:00:01:00:00:02", "10.1.0.2")
        self.other = self.bridged(3, "aa:00:11:00:00:03", "10.1.0.1")

    def test_own(self) -> None:
        """Each is told its own, also two of two networks with the same address."""
        for number, guest in enumerate((self.one, self.two, self.other), 1):
            self.assert_told(guest, number)

    def test_by_a_router(self) -> None:
        """So is one that sends it to whatever router it believes in."""
        self.assert_told(self.two, 2)
        batch(
            self.two.namespace,
            f"route del {SERVICE} dev eth0",
            "route add default via 10.1.0.254",
            "neigh add 10.1.0.254 lladdr aa:00:01:00:00:99 dev eth0",
        )
        self.assertEqual("2", self.told(self.two))

    def test_unheard(self) -> None:
        """Its neighbors hear nothing of what it asks or is told, not even for whom it looks."""
        self.assert_told(self.one, 1)
        batch(self.one.namespace, "neigh flush dev eth0")
        ear = self.kept(sniffer(self.two.namespace, "eth0"))
        self.assertEqual("1", self.told(self.one))
        self.assertFalse(heard(ear, socket.inet_aton(SERVICE)))

    def test_flooded(self) -> None:
        """Nor do they when the bridge has forgotten where the guest is."""
        self.assert_told(self.one, 1)
        # Of this one the cloud knows no address, so it has no part in the service.
        plain = self.member(4, "prv0", FILTERED, "aa:00:01:00:00:04")
        self.node.ip("link set prv0 type bridge ageing_time 0")
        ear = self.kept(sniffer(plain.namespace, "eth0"))
        self.assertEqual("1", self.told(self.one))
        self.assertFalse(heard(ear, socket.inet_aton(SERVICE)))

    def test_pretended(self) -> None:
        """Who takes a neighbor's address, which it may there, is told nothing by it."""
        self.assert_told(self.one, 1)
        batch(self.two.namespace, "addr add 10.1.0.1/24 dev eth0")
        self.assertIsNone(self.told(self.two, "10.1.0.1", 1))
        self.assertEqual("1", self.told(self.one))
        self.assertEqual("2", self.told(self.two, "10.1.0.2"))

    def test_pretended_service(self) -> None:
        """Nobody can be the service for a neighbor."""
        ear = self.kept(sniffer(self.one.namespace, "eth0"))
        own = bytes.fromhex(self.two.mac.replace(":", ""))
        body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + own
        body += socket.inet_aton(SERVICE) + b"\xff" * 6 + socket.inet_aton("10.1.0.1")
        sends(self.two.namespace, "eth0", b"\xff" * 6 + own + b"\x08\x06" + body)
        self.assertFalse(heard(ear, socket.inet_aton(SERVICE)))
        batch(self.two.namespace, f"addr add {SERVICE}/32 dev eth0")
        self.kept(listen(self.two.namespace, 80))
        self.assert_told(self.one, 1)

    def test_not_offered(self) -> None:
        """Where nothing is lent its members may have a service of their own."""
        self.bridge("prv1")
        asking = self.member(4, "prv1", "physical-vlan private", "aa:00:00:00:00:04")
        serving = self.member(5, "prv1", "physical-vlan private", "aa:00:00:00:00:05")
        batch(serving.namespace, f"addr add {SERVICE}/32 dev eth0")
        batch(asking.namespace, f"route add {SERVICE} dev eth0")
        self.kept(listen(serving.namespace, 80))
        self.assertTrue(connects(asking.namespace, SERVICE, 80))
        self.assertFalse((self.node.directory / "metadata" / "tap4").exists())

    def test_binding(self) -> None:
        """nfdhcpd tells the way to it."""
        text = (self.node.directory / "bindings" / "tap1").read_text()
        self.assertIn(f"ROUTES={SERVICE}/32@0.0.0.0\n", text)


class VxlanTests(MetadataTestCase):
    """Guests of a network that spans nodes, of which one has the service."""

    def setUp(self) -> None:
        super().setUp()
        self.second = self.lab.node()
        self.one = self.spanning(self.node, 1)
        self.there = self.spanning(self.second, 2)

    def spanning(self, node: NodeNamespace, number: int) -> Guest:
        """Return a guest of the network on a node, with an address that it is lent."""
        guest = self.lab.guest(node, f"tap{number}", mac(number))
        address = f"10.1.0.{number}"
        node.up(
            {
                **self.private(guest, number, "snfv4097", f"{VXLAN} nfdhcpd"),
                "MODE": "openvswitch",
                "IP": address,
                "NETWORK_SUBNET": "10.1.0.0/24",
            }
        )
        batch(
            guest.namespace,
            f"addr add {address}/24 dev eth0",
            f"route add {SERVICE} dev eth0",
        )
        return guest

    def test_own_node(self) -> None:
        """Its own node tells a guest; what it says is heard on no other, nor taken there."""
        self.assert_told(self.one, 1)
        self.assertTrue(pings(self.one.namespace, "10.1.0.2", 2))
        ear = self.kept(sniffer(self.there.namespace, "eth0"))
        self.node.ip("link set snfv4097 type bridge ageing_time 0")
        batch(self.one.namespace, "neigh flush dev eth0")
        self.assertEqual("1", self.told(self.one))
        self.assertFalse(heard(ear, socket.inet_aton(SERVICE)))
        # The other node has no service, and the first one's is not asked in its place.
        self.assertIsNone(self.told(self.there, wait_s=1))
        batch(self.there.namespace, "addr add 10.1.0.1/24 dev eth0")
        self.assertIsNone(self.told(self.there, "10.1.0.1", 1))
        self.assertEqual("1", self.told(self.one))
