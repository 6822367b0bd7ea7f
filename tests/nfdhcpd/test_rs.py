"""Router advertisements, as scapy reads them."""

from ipaddress import IPv6Address
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.rs import LIFETIME_S
from snf.nfdhcpd.settings import OFF, Ipv6, Nfdhcpd, Queues
from snf.nfdhcpd.wire6 import ICMP, finish
from tests.nfdhcpd.guest import FOREIGN, MAC
from tests.nfdhcpd.guest6 import (
    OWN,
    OWN_LOCAL,
    SERVER_LOCAL,
    answered,
    bound,
    dissected,
    router_solicitation,
)


class AdvertisementTests(SynchronousTestCase):
    """What a guest is told."""

    def test_routed(self) -> None:
        """A prefix to make an address of, and the node as the router, for all else."""
        answer = answered("rs", router_solicitation())
        self.assertEqual("ra", answer.outcome)
        frame = dissected(answer.frame)
        self.assertEqual(
            (MAC.hex(":"), "ee:ee:ee:ee:ee:ee"),
            (frame.dst, frame.src),
        )
        self.assertEqual(
            (OWN_LOCAL, SERVER_LOCAL, 255),
            (frame[IPv6].dst, frame[IPv6].src, frame[IPv6].hlim),
        )
        told = frame[ICMPv6ND_RA]
        self.assertEqual((14_400, 64, 0), (told.routerlifetime, told.chlim, told.prf))
        prefix = frame[ICMPv6NDOptPrefixInfo]
        self.assertEqual(
            ("2001:db8:1::", 64, 0, 1, 0),
            (prefix.prefix, prefix.prefixlen, prefix.L, prefix.A, prefix.R),
        )
        self.assertEqual("ee:ee:ee:ee:ee:ee", frame[ICMPv6NDOptSrcLLAddr].lladdr)
        for option in (ICMPv6NDOptMTU, ICMPv6NDOptRDNSS):
            self.assertNotIn(option, frame)
        self.assertEqual(["example.org."], frame[ICMPv6NDOptDNSSL].searchlist)

    def test_node_address(self) -> None:
        """It is from the address that the node has on the tap, if it has one."""
        one, known = bound("rs", router=IPv6Address("fe80::1"))
        self.assertEqual("fe80::1", dissected(known.frame)[IPv6].src)
        self.assertEqual("rs", one.kind)

    def test_everybody(self) -> None:
        """Who has no address yet, and who has not asked, is told as everybody is."""
        answer = answered("rs", router_solicitation(source="::", mac=None))
        frame = dissected(answer.frame)
        self.assertEqual(("33:33:00:00:00:01", "ff02::1"), (frame.dst, frame[IPv6].dst))
        self.assertEqual(bound("rs")[1].frame, answer.frame)

    def test_modes(self) -> None:
        """The flags of each mode: managed, other, and of the prefix autonomous."""
        off = Queues(dhcpv6=OFF)
        for mode, queues, flags in (
            ("slaac", Queues(), (0, 0, 1)),
            ("slaac+dhcpv6", Queues(), (0, 1, 1)),
            ("auto", Queues(), (0, 1, 1)),
            ("auto", off, (0, 0, 1)),
            ("dhcpv6", Queues(), (1, 1, 0)),
        ):
            settings = Nfdhcpd(ipv6=Ipv6(mode=mode), queues=queues)
            known = bound("rs", settings)[1]
            frame = dissected(known.frame)
            told = frame[ICMPv6ND_RA]
            autonomous = (
                frame[ICMPv6NDOptPrefixInfo].A if ICMPv6NDOptPrefixInfo in frame else 0
            )
            self.assertEqual(flags, (told.M, told.O, autonomous), mode)

    def test_bridged(self) -> None:
        """On a bridge neighbors are reached directly, and the node routes nothing."""
        frame = dissected(bound("rs", INDEV="prv1")[1].frame)
        self.assertEqual(0, frame[ICMPv6ND_RA].routerlifetime)
        prefix = frame[ICMPv6NDOptPrefixInfo]
        self.assertEqual((1, 1), (prefix.L, prefix.A))
        settings = Nfdhcpd(ipv6=Ipv6(mode="dhcpv6"))
        prefix = dissected(bound("rs", settings, INDEV="prv1")[1].frame)
        prefix = prefix[ICMPv6NDOptPrefixInfo]
        self.assertEqual((1, 0), (prefix.L, prefix.A))

    def test_private(self) -> None:
        """A guest that is to be told no router is told none."""
        frame = dissected(bound("rs", PRIVATE="yes")[1].frame)
        self.assertEqual(0, frame[ICMPv6ND_RA].routerlifetime)

    def test_options(self) -> None:
        """MTU, name servers and domains, of the binding before the configuration's."""
        settings = Nfdhcpd(
            ipv6=Ipv6(
                nameservers=("2001:db8::53", "2001:db8::54"),
                domains=("example.com", "example.net"),
            )
        )
        frame = dissected(bound("rs", settings, MTU="1450")[1].frame)
        self.assertEqual(1450, frame[ICMPv6NDOptMTU].mtu)
        servers = frame[ICMPv6NDOptRDNSS]
        self.assertEqual(["2001:db8::53", "2001:db8::54"], servers.dns)
        names = frame[ICMPv6NDOptDNSSL]
        self.assertEqual(["example.com.", "example.net."], names.searchlist)
        for option in (servers, names):
            self.assertTrue(option.lifetime >= 3 * settings.ipv6.ra_period_s)
        frame = dissected(
            bound(
                *("rs", settings),
                NAMESERVERS="198.51.100.53,2001:db8:1::53",
                DOMAIN="cloud.example.org",
                MTU="576",
            )[1].frame
        )
        self.assertEqual(["2001:db8:1::53"], frame[ICMPv6NDOptRDNSS].dns)
        self.assertEqual(["cloud.example.org."], frame[ICMPv6NDOptDNSSL].searchlist)
        # IPv6 needs 1280 octets, so this is not for it.
        self.assertNotIn(ICMPv6NDOptMTU, frame)

    def test_routes(self) -> None:
        """Those of IPv6, by the node; a prefix as long as it needs (RFC 4191, 2.3)."""
        routes = {
            "::/0": 1,
            "2001:db8:77::/48": 2,
            "2001:db8:7::/64": 2,
            OWN + "/128": 3,
        }
        text = ",".join(f"{network}@fe80::9" for network in routes)
        known = bound("rs", ROUTES=f"10.0.0.0/8@198.51.100.9,{text}")[1]
        told = _routes(known.frame)
        self.assertEqual(
            list(routes.items()),
            [(f"{one.prefix}/{one.plen}", one.len) for one in told],
        )
        for one in told:
            self.assertEqual((0, LIFETIME_S), (one.prf, one.rtlifetime))

    def test_not_by_the_node(self) -> None:
        """On a bridge the node leads nowhere; where it is no router, only there."""
        route = "2001:db8:77::/48@fe80::9"
        frame = dissected(bound("rs", ROUTES=route, INDEV="prv1")[1].frame)
        self.assertNotIn(ICMPv6NDOptRouteInfo, frame)
        frame = dissected(bound("rs", ROUTES=route, PRIVATE="yes")[1].frame)
        self.assertEqual(0, frame[ICMPv6ND_RA].routerlifetime)
        self.assertIn(ICMPv6NDOptRouteInfo, frame)

    def test_many_routes(self) -> None:
        """Seventeen at most (RFC 4191, 4), so that there is room for names."""
        routes = ",".join(f"2001:db8:{number}::/48@fe80::9" for number in range(1, 99))
        frame = bound("rs", ROUTES=routes)[1].frame
        self.assertEqual(17, len(_routes(frame)))
        self.assertIn(ICMPv6NDOptDNSSL, dissected(frame))

    def test_preference(self) -> None:
        """Of the node and of its routes; medium where it is no router (RFC 4191, 2.2)."""
        for word, number in (("low", 3), ("medium", 0), ("high", 1)):
            settings = Nfdhcpd(ipv6=Ipv6(preference=word))
            values = {"ROUTES": "2001:db8:77::/48@fe80::9"}
            frame = dissected(bound("rs", settings, **values)[1].frame)
            self.assertEqual(number, frame[ICMPv6ND_RA].prf)
            self.assertEqual(number, frame[ICMPv6NDOptRouteInfo].prf)
            frame = dissected(bound("rs", settings, PRIVATE="yes", **values)[1].frame)
            self.assertEqual(0, frame[ICMPv6ND_RA].prf)
            self.assertEqual(number, frame[ICMPv6NDOptRouteInfo].prf)

    def test_room(self) -> None:
        """As many of too many as every link carries; no name that DNS cannot have."""
        many = tuple(f"2001:db8::{number:x}" for number in range(1, 200))
        domains = tuple(f"{'x' * 50}.{number}.example" for number in range(200))
        settings = Nfdhcpd(ipv6=Ipv6(nameservers=many, domains=domains))
        frame = dissected(bound("rs", settings)[1].frame)
        self.assertTrue(len(frame[ICMPv6NDOptRDNSS].dns) > 50)
        few = Nfdhcpd(ipv6=Ipv6(nameservers=many[:2], domains=domains))
        frame = dissected(bound("rs", few)[1].frame)
        self.assertEqual(2, len(frame[ICMPv6NDOptRDNSS].dns))
        self.assertTrue(len(frame[ICMPv6NDOptDNSSL].searchlist) > 10)
        frame = dissected(bound("rs", HOSTNAME=f"snf-1.{'x' * 64}")[1].frame)
        self.assertNotIn(ICMPv6NDOptDNSSL, frame)

    def test_prefixes(self) -> None:
        """No guest makes itself an address of a prefix that is not 64 bits long."""
        frame = dissected(bound("rs", SUBNET6="2001:db8:1::/80", INDEV="b")[1].frame)
        prefix = frame[ICMPv6NDOptPrefixInfo]
        self.assertEqual((80, 1, 0), (prefix.prefixlen, prefix.L, prefix.A))

    def test_nothing_to_tell(self) -> None:
        """Who has no IPv6 is told nothing."""
        self.assertIsNone(bound("rs", SUBNET6="")[1])


class RefusalTests(SynchronousTestCase):
    """Who is not answered."""

    def test_foreign(self) -> None:
        """Another MAC address, by the frame or by what the packet says."""
        for packet, mac in (
            (router_solicitation(), FOREIGN),
            (router_solicitation(mac=FOREIGN), MAC),
            (router_solicitation(mac=FOREIGN), FOREIGN),
            (router_solicitation(mac=None), FOREIGN),
            (router_solicitation(source="::", mac=None), FOREIGN),
        ):
            answer = answered("rs", packet, mac=mac)
            self.assertEqual(("spoofed", b""), (answer.outcome, answer.frame))
        answer = answered(
            "rs", router_solicitation(mac=FOREIGN), mac=FOREIGN, MACSPOOF="yes"
        )
        self.assertEqual(FOREIGN.hex(":"), dissected(answer.frame).dst)

    def test_malformed(self) -> None:
        """RFC 4861, 6.1.1: hops, checksum, code, lengths, and no source's option of ::."""
        whole = router_solicitation()
        for at, value in (
            (0, 0x45),  # version
            (4, 1),  # length
            (5, 7),  # length
            (6, 17),  # UDP
            (7, 254),  # hops
            (8, 0xFF),  # from a group
            (40, 135),  # type
            (41, 1),  # code
            (42, whole[42] ^ 1),  # checksum
        ):
            packet = bytearray(whole)
            packet[at] = value
            self.assertEqual("malformed", answered("rs", bytes(packet)).outcome, at)
        for packet in (
            router_solicitation(source="::"),
            router_solicitation(hlim=64),
            # An option that is longer than what is left, and one without a length.
            _with_option(b"\x0e\x02" + bytes(6)),
            _with_option(b"\x0e\x00" + bytes(6)),
        ):
            self.assertEqual("malformed", answered("rs", packet).outcome)
        for length in range(len(whole)):
            self.assertEqual("malformed", answered("rs", whole[:length]).outcome)
        self.assertEqual(
            "ra", answered("rs", _with_option(b"\x0e\x01" + bytes(6))).outcome
        )


def _routes(frame: bytes) -> list[Any]:
    """Return the options of routes in an advertisement."""
    found, layer = [], dissected(frame)
    while ICMPv6NDOptRouteInfo in layer:
        found.append(layer[ICMPv6NDOptRouteInfo])
        layer = found[-1].payload
    return found


def _with_option(octets: bytes) -> bytes:
    """Return a solicitation with an option, of which the lengths and checksum are right."""
    packet = bytearray(14) + router_solicitation() + octets
    return finish(packet, ICMP, 2)[14:]
