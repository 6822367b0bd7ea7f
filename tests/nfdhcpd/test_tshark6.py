"""IPv6 answers, as tshark reads them."""

from scapy.layers.dhcp6 import DHCP6OptIA_PD, DHCP6OptRapidCommit
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.settings import Ipv6, Nfdhcpd
from tests.nfdhcpd.guest6 import (
    OTHER,
    OWN,
    SERVER_LOCAL,
    answered,
    bound,
    dhcp6,
    ia,
    neighbor_solicitation,
    router_solicitation,
)
from tests.nfdhcpd.tshark import complaints

FULL = {
    "MTU": "1450",
    "NAMESERVERS6": "2001:db8::53 2001:db8::54",
    "DOMAIN": "a.test",
    "NTP": "2001:db8::123 2001:db8::124",
    "ROUTES": "::/0@fe80::9 2001:db8:7::/48@fe80::9 2001:db8:8::1/128@fe80::9",
}
QUESTIONS = (
    ("rs", router_solicitation()),
    ("rs", router_solicitation(source="::", mac=None)),
    ("ns", neighbor_solicitation(OTHER)),
    ("ns", neighbor_solicitation(OTHER, source="::")),
    ("ns", neighbor_solicitation(SERVER_LOCAL)),
    ("dhcpv6", dhcp6("solicit", ia())),
    ("dhcpv6", dhcp6("solicit", DHCP6OptRapidCommit(), ia())),
    ("dhcpv6", dhcp6("solicit", DHCP6OptIA_PD(iaid=1, T1=0, T2=0), ia())),
    ("dhcpv6", dhcp6("information")),
    ("dhcpv6", dhcp6("information", client=None)),
    *(
        ("dhcpv6", dhcp6(kind, ia(OWN, OTHER)))
        for kind in ("request", "confirm", "renew", "rebind", "release", "decline")
    ),
)


class ComplaintsTests(SynchronousTestCase):
    """Every kind of answer, in every mode, on a tap and on a bridge."""

    def test_none(self) -> None:
        """Nothing is malformed, nothing is odd, and checksums are right."""
        frames = []
        for mode in ("slaac", "slaac+dhcpv6", "dhcpv6"):
            settings = Nfdhcpd(ipv6=Ipv6(mode=mode))
            for indev in ("tap1", "prv1"):
                for values in ({}, FULL):
                    for kind, packet in QUESTIONS:
                        values = {**values, "INDEV": indev}
                        if bound(kind, settings, **values)[1] is None:
                            continue
                        frames.append(answered(kind, packet, settings, **values).frame)
        self.assertNotIn(b"", frames)
        self.assertTrue(len(frames) > 100)
        self.assertEqual("", complaints(frames))

    def test_some(self) -> None:
        """Of spoiled ones it does complain, so that its silence says something."""
        ra = answered("rs", router_solicitation()).frame
        reply = answered("dhcpv6", dhcp6("information")).frame
        for frame in (
            ra[:-1] + bytes((ra[-1] ^ 1,)),
            reply[:-1] + bytes((reply[-1] ^ 1,)),
            reply[:67] + b"\xff" + reply[68:],
            ra[:-4],
        ):
            self.assertNotEqual("", complaints([frame]))
