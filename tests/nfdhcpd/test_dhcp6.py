"""DHCPv6: what each message is answered with, as scapy reads it."""

from typing import Any

from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_RelayForward,
    DHCP6_Reply,
    DHCP6NTPSubOptSrvAddr,
    DHCP6OptClientId,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIA_TA,
    DHCP6OptIAAddress,
    DHCP6OptNTPServer,
    DHCP6OptPref,
    DHCP6OptRapidCommit,
    DHCP6OptRelayMsg,
    DHCP6OptServerId,
    DHCP6OptStatusCode,
)
from scapy.layers.inet6 import UDP, IPv6
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.settings import OFF, Ipv6, Nfdhcpd, Queues
from tests.nfdhcpd.guest import FOREIGN, MAC
from tests.nfdhcpd.guest6 import (
    OTHER,
    OWN,
    OWN_LOCAL,
    SERVER_DUID,
    SERVER_LOCAL,
    answered,
    bound,
    dhcp6,
    dissected,
    ia,
)

THEIRS = DUID_LL(lladdr="ee:ee:ee:ee:ee:ef")
PREFIX = DHCP6OptIA_PD(iaid=9, T1=0, T2=0, iapdopt=[])
TEMPORARY = DHCP6OptIA_TA(iaid=8, iataopts=[])
RAPID = DHCP6OptRapidCommit()


def relayed() -> bytes:
    """Return a message that a relay has packed."""
    relay = DHCP6_RelayForward(linkaddr="::", peeraddr=OWN_LOCAL)
    inner = DHCP6OptRelayMsg(message=b"\1\0\0\0")
    packet = IPv6(src=OWN_LOCAL, dst="ff02::1:2") / UDP(sport=546, dport=547)
    return bytes(packet / relay / inner)


def given(frame: Any) -> list[tuple[int, list[tuple[str, int]], list[int]]]:
    """Return of each IA its code, its addresses with their times, and its statuses."""
    found = []
    layer = frame[DHCP6OptServerId]
    while layer:
        for name in ("ianaopts", "iataopts", "iapdopt"):
            inner = layer.fields.get(name)
            if inner is not None:
                addresses = [
                    (one.addr, one.validlft)
                    for one in inner
                    if isinstance(one, DHCP6OptIAAddress)
                ]
                statuses = [
                    one.statuscode
                    for one in inner
                    if isinstance(one, DHCP6OptStatusCode)
                ]
                found.append((layer.optcode, addresses, statuses))
        layer = layer.payload
    return found


class StateTests(SynchronousTestCase):
    """RFC 8415, 18.3: a message, and the answer."""

    def test_answers(self) -> None:
        """Each message is answered as the RFC has it, or not at all."""
        for situation, packet, outcome in (
            ("solicit", dhcp6("solicit", ia()), "advertise"),
            ("solicit nothing", dhcp6("solicit"), "advertise"),
            ("solicit with server", dhcp6("solicit", server=SERVER_DUID), "malformed"),
            ("solicit without client", dhcp6("solicit", client=None), "malformed"),
            ("rapid commit", dhcp6("solicit", RAPID, ia()), "reply"),
            ("request", dhcp6("request", ia(OWN)), "reply"),
            (
                "request of others",
                dhcp6("request", ia(OWN), server=THEIRS),
                "other_server",
            ),
            (
                "request without server",
                dhcp6("rebind", ia()).replace(b"\6\x12\x34\x56", b"\3\x12\x34\x56"),
                "malformed",
            ),
            ("renew", dhcp6("renew", ia(OWN)), "reply"),
            ("renew moved", dhcp6("renew", ia(OWN), server=THEIRS), "other_server"),
            ("rebind", dhcp6("rebind", ia(OWN)), "reply"),
            (
                "rebind with server",
                dhcp6("rebind", ia(OWN), server=SERVER_DUID),
                "malformed",
            ),
            ("confirm", dhcp6("confirm", ia(OWN)), "reply"),
            ("confirm moved", dhcp6("confirm", ia("2001:db8::1")), "not_on_link"),
            ("confirm another", dhcp6("confirm", ia(OTHER)), "not_on_link"),
            ("confirm both", dhcp6("confirm", ia(OWN, OTHER)), "not_on_link"),
            ("confirm nothing", dhcp6("confirm", ia()), "malformed"),
            ("release", dhcp6("release", ia(OWN)), "release"),
            ("release of others", dhcp6("release", server=THEIRS), "other_server"),
            ("decline", dhcp6("decline", ia(OWN)), "decline"),
            ("information", dhcp6("information"), "reply"),
            ("information, anonymous", dhcp6("information", client=None), "reply"),
            ("information, ours", dhcp6("information", server=SERVER_DUID), "reply"),
            (
                "information, theirs",
                dhcp6("information", server=THEIRS),
                "other_server",
            ),
            ("information with IA", dhcp6("information", ia()), "malformed"),
            ("relayed", relayed(), "relayed"),
            ("unicast", dhcp6("solicit", target=SERVER_LOCAL), "malformed"),
            ("from nowhere", dhcp6("solicit", source="::"), "malformed"),
        ):
            answer = answered("dhcpv6", packet)
            self.assertEqual(outcome, answer.outcome, situation)
            silent = ("malformed", "other_server", "relayed", "unexpected")
            self.assertEqual(outcome not in silent, bool(answer.frame), situation)
            if answer.frame:
                frame = dissected(answer.frame)
                kind = DHCP6_Advertise if outcome == "advertise" else DHCP6_Reply
                self.assertEqual(0x123456, frame[kind].trid, situation)
                self.assertEqual(SERVER_DUID, frame[DHCP6OptServerId].duid)
                self.assertEqual((547, 546), (frame[UDP].sport, frame[UDP].dport))
                self.assertEqual(
                    (OWN_LOCAL, SERVER_LOCAL), (frame[IPv6].dst, frame[IPv6].src)
                )
                self.assertEqual(
                    (MAC.hex(":"), "ee:ee:ee:ee:ee:ee"), (frame.dst, frame.src)
                )

    def test_of_servers(self) -> None:
        """What only servers send, and what nobody knows, is not answered."""
        whole = dhcp6("solicit", ia())
        for kind, outcome in ((0, "unexpected"), (2, "unexpected"), (7, "unexpected")):
            self.assertEqual(outcome, answered("dhcpv6", _of(whole, kind)).outcome)
        for kind, outcome in ((10, "unexpected"), (13, "relayed"), (99, "unexpected")):
            self.assertEqual(outcome, answered("dhcpv6", _of(whole, kind)).outcome)

    def test_identifier(self) -> None:
        """The client's identifier comes back, whatever it is, up to the longest."""
        for identifier in (b"\0\4" + bytes(16), b"x" * 130):
            packet = dhcp6("solicit", client=None) + _option(1, identifier)
            answer = answered("dhcpv6", _lengths(packet))
            self.assertIn(_option(1, identifier), answer.frame)
        for identifier in (b"", b"x" * 131):
            packet = dhcp6("solicit", client=None) + _option(1, identifier)
            self.assertEqual("malformed", answered("dhcpv6", _lengths(packet)).outcome)
        frame = dissected(answered("dhcpv6", dhcp6("information", client=None)).frame)
        self.assertNotIn(DHCP6OptClientId, frame)

    def test_declined(self) -> None:
        """The operator hears of an address that somebody else uses."""
        answer = answered("dhcpv6", dhcp6("decline", ia(OWN)))
        self.assertNotEqual("", answer.note)
        self.assertEqual(0, dissected(answer.frame)[DHCP6OptStatusCode].statuscode)

    def test_foreign(self) -> None:
        """Another MAC address is not answered."""
        answer = answered("dhcpv6", dhcp6("solicit", ia()), mac=FOREIGN)
        self.assertEqual(("spoofed", b""), (answer.outcome, answer.frame))
        answer = answered("dhcpv6", dhcp6("solicit", ia()), mac=FOREIGN, MACSPOOF="yes")
        self.assertEqual(FOREIGN.hex(":"), dissected(answer.frame).dst)

    def test_off(self) -> None:
        """Without IPv6, or where addresses are all that is told, nothing is answered."""
        self.assertIsNone(bound("dhcpv6", SUBNET6="")[1])
        settings = Nfdhcpd(ipv6=Ipv6(mode="slaac"))
        self.assertIsNone(bound("dhcpv6", settings)[1])
        off = Nfdhcpd(queues=Queues(dhcpv6=OFF))
        self.assertRaises(ValueError, bound, "dhcpv6", off)


class LeaseTests(SynchronousTestCase):
    """What an answer gives."""

    def test_address(self) -> None:
        """The guest's one address, with its times."""
        settings = Nfdhcpd(ipv6=Ipv6(lease_s=7200, renewal_s=600))
        frame = dissected(answered("dhcpv6", dhcp6("solicit", ia()), settings).frame)
        association = frame[DHCP6OptIA_NA]
        self.assertEqual(
            (7, 600, 6300), (association.iaid, association.T1, association.T2)
        )
        [address] = association.ianaopts
        self.assertEqual(
            (OWN, 7200, 7200), (address.addr, address.preflft, address.validlft)
        )
        # It is the only server, so there is nothing to wait for.
        self.assertEqual(255, frame[DHCP6OptPref].prefval)
        self.assertNotIn(DHCP6OptRapidCommit, frame)

    def test_rapid(self) -> None:
        """A lease at once says that it is one."""
        frame = dissected(answered("dhcpv6", dhcp6("solicit", RAPID, ia())).frame)
        self.assertIn(DHCP6_Reply, frame)
        self.assertIn(DHCP6OptRapidCommit, frame)
        self.assertNotIn(DHCP6OptPref, frame)
        self.assertEqual([(3, [(OWN, 604_800)], [])], given(frame))

    def test_associations(self) -> None:
        """One of several gets the address: who has it, or else the first."""
        week = 604_800
        for packet, expected in (
            (dhcp6("solicit", ia(OTHER)), [(3, [(OWN, week)], [])]),
            (dhcp6("request", ia(OTHER)), [(3, [(OWN, week)], [])]),
            (dhcp6("renew", ia(OTHER)), [(3, [(OWN, week), (OTHER, 0)], [])]),
            (dhcp6("rebind", ia(OTHER)), [(3, [(OWN, week), (OTHER, 0)], [])]),
            (
                dhcp6("solicit", ia(identifier=1), ia(identifier=2)),
                [(3, [(OWN, week)], []), (3, [], [2])],
            ),
            (
                dhcp6("renew", ia(identifier=1), ia(OWN, identifier=2)),
                [(3, [], [2]), (3, [(OWN, week)], [])],
            ),
            (
                dhcp6("solicit", PREFIX, TEMPORARY, ia()),
                [(25, [], [6]), (4, [], [2]), (3, [(OWN, week)], [])],
            ),
        ):
            frame = dissected(answered("dhcpv6", packet).frame)
            self.assertEqual(expected, given(frame))

    def test_no_address(self) -> None:
        """A guest whose address cannot be known is told that there is none."""
        answer = answered("dhcpv6", dhcp6("solicit", ia()), SUBNET6="2001:db8::/80")
        self.assertEqual([(3, [], [2])], given(dissected(answer.frame)))

    def test_names(self) -> None:
        """Name servers and domains, of the binding before the configuration's."""
        settings = Nfdhcpd(
            ipv6=Ipv6(nameservers=("2001:db8::53",), domains=("example.com",))
        )
        for kind, options in (("information", ()), ("request", (ia(),))):
            packet = dhcp6(kind, *options)
            frame = dissected(answered("dhcpv6", packet, settings).frame)
            self.assertEqual(["2001:db8::53"], frame[DHCP6OptDNSServers].dnsservers)
            self.assertEqual(["example.com."], frame[DHCP6OptDNSDomains].dnsdomains)
            frame = dissected(
                answered(
                    *("dhcpv6", packet, settings),
                    NAMESERVERS6="2001:db8:1::53",
                    DOMAIN="example.net",
                ).frame
            )
            self.assertEqual(["2001:db8:1::53"], frame[DHCP6OptDNSServers].dnsservers)
            self.assertEqual(["example.net."], frame[DHCP6OptDNSDomains].dnsdomains)
        frame = dissected(answered("dhcpv6", dhcp6("information")).frame)
        self.assertEqual(["example.org."], frame[DHCP6OptDNSDomains].dnsdomains)
        self.assertNotIn(DHCP6OptDNSServers, frame)

    def test_time_servers(self) -> None:
        """Each in an option of its own (RFC 5908, 4), of the binding or else configured."""
        settings = Nfdhcpd(ipv6=Ipv6(ntp_servers=("2001:db8::123", "2001:db8::124")))
        for values, servers in (
            ({}, ["2001:db8::123", "2001:db8::124"]),
            ({"NTP": "192.0.2.123"}, ["2001:db8::123", "2001:db8::124"]),
            ({"NTP": "192.0.2.123,2001:db8:1::123"}, ["2001:db8:1::123"]),
        ):
            for packet in (dhcp6("information"), dhcp6("request", ia())):
                answer = answered("dhcpv6", packet, settings, **values)
                self.assertEqual(servers, _time_servers(dissected(answer.frame)))
        frame = dissected(answered("dhcpv6", dhcp6("information")).frame)
        self.assertEqual([], _time_servers(frame))

    def test_many_time_servers(self) -> None:
        """Name servers come first; of too many time servers some are told."""
        many = tuple(f"2001:db8::{number:x}" for number in range(1, 100))
        settings = Nfdhcpd(ipv6=Ipv6(nameservers=many[:9], ntp_servers=many))
        frame = dissected(answered("dhcpv6", dhcp6("information"), settings).frame)
        self.assertEqual(list(many[:9]), frame[DHCP6OptDNSServers].dnsservers)
        told = _time_servers(frame)
        self.assertTrue(10 < len(told) < 99, told)
        self.assertEqual(list(many[: len(told)]), told)

    def test_room(self) -> None:
        """However much there is to be told and to be given up, every link carries it."""
        settings = Nfdhcpd(
            ipv6=Ipv6(
                nameservers=tuple(f"2001:db8::{number}" for number in range(1, 20)),
                domains=tuple(f"{'x' * 50}.{number}" for number in range(100)),
            )
        )
        stale = [f"2001:db8:7::{number}" for number in range(1, 30)]
        packet = dhcp6(
            "rebind",
            *(ia(*stale, identifier=number) for number in range(9)),
            client=None,
        )
        packet = _lengths(packet + _option(1, b"x" * 130))
        answer = answered("dhcpv6", packet, settings)
        frame = dissected(answer.frame)
        self.assertEqual(19, len(frame[DHCP6OptDNSServers].dnsservers))
        self.assertEqual(4, len(given(frame)))


class MalformedTests(SynchronousTestCase):
    """Packets that are none."""

    def test_cut(self) -> None:
        """A packet that ends early, wherever that is, is passed over."""
        whole = dhcp6("solicit", ia(OWN), RAPID)
        for length in range(len(whole)):
            packet = whole[:length]
            self.assertEqual("malformed", answered("dhcpv6", packet).outcome, length)
            # Between two options, what is left may be whole.
            if length >= 52 and length not in (66, 110):
                outcome = answered("dhcpv6", _lengths(packet)).outcome
                self.assertEqual("malformed", outcome, length)

    def test_fields(self) -> None:
        """Other protocols and ports, and lengths that are not so."""
        whole = dhcp6("solicit", ia(OWN))
        for at, value in (
            (0, 0x45),  # version
            (5, 3),  # IPv6's length
            (6, 6),  # TCP
            (6, 0),  # options for every hop
            (8, 0xFF),  # from a group
            (43, 0x22),  # port
            (45, 7),  # UDP's length
            (44, 1),
            (55, 200),  # length of the first option
        ):
            packet = bytearray(whole)
            packet[at] = value
            self.assertEqual("malformed", answered("dhcpv6", bytes(packet)).outcome, at)

    def test_associations(self) -> None:
        """IAs that are too short, or hold something of a wrong length."""
        for code, value in (
            (3, b""),
            (3, bytes(11)),
            (4, bytes(3)),
            (25, bytes(11)),
            (3, bytes(12) + b"\0\5\0\x0f" + bytes(15)),
            (3, bytes(12) + b"\0\5\0\x20" + bytes(15)),
            (3, bytes(12) + b"\0"),
        ):
            packet = _lengths(dhcp6("solicit") + _option(code, value))
            self.assertEqual("malformed", answered("dhcpv6", packet).outcome)


def _time_servers(frame: Any) -> list[str]:
    """Return the addresses of time servers that an answer has, an option each."""
    found, layer = [], frame
    while DHCP6OptNTPServer in layer:
        layer = layer[DHCP6OptNTPServer]
        [inner] = layer.ntpserver
        assert isinstance(inner, DHCP6NTPSubOptSrvAddr)
        found.append(inner.addr)
        layer = layer.payload
    return found


def _of(packet: bytes, kind: int) -> bytes:
    return packet[:48] + bytes((kind,)) + packet[49:]


def _option(code: int, value: bytes) -> bytes:
    return code.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def _lengths(packet: bytes) -> bytes:
    """Return a packet whose headers' lengths are right."""
    length = (len(packet) - 40).to_bytes(2, "big")
    return packet[:4] + length + packet[6:44] + length + packet[46:]
