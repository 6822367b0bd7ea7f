"""Guests of the public network: reached, reaching, and only as themselves."""

import os
import struct
from ipaddress import ip_address

from tests.node.case import NodeTestCase, address4, address6, mac
from tests.node.inside import connects, heard, listen, pings, sends, sniffer
from tests.node.lab import INTERNET4, INTERNET6, run


class RoutedTests(NodeTestCase):
    """The node routes for them, on both families."""

    def test_internet(self) -> None:
        """A guest reaches the Internet, and is reached from there."""
        guest = self.routed(5)
        for there, own in ((INTERNET4, address4(5)), (INTERNET6, address6(5))):
            self.assertTrue(pings(guest.namespace, there), there)
            self.assertTrue(pings(self.lab.internet, own), own)

    def test_neighbors(self) -> None:
        """Guests reach each other, on one node and on two, and their node reaches them."""
        here, there = self.routed(5), self.routed(6)
        far = self.routed(7, node=self.lab.node())
        for to in (6, 7):
            self.assertTrue(pings(here.namespace, address4(to), 1), to)
            self.assertTrue(pings(here.namespace, address6(to), 1), to)
        self.assertTrue(pings(far.namespace, address4(5), 1))
        self.assertTrue(pings(far.namespace, address6(6), 1))
        self.assertTrue(pings(self.node.namespace, address4(6)))
        self.assertTrue(pings(there.namespace, INTERNET4))

    def test_node_itself(self) -> None:
        """A guest can ping its node, which can connect to it, and not the other way."""
        guest = self.routed(5)
        for namespace in (self.node.namespace, guest.namespace):
            self.kept(listen(namespace, 1811))
        self.assertTrue(pings(guest.namespace, self.node.address))
        self.assertTrue(connects(self.node.namespace, address4(5), 1811))
        self.assertTrue(connects(self.node.namespace, address6(5), 1811))
        self.assertFalse(connects(guest.namespace, self.node.address, 1811))
        other = self.lab.node()
        self.assertTrue(connects(other.namespace, self.node.address, 1811))

    def test_again(self) -> None:
        """Setting up what is set up already changes nothing."""
        guest = self.routed(5)
        before = self.node.state()
        self.node.up(self.public(guest, 5))
        after = self.node.state()
        self.assertEqual(before["rule4"], after["rule4"])
        self.assertEqual(before["proxy6"], after["proxy6"])
        self.assertEqual(before["rules"], after["rules"])
        self.assertTrue(pings(self.lab.internet, address4(5)))

    def test_binding(self) -> None:
        """nfdhcpd is told what to answer, and no more once the tap is gone."""
        guest = self.routed(5)
        path = self.node.directory / "bindings" / guest.tap
        said = dict(line.split("=", 1) for line in path.read_text().splitlines())
        self.assertEqual("198.18.1.5", said["IP"])
        self.assertEqual("tap5", said["INDEV"])
        self.assertEqual(mac(5), said["MAC"])
        self.assertEqual("2001:db8:1::/64", said["SUBNET6"])
        self.assertEqual(ip_address(address6(5)), ip_address(said["EUI64"]))
        self.lab.unplug(guest, self.node)
        self.assertEqual(0, self.node.call("gc").returncode)
        self.assertFalse(path.exists())

    def test_readable(self) -> None:
        """Whoever nfdhcpd is may read it, though Ganeti's daemons keep theirs to root."""
        before = os.umask(0o077)
        try:
            guest = self.routed(6)
        finally:
            os.umask(before)
        path = self.node.directory / "bindings" / guest.tap
        self.assertEqual(0o644, path.stat().st_mode & 0o777)

    def test_no_dhcp(self) -> None:
        """Where IPv4 has no DHCP there is no address to answer with; IPv6 stays."""
        guest = self.lab.guest(self.node, "tap8", mac(8))
        environment = self.public(guest, 8)
        tags = f"{environment['NETWORK_TAGS']} snf:no-dhcp:4"
        self.node.up({**environment, "NETWORK_TAGS": tags})
        path = self.node.directory / "bindings" / guest.tap
        said = dict(line.split("=", 1) for line in path.read_text().splitlines())
        self.assertNotIn("IP", said)
        self.assertEqual(ip_address(address6(8)), ip_address(said["EUI64"]))

    def test_name_servers(self) -> None:
        """They are told in the order of their numbers, whatever that of the tags is."""
        guest = self.lab.guest(self.node, "tap9", mac(9))
        environment = self.public(guest, 9)
        told = "snf:dns:10@192.0.2.55 snf:dns:2@2001:db8::53 snf:dns:192.0.2.53"
        tags = f"{told} {environment['NETWORK_TAGS']}"
        self.node.up({**environment, "NETWORK_TAGS": tags})
        path = self.node.directory / "bindings" / guest.tap
        said = dict(line.split("=", 1) for line in path.read_text().splitlines())
        self.assertEqual("192.0.2.53,2001:db8::53,192.0.2.55", said["NAMESERVERS"])

    def test_no_gateway(self) -> None:
        """What Ganeti keeps of a gateway is not told where the network has none."""
        guest = self.lab.guest(self.node, "tap7", mac(7))
        environment = self.public(guest, 7)
        tags = f"{environment['NETWORK_TAGS']} snf:no-gateway:4"
        given = {"NETWORK_GATEWAY": "198.18.1.1", "NETWORK_GATEWAY6": "2001:db8:1::1"}
        self.node.up({**environment, **given, "NETWORK_TAGS": tags})
        path = self.node.directory / "bindings" / guest.tap
        said = dict(line.split("=", 1) for line in path.read_text().splitlines())
        self.assertNotIn("GATEWAY", said)
        self.assertEqual("2001:db8:1::1", said["GATEWAY6"])

    def test_no_table(self) -> None:
        """Without the routing table the NIC does not come up, and says why."""
        guest = self.lab.guest(self.node, "tap5", mac(5))
        done = self.node.call("up", **{**self.public(guest, 5), "LINK": "999"})
        self.assertEqual(1, done.returncode)
        self.assertIn("routing table 999", done.stderr)
        self.assertEqual([], list((self.node.directory / "state").glob("*.json")))


class SpoofTests(NodeTestCase):
    """What a guest sends as somebody else reaches nobody."""

    def setUp(self) -> None:
        super().setUp()
        self.guest = self.routed(5)
        self.routed(6)
        self.ear = self.kept(sniffer(self.lab.internet, "link0"))

    def passes(self, frame: bytes, marker: bytes) -> bool:
        """Return whether what the guest sends is heard in the Internet."""
        sends(self.guest.namespace, "eth0", frame)
        return heard(self.ear, marker)

    def test_own(self) -> None:
        """What it sends as itself passes."""
        self.assertTrue(self.passes(_ipv4(mac(5), address4(5), b"own 4"), b"own 4"))
        self.assertTrue(self.passes(_ipv6(mac(5), address6(5), b"own 6"), b"own 6"))

    def test_ipv4(self) -> None:
        """Another IPv4 address does not, its neighbor's or whosever."""
        for address in (address4(6), INTERNET4, "10.0.0.1", "0.0.0.0"):
            frame = _ipv4(mac(5), address, b"spoofed")
            self.assertFalse(self.passes(frame, b"spoofed"), address)

    def test_ipv6(self) -> None:
        """Another IPv6 address does not."""
        for address in (address6(6), INTERNET6, "fe80::1", "::"):
            frame = _ipv6(mac(5), address, b"spoofed")
            self.assertFalse(self.passes(frame, b"spoofed"), address)

    def test_mac(self) -> None:
        """Another MAC address does not, with whatever IP address."""
        for frame in (
            _ipv4(mac(6), address4(5), b"spoofed"),
            _ipv4(mac(6), address4(6), b"spoofed"),
            _ipv6(mac(6), address6(6), b"spoofed"),
        ):
            self.assertFalse(self.passes(frame, b"spoofed"))

    def test_arp(self) -> None:
        """The node does not learn a neighbor's address from it."""
        answer = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2)
        answer += _mac(mac(5)) + ip_address(address4(6)).packed
        answer += b"\xff" * 6 + ip_address(address4(6)).packed
        frame = b"\xff" * 6 + _mac(mac(5)) + b"\x08\x06" + answer
        sends(self.guest.namespace, "eth0", frame)
        known = run("ip", "-n", self.node.namespace, "neigh", "show", "dev", "tap5")
        self.assertNotIn(address4(6), known)

    def test_services(self) -> None:
        """It is nobody's DHCP server and nobody's router."""
        sends(
            self.guest.namespace,
            "eth0",
            _ipv4(mac(5), address4(5), struct.pack(">HHHH", 67, 68, 8, 0)),
        )
        text = self.rules_of("netdev", "snf")
        self.assertIn("udp sport { 67, 547 } counter packets 1", text)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


# The node's end of every tap.
_GATEWAY = _mac("ee:ee:ee:ee:ee:ee")


def _ipv4(source_mac: str, source: str, payload: bytes) -> bytes:
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0)
    header += ip_address(source).packed + ip_address(INTERNET4).packed
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack(">H", ~total & 0xFFFF) + header[12:]
    return _GATEWAY + _mac(source_mac) + b"\x08\x00" + header + payload


def _ipv6(source_mac: str, source: str, payload: bytes) -> bytes:
    header = struct.pack(">IHBB", 6 << 28, len(payload), 59, 64)  # 59: nothing follows
    header += ip_address(source).packed + ip_address(INTERNET6).packed
    return _GATEWAY + _mac(source_mac) + b"\x86\xdd" + header + payload
