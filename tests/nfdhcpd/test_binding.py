"""Binding files: both dialects, and what is wrong with others."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.binding import Binding, Invalid, completed, parse

OURS = """INDEV=prv1
IP=192.0.2.7
MAC=AA:00:00:00:00:01
HOSTNAME=snf-1
TAGS=physical-vlan private nfdhcpd
GATEWAY=192.0.2.1
SUBNET=192.0.2.0/24
GATEWAY6=2001:db8::1
SUBNET6=2001:db8::/64
EUI64=2001:db8::a800:ff:fe00:1
MTU=1450
NAMESERVERS=192.0.2.53,2001:db8::53
ROUTES=10.0.0.0/8@192.0.2.9,2001:db8:5::/48@fe80::9
"""

OLD = """IP=192.0.2.7 192.0.2.8
MAC=aa:00:00:00:00:01
LINK=snf_public
HOSTNAME=snf-1
TAGS=
"""

LEAST = "MAC=aa:00:00:00:00:01\nHOSTNAME=snf-1\n"


class ParseTests(SynchronousTestCase):
    """What a file says."""

    def test_ours(self) -> None:
        """Each key of those that snf-network writes."""
        self.assertEqual(
            Binding(
                tap="tap1",
                indev="prv1",
                mac=bytes.fromhex("aa0000000001"),
                hostname="snf-1",
                ip=IPv4Address("192.0.2.7"),
                subnet=IPv4Network("192.0.2.0/24"),
                gateway=IPv4Address("192.0.2.1"),
                eui64=IPv6Address("2001:db8::a800:ff:fe00:1"),
                subnet6=IPv6Network("2001:db8::/64"),
                gateway6=IPv6Address("2001:db8::1"),
                tags=("physical-vlan", "private", "nfdhcpd"),
                mtu=1450,
                nameservers=(IPv4Address("192.0.2.53"), IPv6Address("2001:db8::53")),
                routes=(
                    (IPv4Network("10.0.0.0/8"), IPv4Address("192.0.2.9")),
                    (IPv6Network("2001:db8:5::/48"), IPv6Address("fe80::9")),
                ),
            ),
            parse("tap1", OURS),
        )

    def test_families(self) -> None:
        """Of addresses and routes each protocol has those of its family."""
        binding = parse("tap1", f"{OURS}NTP=192.0.2.123,2001:db8::123\n")
        four, six = (IPv4Address("192.0.2.53"),), (IPv6Address("2001:db8::53"),)
        self.assertEqual((four, six), (binding.nameservers4, binding.nameservers6))
        four, six = (IPv4Address("192.0.2.123"),), (IPv6Address("2001:db8::123"),)
        self.assertEqual((four, six), (binding.ntp4, binding.ntp6))
        self.assertEqual(binding.routes, binding.routes4 + binding.routes6)
        self.assertEqual((1, 1), (len(binding.routes4), len(binding.routes6)))

    def test_old(self) -> None:
        """The older dialect: the first address, and what its routing table says."""
        asked = []

        def of_table(table: str, family: int) -> tuple:
            asked.append((table, family))
            if family == 4:
                return IPv4Address("192.0.2.1"), IPv4Network("192.0.2.0/24")
            return None, IPv6Network("2001:db8::/64")

        binding = completed(parse("tap1", OLD), of_table)
        self.assertEqual([("snf_public", 4), ("snf_public", 6)], asked)
        self.assertEqual(IPv4Address("192.0.2.7"), binding.ip)
        self.assertEqual("tap1", binding.indev)
        self.assertEqual(
            (IPv4Address("192.0.2.1"), IPv4Network("192.0.2.0/24")),
            (binding.gateway, binding.subnet),
        )
        self.assertEqual(IPv6Address("2001:db8::a800:ff:fe00:1"), binding.eui64)

    def test_newer_counts(self) -> None:
        """What is said counts, where a table is named besides."""

        def of_table(table: str, family: int) -> tuple:
            raise AssertionError("nobody is to ask")

        binding = completed(parse("tap1", OURS + "LINK=snf_public\n"), of_table)
        self.assertEqual(IPv4Network("192.0.2.0/24"), binding.subnet)
        completed(parse("tap1", LEAST), of_table)

    def test_empty(self) -> None:
        """Empty values are none: the original's own sample has such lines."""
        text = LEAST + "MTU=\nIP=\n\n# a comment\nPRIVATE=\nUNKNOWN=x\n"
        self.assertEqual(parse("tap1", LEAST), parse("tap1", text))

    def test_switches(self) -> None:
        """Whatever is said switches on, but for words that say no."""
        for text, expected in (("yes", True), ("1", True), ("no", False), ("0", False)):
            self.assertEqual(expected, parse("t", f"{LEAST}PRIVATE={text}").private)
            self.assertEqual(expected, parse("t", f"{LEAST}MACSPOOF={text}").any_mac)

    def test_wrong(self) -> None:
        """The line and the reason."""
        for text, line, word in (
            ("HOSTNAME=snf-1\n", 0, "MAC is missing"),
            ("MAC=aa:00:00:00:00:01\n", 0, "HOSTNAME is missing"),
            (LEAST + "nonsense\n", 3, "expected KEY=VALUE"),
            (LEAST + "MTU=15OO\n", 3, "MTU"),
            (LEAST + "MTU=67\n", 3, "MTU"),
            (LEAST + "IP=192.0.2.300\n", 3, "IP"),
            (LEAST + "SUBNET=192.0.2.0/33\n", 3, "SUBNET"),
            (LEAST + "SUBNET6=192.0.2.0/24\n", 3, "SUBNET6"),
            (LEAST + "NAMESERVERS=192.0.2.53,x\n", 3, "NAMESERVERS"),
            (LEAST + "ROUTES=10.0.0.0/8\n", 3, "ROUTES"),
            (LEAST + "ROUTES=10.0.0.0/8@fe80::1\n", 3, "ROUTES"),
            (LEAST + "ROUTES=2001:db8::/32@192.0.2.1\n", 3, "ROUTES"),
            (LEAST + "ROUTES=2001:db8::/129@fe80::1\n", 3, "ROUTES"),
            (LEAST + "NTP=pool.example.org\n", 3, "NTP"),
            (LEAST + "OPTIONS=53:hex:01\n", 3, "option 53 is set by the server"),
            (LEAST + "OPTIONS=43:hex:0\n", 3, "odd number"),
            (LEAST + "OPTIONS=300:hex:00\n", 3, "from 1 to 254"),
            (LEAST + "OPTIONS=43:0102\n", 3, "CODE:hex:DIGITS"),
            (LEAST + "INDEV=a/b\n", 3, "INDEV"),
            (LEAST + "HOSTNAME=a b\n", 3, "HOSTNAME"),
            (LEAST + f"BOOT_FILE={'x' * 128}\n", 3, "at most 127"),
            ("MAC=ff:ff:ff:ff:ff:ff\n" + LEAST, 1, "group"),
            ("MAC=aa:00:00:00:00\n" + LEAST, 1, "MAC"),
        ):
            problem = self.assertRaises(Invalid, parse, "tap1", text)
            self.assertEqual(line, problem.line, text)
            self.assertIn(word, str(problem))

    @given(st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever a file holds, it is a binding or is refused with a reason."""
        for whole in (text, LEAST + text, f"{LEAST}IP={text}", f"{LEAST}ROUTES={text}"):
            try:
                self.assertIsInstance(parse("tap1", whole), Binding)
            except Invalid as problem:
                self.assertNotEqual("", str(problem))
