"""DHCPv4: what each message is answered with, as scapy reads it."""

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.responder import Packet
from snf.nfdhcpd.settings import Dhcp
from tests.nfdhcpd.guest import (
    BINDING,
    MAC,
    OTHER,
    OWN,
    SERVER,
    Reply,
    answered,
    bound,
    message,
)

WANTED = ("param_req_list", [1, 3, 6, 12, 15, 26, 28, 42, 51, 58, 59, 121])


class StateTests(SynchronousTestCase):
    """RFC 2131, 4.3: a message, the client's state, and the answer."""

    def test_answers(self) -> None:
        """Each message is answered as the RFC has it, or not at all."""
        ours, theirs = ("server_id", SERVER), ("server_id", "192.0.2.99")
        own, other = ("requested_addr", OWN), ("requested_addr", OTHER)
        for situation, packet, outcome in (
            ("discover", message("discover"), "offer"),
            ("discover another", message("discover", other), "offer"),
            ("selecting", message("request", ours, own), "ack"),
            ("selecting another", message("request", ours, other), "nak"),
            ("selecting other server", message("request", theirs, own), "other_server"),
            ("selecting no address", message("request", ours), "ack"),
            ("init-reboot", message("request", own), "ack"),
            ("init-reboot moved", message("request", other), "nak"),
            (
                "renewing",
                message("request", ciaddr=OWN, source=OWN, target=SERVER),
                "ack",
            ),
            (
                "renewing moved",
                message("request", ciaddr=OTHER, source=OTHER, target=SERVER),
                "nak",
            ),
            ("rebinding", message("request", ciaddr=OWN, source=OWN), "ack"),
            ("rebinding moved", message("request", ciaddr=OTHER, source=OTHER), "nak"),
            ("no address at all", message("request"), "malformed"),
            ("inform", message("inform", ciaddr=OWN, source=OWN), "ack"),
            ("decline", message("decline", ours, own), "decline"),
            ("decline of others", message("decline", theirs, own), "other_server"),
            ("release", message("release", ours, ciaddr=OWN), "release"),
            ("a server's", message("offer"), "unexpected"),
        ):
            answer = answered(packet)
            self.assertEqual(outcome, answer.outcome, situation)
            self.assertEqual(
                outcome in ("offer", "ack", "nak"), bool(answer.frame), situation
            )
            if answer.frame:
                reply = Reply(answer.frame)
                self.assertTrue(reply.sound(), situation)
                self.assertEqual(
                    {"offer": 2, "ack": 5, "nak": 6}[outcome],
                    reply.options["message-type"],
                )
                self.assertEqual(SERVER, reply.options["server_id"], situation)
                self.assertEqual(0x12345678, reply.boot.xid)
                self.assertEqual(MAC, reply.boot.chaddr[:6])

    def test_lease(self) -> None:
        """An ACK of a REQUEST has the address and the times; one of an INFORM has not."""
        own = ("requested_addr", OWN)
        reply = Reply(answered(message("request", own)).frame)
        self.assertEqual((OWN, "0.0.0.0"), (reply.boot.yiaddr, reply.boot.ciaddr))
        times = [
            reply.options[name]
            for name in ("lease_time", "renewal_time", "rebinding_time")
        ]
        self.assertEqual([604_800, 3600, 529_200], times)
        informed = message("inform", WANTED, ciaddr=OWN, source=OWN)
        reply = Reply(answered(informed).frame)
        self.assertEqual(("0.0.0.0", OWN), (reply.boot.yiaddr, reply.boot.ciaddr))
        self.assertEqual("255.255.255.0", reply.options["subnet_mask"])
        for name in ("lease_time", "renewal_time", "rebinding_time"):
            self.assertNotIn(name, reply.options)

    def test_declined(self) -> None:
        """The operator hears of an address that somebody else uses."""
        self.assertNotEqual("", answered(message("decline")).note)

    def test_spoofed(self) -> None:
        """Another MAC address is not answered, in the frame or in the message."""
        other = bytes.fromhex("aa0000000002")
        for packet, mac in (
            (message("discover", chaddr=other), MAC),
            (message("discover"), other),
            (message("discover", chaddr=other), other),
        ):
            self.assertEqual("spoofed", answered(packet, mac=mac).outcome)
        packet = message("discover", chaddr=other)
        answer = answered(packet, mac=other, MACSPOOF="yes")
        self.assertEqual(other, Reply(answer.frame).boot.chaddr[:6])

    def test_nothing_to_tell(self) -> None:
        """A guest without an IPv4 address is not told anything."""
        self.assertIsNone(bound(IP="")[1])


class WhereTests(SynchronousTestCase):
    """RFC 2131, 4.1: whom an answer is sent to."""

    def test_targets(self) -> None:
        """By the relay, the client's address, the broadcast flag; a NAK to everybody."""
        everybody = ("ff:ff:ff:ff:ff:ff", "255.255.255.255", 68)
        client = (MAC.hex(":"), OWN, 68)
        relay = "198.51.100.2"
        other = ("requested_addr", OTHER)
        for packet, expected in (
            (message("discover"), client),
            (message("discover", flags=0x8000), everybody),
            (message("request", ciaddr=OWN, flags=0x8000), client),
            (message("inform", ciaddr=OTHER), (MAC.hex(":"), OTHER, 68)),
            (message("inform", source=OTHER), (MAC.hex(":"), OTHER, 68)),
            (message("inform"), everybody),
            (message("request", other), everybody),
            (message("request", ciaddr=OTHER), everybody),
            (message("discover", giaddr=relay), (MAC.hex(":"), relay, 67)),
            (message("request", other, giaddr=relay), (MAC.hex(":"), relay, 67)),
        ):
            frame = Reply(answered(packet).frame).frame
            self.assertEqual(expected, (frame.dst, frame[IP].dst, frame[UDP].dport))
            self.assertEqual(("ee:ee:ee:ee:ee:ee", SERVER), (frame.src, frame[IP].src))

    def test_flags(self) -> None:
        """Flags come back as they were; a NAK through a relay asks for a broadcast."""
        flags = Reply(answered(message("discover", flags=0x8000)).frame).boot.flags
        self.assertEqual(0x8000, int(flags))
        flags = Reply(answered(message("discover")).frame).boot.flags
        self.assertEqual(0, int(flags))
        other = ("requested_addr", OTHER)
        answer = answered(message("request", other, giaddr="198.51.100.2"))
        reply = Reply(answer.frame)
        self.assertEqual(0x8000, int(reply.boot.flags))
        self.assertEqual("198.51.100.2", reply.boot.giaddr)


class OptionTests(SynchronousTestCase):
    """What is told."""

    def test_binding(self) -> None:
        """All that a binding says."""
        reply = Reply(
            answered(
                message("discover"),
                MTU="1450",
                NAMESERVERS="198.51.100.53,2001:db8::53",
                ROUTES="10.0.0.0/8@198.51.100.9 2001:db8::/32@fe80::1",
                NTP="198.51.100.123",
                DOMAIN="cloud.example.org",
                OPTIONS="43:hex:0102ff 66:text:boot",
            ).frame
        )
        for name, value in {
            "subnet_mask": "255.255.255.0",
            "router": "198.51.100.1",
            "name_server": "198.51.100.53",
            "hostname": b"snf-1.example.org",
            "domain": b"cloud.example.org",
            "interface-mtu": 1450,
            "broadcast_address": "198.51.100.255",
            "NTP_server": "198.51.100.123",
            "classless_static_routes": [
                "10.0.0.0/8:198.51.100.9",
                "0.0.0.0/0:198.51.100.1",
            ],
            "vendor_specific": b"\1\2\xff",
            "tftp_server_name": b"boot",
        }.items():
            self.assertEqual(value, reply.options[name], name)

    def test_configuration(self) -> None:
        """The configuration, for what the binding does not say."""
        settings = Dhcp(
            server_on_link=True,
            lease_s=7200,
            renewal_s=600,
            rebinding_s=900,
            nameservers=("192.0.2.53", "192.0.2.54"),
            domain="example.com",
            ntp_servers=("192.0.2.123",),
            next_server="192.0.2.69",
            server_name="boot.example.com",
            boot_file="pxelinux.0",
            options=("43:hex:01", "150:hex:c0000245"),
        )
        reply = Reply(
            answered(message("discover"), settings, OPTIONS="43:hex:02").frame
        )
        for name, value in {
            "server_id": "198.51.100.1",
            "lease_time": 7200,
            "renewal_time": 600,
            "rebinding_time": 900,
            "name_server": ["192.0.2.53", "192.0.2.54"],
            "domain": b"example.com",
            "NTP_server": "192.0.2.123",
            "vendor_specific": b"\2",
        }.items():
            self.assertEqual(value, reply.options[name], name)
        self.assertIn(b"\x96\x04\xc0\x00\x02\x45", bytes(reply.frame))
        boot = reply.boot
        self.assertEqual("192.0.2.69", boot.siaddr)
        self.assertEqual(b"boot.example.com", boot.sname.rstrip(b"\0"))
        self.assertEqual(b"pxelinux.0", boot.file.rstrip(b"\0"))
        other = message("request", ("requested_addr", OTHER))
        nak = Reply(answered(other, settings).frame).boot
        self.assertEqual(
            ("0.0.0.0", b""), (nak.siaddr, (nak.sname + nak.file).rstrip(b"\0"))
        )

    def test_server_on_link(self) -> None:
        """Without a gateway, the subnet's first address; without both, the usual."""
        settings = Dhcp(server_on_link=True)
        for values, expected in (
            ({"GATEWAY": ""}, "198.51.100.1"),
            ({"GATEWAY": "", "SUBNET": "10.1.0.0/16"}, "10.1.0.1"),
            ({"GATEWAY": "", "SUBNET": ""}, SERVER),
        ):
            reply = Reply(answered(message("discover"), settings, **values).frame)
            self.assertEqual(expected, reply.options["server_id"])

    def test_asked(self) -> None:
        """What the client asks for, in its order, after what every lease has."""
        wanted = ("param_req_list", [15, 3, 6, 1, 200, 15, 0, 255, 82])
        reply = Reply(answered(message("discover", wanted)).frame)
        head = ["message-type", "server_id", "lease_time", "renewal_time"]
        head += ["rebinding_time", "subnet_mask"]
        self.assertEqual([*head, "domain", "router"], reply.order)

    def test_identifiers(self) -> None:
        """The client's identifier and the relay's options come back, also in a NAK."""
        marks = (("client_id", b"\xff123456"), ("relay_agent_information", b"\1\2ab"))
        for packet in (
            message("discover", *marks),
            message("request", ("requested_addr", OTHER), *marks),
        ):
            reply = Reply(answered(packet).frame)
            self.assertEqual(b"\xff123456", reply.options["client_id"])
            # The last one (RFC 3046, 2.1).
            self.assertEqual("relay_agent_information", reply.order[-1])

    def test_router_outside(self) -> None:
        """A router outside of the subnet is told with a route to it; a private one not."""
        for values, expected in (
            (
                {"GATEWAY": "192.0.2.9"},
                ["192.0.2.9/32:0.0.0.0", "0.0.0.0/0:192.0.2.9"],
            ),
            (
                {"SUBNET": ""},
                ["198.51.100.1/32:0.0.0.0", "0.0.0.0/0:198.51.100.1"],
            ),
        ):
            reply = Reply(answered(message("discover"), **values).frame)
            self.assertEqual(expected, reply.options["classless_static_routes"])
        private = Reply(answered(message("discover"), PRIVATE="yes").frame)
        self.assertNotIn("router", private.options)
        self.assertNotIn("classless_static_routes", private.options)

    def test_room(self) -> None:
        """No more than the client takes: 576 octets, or what it says."""
        many = " ".join(f"{code}:hex:{'61' * 100}" for code in range(224, 234))
        for options, most, fewest in (
            ((), 576, 400),
            ((("max_dhcp_size", 1400),), 1400, 1300),
            ((("max_dhcp_size", 20),), 576, 400),
            ((("max_dhcp_size", 65_535),), 1500, 1300),
        ):
            mark = ("client_id", b"\1" + MAC)
            reply = Reply(
                answered(message("discover", *options, mark), OPTIONS=many).frame
            )
            length = reply.frame[IP].len
            self.assertTrue(fewest <= length <= most, length)
            self.assertEqual("client_id", reply.order[-1])
            self.assertTrue(reply.sound())

    def test_long_option(self) -> None:
        """What is longer than 255 octets is in several options (RFC 3396)."""
        routes = ",".join(f"10.{n}.0.0/16@198.51.100.9" for n in range(60))
        size = ("max_dhcp_size", 1500)
        answer = answered(message("discover", size), ROUTES=routes)
        at = 282
        found = b""
        while answer.frame[at] != 255:
            code, length = answer.frame[at], answer.frame[at + 1]
            if code == 121:
                found += answer.frame[at + 2 : at + 2 + length]
            at += 2 + length
        self.assertEqual(60 * 7 + 5, len(found))

    def test_overload(self) -> None:
        """Options in the fields of names are read (RFC 2132, 9.3)."""
        packet = message(
            "request",
            ("dhcp-option-overload", 3),
            file=bytes((50, 4, 198, 51, 100, 8, 255)),
            sname=bytes((54, 4, 192, 0, 2, 1, 255)),
        )
        self.assertEqual("nak", answered(packet).outcome)


_OPTIONS = st.lists(
    st.one_of(
        st.tuples(st.just(53), st.sampled_from([bytes((kind,)) for kind in range(10)])),
        st.tuples(
            st.sampled_from((50, 52, 54, 55, 57, 61, 82)),
            st.one_of(
                st.just(bytes((192, 0, 2, 1))),
                st.just(bytes((198, 51, 100, 7))),
                st.binary(max_size=60),
            ),
        ),
    ),
    max_size=6,
)


class MalformedTests(SynchronousTestCase):
    """Packets that are none."""

    OUTCOMES = frozenset(
        [
            "offer",
            "ack",
            "nak",
            "decline",
            "release",
            "unexpected",
            "other_server",
            "spoofed",
            "malformed",
        ]
    )

    def test_cut(self) -> None:
        """A packet that ends early, wherever that is, is passed over."""
        whole = message("discover", WANTED)
        for length in range(len(whole)):
            self.assertEqual("malformed", answered(whole[:length]).outcome, length)

    def test_fields(self) -> None:
        """Fragments, other protocols and ports, replies, other hardware, no cookie."""
        whole = message("discover")
        for at, value in (
            (0, 0x65),  # version
            (0, 0x41),  # header's length
            (6, 0x20),  # more fragments
            (7, 1),  # not the first fragment
            (9, 6),  # TCP
            (23, 68),  # port
            (25, 7),  # UDP's length
            (28, 2),  # BOOTREPLY
            (29, 6),  # IEEE 802
            (30, 8),  # length of the hardware's address
            (264, 0),  # cookie
            (269, 200),  # length of the first option
        ):
            packet = bytearray(whole)
            packet[at] = value
            self.assertEqual("malformed", answered(bytes(packet)).outcome, at)

    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """Whatever comes, the outcome is one of those that are counted."""
        options = b"".join(
            bytes((code, len(value))) + value for code, value in data.draw(_OPTIONS)
        )
        options += data.draw(st.binary(max_size=20))
        whole = bytearray(message("discover")[:268] + options + b"\xff")
        whole[2:4] = len(whole).to_bytes(2, "big")
        whole[24:26] = (len(whole) - 20).to_bytes(2, "big")
        for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
            whole[at] = data.draw(st.integers(0, 255))
        packet = bytes(whole[: data.draw(st.integers(0, len(whole)))])
        dhcp, compiled = self.known
        answer = dhcp.answer(compiled, Packet(packet, None))
        self.assertIn(answer.outcome, self.OUTCOMES)
        if answer.frame:
            self.assertTrue(Reply(answer.frame).sound())

    def setUp(self) -> None:
        self.known = bound(MACSPOOF="1", MTU="1400")
        self.assertEqual(OWN, BINDING["IP"])
