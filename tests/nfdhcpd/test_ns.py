"""Neighbor advertisements, as scapy reads them."""

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from twisted.trial.unittest import SynchronousTestCase

from tests.nfdhcpd.guest import FOREIGN, MAC
from tests.nfdhcpd.guest6 import (
    OTHER,
    OWN,
    OWN_LOCAL,
    SERVER_LOCAL,
    answered,
    bound,
    dissected,
    neighbor_solicitation,
)

GATEWAY = "2001:db8:9::1"


class NeighborTests(SynchronousTestCase):
    """Whom the node stands for."""

    def test_answers(self) -> None:
        """The router, all of the subnet but the guest, and the gateway; nobody else."""
        for wanted, outcome in (
            (SERVER_LOCAL, "na"),
            (OTHER, "na"),
            ("2001:db8:1::1", "na"),
            ("2001:db8:1:0:ffff:ffff:ffff:ffff", "na"),
            (GATEWAY, "na"),
            (OWN, "own"),
            ("2001:db8:1:1::1", "elsewhere"),
            ("2001:db8::1", "elsewhere"),
            (OWN_LOCAL, "elsewhere"),
            ("fe80::2", "elsewhere"),
            ("::", "elsewhere"),
        ):
            packet = neighbor_solicitation(wanted)
            answer = answered("ns", packet, GATEWAY6=GATEWAY)
            self.assertEqual(outcome, answer.outcome, wanted)
            self.assertEqual(outcome == "na", bool(answer.frame), wanted)
            if answer.frame:
                frame = dissected(answer.frame)
                self.assertEqual(
                    (MAC.hex(":"), "ee:ee:ee:ee:ee:ee"), (frame.dst, frame.src)
                )
                self.assertEqual(
                    (OWN_LOCAL, SERVER_LOCAL, 255),
                    (frame[IPv6].dst, frame[IPv6].src, frame[IPv6].hlim),
                )
                told = frame[ICMPv6ND_NA]
                override = int(wanted == SERVER_LOCAL)
                self.assertEqual(
                    (wanted, 1, 1, override), (told.tgt, told.R, told.S, told.O)
                )
                mac = frame[ICMPv6NDOptDstLLAddr].lladdr
                self.assertEqual("ee:ee:ee:ee:ee:ee", mac)

    def test_probe(self) -> None:
        """Who asks the router itself whether it is still there is answered, too."""
        packet = neighbor_solicitation(SERVER_LOCAL, target=SERVER_LOCAL, mac=None)
        self.assertEqual("na", answered("ns", packet).outcome)
        packet = neighbor_solicitation(SERVER_LOCAL, source=OWN, target=SERVER_LOCAL)
        frame = dissected(answered("ns", packet).frame)
        self.assertEqual(OWN, frame[IPv6].dst)

    def test_duplicate(self) -> None:
        """An address that is not the guest's is somebody else's already."""
        for wanted, outcome in (
            (OWN, "own"),
            (OWN_LOCAL, "elsewhere"),
            (OTHER, "duplicate"),
            (GATEWAY, "duplicate"),
            (SERVER_LOCAL, "duplicate"),
        ):
            packet = neighbor_solicitation(wanted, source="::")
            answer = answered("ns", packet, GATEWAY6=GATEWAY)
            self.assertEqual(outcome, answer.outcome, wanted)
            if answer.frame:
                frame = dissected(answer.frame)
                self.assertEqual(
                    ("33:33:00:00:00:01", "ff02::1"), (frame.dst, frame[IPv6].dst)
                )
                told = frame[ICMPv6ND_NA]
                self.assertEqual((wanted, 0), (told.tgt, told.S))

    def test_any(self) -> None:
        """A guest with others behind it, or of no known address, may have any."""
        for values in ({"MACSPOOF": "yes"}, {"SUBNET6": "2001:db8:1::/80"}):
            for wanted, outcome in (
                ("2001:db8:1::7", "elsewhere"),
                (SERVER_LOCAL, "duplicate"),
            ):
                packet = neighbor_solicitation(wanted, source="::")
                answer = answered("ns", packet, **values)
                self.assertEqual(outcome, answer.outcome, wanted)
            packet = neighbor_solicitation("2001:db8:1::7")
            self.assertEqual("na", answered("ns", packet, **values).outcome)

    def test_bridged(self) -> None:
        """On a bridge guests answer for themselves; without IPv6 there are none."""
        self.assertIsNone(bound("ns", INDEV="prv1")[1])
        self.assertIsNone(bound("ns", SUBNET6="")[1])

    def test_foreign(self) -> None:
        """Another MAC address is not answered."""
        for packet, mac in (
            (neighbor_solicitation(OTHER), FOREIGN),
            (neighbor_solicitation(OTHER, mac=FOREIGN), MAC),
            (neighbor_solicitation(OTHER, source="::"), FOREIGN),
        ):
            answer = answered("ns", packet, mac=mac)
            self.assertEqual(("spoofed", b""), (answer.outcome, answer.frame))
        packet = neighbor_solicitation(OTHER, mac=FOREIGN)
        answer = answered("ns", packet, mac=FOREIGN, MACSPOOF="1")
        self.assertEqual(FOREIGN.hex(":"), dissected(answer.frame).dst)

    def test_malformed(self) -> None:
        """RFC 4861, 7.1.1."""
        whole = neighbor_solicitation(OTHER)
        for at, value in (
            (6, 17),
            (7, 254),
            (40, 133),
            (41, 1),
            (43, whole[43] ^ 1),
            (64, 2),  # an option's type, which the checksum covers
        ):
            packet = bytearray(whole)
            packet[at] = value
            self.assertEqual("malformed", answered("ns", bytes(packet)).outcome, at)
        for packet in (
            neighbor_solicitation("ff02::1"),
            neighbor_solicitation(OTHER, source="::", target=OTHER),
            neighbor_solicitation(OTHER, source="::", target="ff02::1"),
            neighbor_solicitation(OTHER, source="ff02::1"),
            neighbor_solicitation(OTHER, hlim=1),
        ):
            self.assertEqual("malformed", answered("ns", packet).outcome)
        for length in range(len(whole)):
            self.assertEqual("malformed", answered("ns", whole[:length]).outcome)
