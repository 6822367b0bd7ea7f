"""IPv6 packets that somebody has spoiled: each has a verdict, and none does harm."""

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.responder import Packet
from snf.nfdhcpd.wire6 import ICMP, UDP, finish
from tests.nfdhcpd.guest import FOREIGN, MAC
from tests.nfdhcpd.guest6 import bound, dhcp6, dissected, router_solicitation
from tests.nfdhcpd.questions import WHOLE
from tests.nfdhcpd.verdicts import Node

OUTCOMES = {
    "rs": {"ra"},
    "ns": {"na", "duplicate", "own", "elsewhere"},
    "dhcpv6": {
        *("advertise", "reply", "not_on_link", "release", "decline"),
        *("other_server", "unexpected", "relayed"),
    },
}
_OCTET = st.integers(0, 255)
_INNER = st.lists(
    st.tuples(st.sampled_from((5, 13, 26, 99)), st.binary(max_size=40)), max_size=3
)


def encoded(options: list[tuple[int, bytes]]) -> bytes:
    """Return options of DHCPv6 as they are sent."""
    return b"".join(
        code.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
        for code, value in options
    )


@st.composite
def associations(draw: st.DrawFn) -> bytes:
    """Return an IA with anything in it."""
    code, size = draw(st.sampled_from(((3, 12), (4, 4), (25, 12))))
    head = draw(st.binary(min_size=size - 1, max_size=size + 1))
    return encoded([(code, head + encoded(draw(_INNER)))])


@st.composite
def spoiled(draw: st.DrawFn, kind: str) -> bytes:
    """Return a packet of a kind of which something is not as it was."""
    packet = bytearray(draw(st.sampled_from(WHOLE[kind])))
    if draw(st.booleans()):
        packet += draw(st.binary(max_size=64))
    if kind == "dhcpv6":
        for more in draw(st.lists(associations(), max_size=6)):
            packet += more
    if draw(st.booleans()):
        del packet[draw(st.integers(0, len(packet))) :]
    for _ in range(draw(st.integers(0, 4))):
        if packet:
            packet[draw(st.integers(0, len(packet) - 1))] = draw(_OCTET)
    if len(packet) >= 48 and draw(st.booleans()):
        # So that it is not for its lengths or its checksum that it is refused.
        protocol, at = (UDP, 6) if kind == "dhcpv6" else (ICMP, 2)
        packet = bytearray(finish(bytearray(14) + packet, protocol, at)[14:])
    return bytes(packet)


class SpoiledTests(SynchronousTestCase):
    """Packets of each kind."""

    def spoil(self, kind: str, data: st.DataObject) -> None:
        """Answer one packet, directly and by its queue."""
        packet = data.draw(spoiled(kind))
        source = data.draw(st.sampled_from((MAC, MAC, FOREIGN)))
        one, known = bound(kind, MTU="1400", NAMESERVERS6="2001:db8::53")
        answer = one.answer(known, Packet(packet, source))
        self.assertIn(answer.outcome, OUTCOMES[kind] | {"malformed", "spoofed"})
        if source == FOREIGN:
            self.assertEqual(b"", answer.frame)
        if answer.frame:
            frame = dissected(answer.frame)
            self.assertIn(frame.dst, (MAC.hex(":"), "33:33:00:00:00:01"))
            self.assertEqual("ee:ee:ee:ee:ee:ee", frame.src)
        node = Node()
        node.put(kind, packet, source)
        self.assertEqual("drop", node.verdict)
        self.assertEqual(1, sum(node.answers.packets.values()))

    @given(st.data())
    def test_router_solicitations(self, data: st.DataObject) -> None:
        """Router solicitations."""
        self.spoil("rs", data)

    @given(st.data())
    def test_neighbor_solicitations(self, data: st.DataObject) -> None:
        """Neighbor solicitations."""
        self.spoil("ns", data)

    @given(st.data())
    def test_dhcpv6(self, data: st.DataObject) -> None:
        """DHCPv6 clients' messages."""
        self.spoil("dhcpv6", data)

    @given(st.binary(max_size=200))
    def test_anything(self, packet: bytes) -> None:
        """What is no packet at all."""
        for kind in OUTCOMES:
            one, known = bound(kind)
            answer = one.answer(known, Packet(packet, MAC))
            self.assertEqual(("malformed", b""), (answer.outcome, answer.frame))


class BridgeTests(SynchronousTestCase):
    """What guests of a bridge say to each other."""

    def test_verdicts(self) -> None:
        """What is not answered goes on its way, and neighbor discovery in any case."""
        six = {"SUBNET6": "2001:db8:1::/64"}
        for kind, routed, values, outcome, verdict in (
            ("rs", False, six, "ra", "accept"),
            ("rs", False, {"SUBNET6": ""}, "passed", "accept"),
            ("rs", True, six, "ra", "drop"),
            ("rs", True, {"SUBNET6": ""}, "none", "drop"),
            ("ns", False, six, "passed", "accept"),
            ("ns", False, {"SUBNET6": ""}, "passed", "accept"),
            ("ns", True, six, "na", "drop"),
            ("ns", True, {"SUBNET6": ""}, "none", "drop"),
            ("dhcpv6", False, six, "advertise", "drop"),
            ("dhcpv6", False, {"SUBNET6": ""}, "passed", "accept"),
            ("dhcpv6", True, {"SUBNET6": ""}, "none", "drop"),
            ("dhcp", False, {}, "offer", "drop"),
            ("dhcp", False, {"IP": ""}, "passed", "accept"),
            ("dhcp", True, {"IP": ""}, "none", "drop"),
        ):
            node = Node(routed, values)
            node.put(kind, WHOLE[kind][0])
            situation = f"{kind} {routed} {values}"
            self.assertEqual(verdict, node.verdict, situation)
            self.assertEqual(
                {(kind, outcome): 1}, dict(node.answers.packets), situation
            )


class ChecksumTests(SynchronousTestCase):
    """The checksum that ICMP and UDP say differently."""

    def test_icmp(self) -> None:
        """One sum of all is 0, and is said so."""
        one, known = bound("ns")
        start = int(IPv6Address("2001:db8:1::7:0"))
        head = router_solicitation()[:40]
        found = []
        for number in range(0x10000):
            wanted = IPv6Address(start + number).packed
            body = b"\x87\0\0\0" + bytes(4) + wanted
            packet = finish(bytearray(14) + head + body, ICMP, 2)[14:]
            frame = one.answer(known, Packet(packet, MAC)).frame
            if frame[56:58] in (b"\0\0", b"\xff\xff"):
                found.append(frame)
        self.assertEqual([b"\0\0"], [frame[56:58] for frame in found])
        dissected(found[0])

    def test_udp(self) -> None:
        """0 is no checksum there, so the sum that is 0 is said the other way."""
        one, known = bound("dhcpv6")
        whole = bytearray(dhcp6("information"))
        found = []
        for number in range(0x10000):
            whole[50:52] = number.to_bytes(2, "big")
            frame = one.answer(known, Packet(bytes(whole), MAC)).frame
            if frame[60:62] in (b"\0\0", b"\xff\xff"):
                found.append(frame)
        self.assertEqual([b"\xff\xff"], [frame[60:62] for frame in found])
        dissected(found[0])
