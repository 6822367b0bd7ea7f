"""Guests of private networks: who hears whom."""

import struct

from tests.node.case import NodeTestCase, mac
from tests.node.inside import datagrams, heard, pings, sends, sniffer
from tests.node.lab import PROGRAM, Guest, NodeNamespace, batch, run

FILTERED = "private-filtered private"


class BridgedTestCase(NodeTestCase):
    """Guests on bridges, with addresses of their own choice."""

    def member(
        self,
        number: int,
        bridge: str,
        network_tags: str,
        hardware: str,
        node: NodeNamespace | None = None,
        **other: str,
    ) -> Guest:
        """Return a guest on a bridge, whose addresses end with its number."""
        node = node or self.node
        guest = self.lab.guest(node, f"tap{number}", hardware)
        node.up({**self.private(guest, number, bridge, network_tags), **other})
        batch(
            guest.namespace,
            f"addr add 10.1.0.{number}/24 dev eth0",
            f"addr add fd00:1::{number}/64 dev eth0 nodad",
        )
        return guest

    def hears(self, guest: Guest, other: Guest) -> bool:
        """Return whether what a guest sends to all is heard by another, as IPv4 or IPv6."""
        ear = self.kept(sniffer(other.namespace, "eth0"))
        source = bytes.fromhex(guest.mac.replace(":", ""))
        everybody = (b"\xff" * 6, bytes.fromhex("333300000001"))
        for kind, to in zip((b"\x08\x06", b"\x86\xdd"), everybody, strict=True):
            marker = b"to all " + guest.mac.encode()
            body = marker
            if kind == b"\x08\x06":
                body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + source + bytes(14)
                body += marker
            sends(guest.namespace, "eth0", to + source + kind + body)
            if heard(ear, marker, 0.3):
                return True
        return False


class FilteredTests(BridgedTestCase):
    """Networks that share a bridge and are told apart by their MAC prefixes."""

    def setUp(self) -> None:
        super().setUp()
        self.bridge("prv0")
        macs = ("aa:00:01:00:00:01", "aa:00:0f:00:00:02", "aa:00:11:00:00:03")
        self.one, self.two, self.other = (
            self.member(number, "prv0", FILTERED, hardware)
            for number, hardware in enumerate(macs, 1)
        )

    def test_same_network(self) -> None:
        """Guests of one network reach each other: 20 bits of the prefix count."""
        self.assertTrue(pings(self.one.namespace, "10.1.0.2"))
        self.assertTrue(pings(self.one.namespace, "fd00:1::2"))
        self.assertTrue(self.hears(self.one, self.two))

    def test_other_network(self) -> None:
        """Guests of another network neither reach nor hear them."""
        self.assertFalse(pings(self.one.namespace, "10.1.0.3"))
        self.assertFalse(pings(self.other.namespace, "fd00:1::1"))
        self.assertFalse(self.hears(self.one, self.other))
        self.assertFalse(self.hears(self.other, self.one))

    def test_pretended(self) -> None:
        """A guest that takes a MAC address of another network's is heard by nobody."""
        batch(self.other.namespace, "link set eth0 address aa:00:01:00:00:77")
        liar = Guest(self.other.namespace, self.other.tap, "aa:00:01:00:00:77")
        self.assertFalse(self.hears(liar, self.one))
        self.assertFalse(self.hears(liar, self.two))


class SharedAddressesTests(BridgedTestCase):
    """Two networks of the same addresses, on bridges of their own."""

    def test_connections_apart(self) -> None:
        """A connection on one network opens nothing on the other."""
        tags = "physical-vlan private"
        closed = {"TAGS": "synnefo:network:snf-nic-port2:protected"}
        guests = []
        for bridge, first in (("prv1", 1), ("prv2", 3)):
            self.bridge(bridge)
            for number in (first, first + 1):
                guest = self.lab.guest(self.node, f"tap{number}", mac(number))
                variables = self.private(guest, number, bridge, tags)
                if number == 2:
                    variables |= closed
                self.node.up(variables)
                batch(
                    guest.namespace, f"addr add 10.1.0.{number - first + 1}/24 dev eth0"
                )
                guests.append(guest)
        sockets = [
            self.kept(datagrams(guest.namespace, f"10.1.0.{address}", port))
            for guest, (address, port) in zip(
                guests, [(1, 4000), (2, 5000)] * 2, strict=True
            )
        ]
        client, server, twin_client, twin_server = sockets
        twin_client.sendto(b"question", ("10.1.0.2", 5000))
        twin_server.recv(100)
        twin_server.sendto(b"answer", ("10.1.0.1", 4000))
        twin_client.recv(100)
        # The very same addresses and ports, towards a guest that nothing new reaches.
        client.sendto(b"unasked", ("10.1.0.2", 5000))
        self.assertRaises(TimeoutError, server.recv, 100)


class BridgeTests(BridgedTestCase):
    """What becomes of the bridge itself."""

    def test_keeps_its_address(self) -> None:
        """A guest that comes does not change the bridge's MAC address, nor one that goes."""
        self.bridge("br0")
        self.node.ip(
            "link add high0 address f2:00:00:00:00:01 type veth peer name high1",
            "link set high0 master br0 up",
        )
        before = self.address()
        guest = self.member(1, "br0", "private", mac(1))
        self.assertEqual(before, self.address())
        self.lab.unplug(guest, self.node)
        self.assertEqual(before, self.address())

    def test_only_guests(self) -> None:
        """Nor does the first one on a bridge that nobody else is on."""
        self.bridge("br0")
        before = self.address()
        guests = [self.member(one, "br0", "private", mac(one)) for one in (2, 1)]
        self.assertEqual(before, self.address())
        for guest in guests:
            self.lab.unplug(guest, self.node)
        self.assertEqual(before, self.address())

    def address(self) -> str:
        """Return the bridge's MAC address."""
        return run(
            "ip", "-n", self.node.namespace, "-br", "link", "show", "br0"
        ).split()[2]


class RefusedTests(BridgedTestCase):
    """What cannot be set up safely is not set up at all."""

    def test_no_bridge(self) -> None:
        """Without its bridge a NIC does not come up, and says which."""
        guest = self.lab.guest(self.node, "tap1", mac(1))
        before = self.node.state()
        done = self.node.call("up", **self.private(guest, 1, "prv9", "private"))
        self.assertEqual(1, done.returncode)
        self.assertEqual(
            "snf-network: there is no bridge prv9 on this node\n", done.stderr
        )
        self.assertEqual([], list((self.node.directory / "state").glob("*.json")))
        after = self.node.state()
        self.assertEqual(before["links"], after["links"])
        self.assertNotIn("tap1", after["rules"])

    def test_no_filter(self) -> None:
        """Without br_netfilter there would be no firewall: the NIC does not come up."""
        self.bridge("prv1")
        guest = self.lab.guest(self.node, "tap1", mac(1))
        hidden = "mount -t tmpfs none /proc/sys/net/bridge && exec"
        program = f"/usr/bin/python3 -I -S {PROGRAM} up 2>&1 || :"
        variables = {
            **self.node.environment(),
            **self.private(guest, 1, "prv1", "private"),
        }
        said = run(
            *("ip", "netns", "exec", self.node.namespace, "env"),
            *(f"{key}={value}" for key, value in variables.items()),
            *("sh", "-c", f"{hidden} sh -c '{program}'"),
        )
        self.assertIn("br_netfilter is not loaded", said)
        ports = run("ip", "-n", self.node.namespace, "link", "show", "master", "prv1")
        self.assertEqual("", ports)

    def test_nonsense(self) -> None:
        """An environment that makes no sense is refused, and the variable named."""
        guest = self.lab.guest(self.node, "tap1", mac(1))
        self.bridge("prv1")
        good = self.private(guest, 1, "prv1", "private")
        for key, value in (
            ("MAC", "aa:00"),
            ("INTERFACE", "../tap1"),
            ("INTERFACE", "tap99"),
            ("LINK", ""),
            ("LINK", "a link; reboot"),
        ):
            done = self.node.call("up", **{**good, key: value})
            self.assertEqual(1, done.returncode, (key, value))
            self.assertIn(f"{key}=", done.stderr)


class PublicBridgeTests(BridgedTestCase):
    """A public network on a bridge of the operator's."""

    def test_only_own_addresses(self) -> None:
        """Its guests may send from their own addresses only."""
        self.bridge("br0")
        public = "public"
        one = self.member(1, "br0", public, mac(1), IP="10.1.0.1")
        two = self.member(2, "br0", public, mac(2), IP="10.1.0.2")
        self.assertTrue(pings(one.namespace, "10.1.0.2"))
        batch(two.namespace, "addr add 10.1.0.99/24 dev eth0")
        self.assertFalse(pings(one.namespace, "10.1.0.99"))
