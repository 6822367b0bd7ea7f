"""Firewall profiles and rules: what comes in, on routed and on bridged NICs."""

from tests.node.case import NodeTestCase, address4, address6, mac, nic_name, profile
from tests.node.inside import connection, connects, datagrams, listen, pings
from tests.node.lab import INTERNET4, INTERNET6, ROUTER4, ROUTER6, Guest, batch

# What comes in through each profile: TCP to these ports of 22, 80 and 3389.
_ADMITTED = {
    "unprotected": {22, 80, 3389},
    "limited": {22, 3389},
    "protected": set(),
}


class RoutedProfileTests(NodeTestCase):
    """Profiles of NICs of the public network, on both families."""

    def setUp(self) -> None:
        super().setUp()
        self.outside = self.lab.internet
        self.outside_addresses = (INTERNET4, INTERNET6)
        self.sources = (ROUTER4, ROUTER6)
        self.guest = self.make(5)
        for port in (22, 80, 3389):
            self.kept(listen(self.guest.namespace, port))

    def make(self, number: int) -> Guest:
        """Return a guest that has no profile yet."""
        self.own = (address4(number), address6(number))
        return self.routed(number)

    def test_new_connections(self) -> None:
        """Only what a profile admits comes in, from the moment that the NIC has it."""
        for word, admitted in _ADMITTED.items():
            self.refresh(5, profile(5, word))
            for address in self.own:
                found = {
                    port
                    for port in (22, 80, 3389)
                    if connects(self.outside, address, port, 0.3)
                }
                self.assertEqual(admitted, found, (word, address))

    def test_no_profile(self) -> None:
        """Without a tag everything comes in."""
        for address in self.own:
            self.assertTrue(connects(self.outside, address, 80))

    def test_pings(self) -> None:
        """Every profile lets through what diagnoses the network."""
        for word in _ADMITTED:
            self.refresh(5, profile(5, word))
            for address in self.own:
                self.assertTrue(pings(self.outside, address), (word, address))

    def test_own_connections(self) -> None:
        """The guest's own connections are answered under every profile."""
        self.kept(listen(self.outside, 8080))
        for word in _ADMITTED:
            self.refresh(5, profile(5, word))
            for address in self.outside_addresses:
                self.assertTrue(connects(self.guest.namespace, address, 8080), word)

    def test_open_connections(self) -> None:
        """Connections that are open when the firewall closes stay open."""
        for address in self.own:
            server = self.kept(listen(self.guest.namespace, 7000))
            client = self.kept(connection(self.outside, address, 7000))
            accepted = self.kept(server.accept()[0])
            self.refresh(5, profile(5, "protected"))
            client.sendall(b"still here")
            accepted.settimeout(1)
            self.assertEqual(b"still here", accepted.recv(100))
            self.refresh(5)
            server.close()

    def test_datagrams(self) -> None:
        """UDP comes in as an answer; unasked only where everything does."""
        for outside, own in zip(self.outside_addresses, self.own, strict=True):
            far = self.kept(datagrams(self.outside, outside))
            near = self.kept(datagrams(self.guest.namespace, own, 5353))
            self.refresh(5, profile(5, "protected"))
            far.sendto(b"unasked", (own, 5353))
            self.assertRaises(TimeoutError, near.recv, 100)
            near.sendto(b"question", far.getsockname()[:2])
            self.assertEqual(b"question", far.recv(100))
            far.sendto(b"answer", (own, 5353))
            self.assertEqual(b"answer", near.recv(100))
            self.refresh(5, profile(5, "unprotected"))
            far.sendto(b"unasked", (own, 5353))
            self.assertEqual(b"unasked", near.recv(100))

    def test_own_rules(self) -> None:
        """Rules admit what they name and nothing else, each for its family."""
        tags = [f"snf:rule:port5:{rule}" for rule in self.rules()]
        self.refresh(5, *tags)
        four, six = self.own
        self.assertTrue(connects(self.outside, four, 80))
        self.assertFalse(connects(self.outside, six, 80))
        self.assertTrue(connects(self.outside, six, 22))
        self.assertFalse(connects(self.outside, four, 22))
        self.assertFalse(connects(self.outside, four, 3389))
        self.assertFalse(pings(self.outside, four))
        self.assertTrue(pings(self.outside, six))

    def rules(self) -> tuple[str, ...]:
        """Return rules that tell the families apart, and one for somebody else."""
        four, six = self.sources
        return (
            f"4:tcp:79-81:{four}/32",
            f"6:tcp:22-22:{six}/128",
            "6:icmp::any",
            "4:tcp:3389-3389:192.0.2.0/24",
        )

    def test_no_rules_at_all(self) -> None:
        """A NIC whose groups have no rules is closed, and its answers come in."""
        self.refresh(5, f"synnefo:network:{nic_name(5)}:rules")
        self.assertFalse(connects(self.outside, self.own[0], 22))
        self.assertFalse(pings(self.outside, self.own[0]))
        self.assertTrue(pings(self.guest.namespace, self.outside_addresses[0]))
        self.assertTrue(pings(self.guest.namespace, self.outside_addresses[1]))

    def test_profile_of_ones_own(self) -> None:
        """A profile that the operator has added holds, and follows its file."""
        path = self.node.directory / "profiles" / "web.nft"
        path.write_text(
            "ct state established,related accept\ntcp dport 80 accept\ndrop\n"
        )
        self.refresh(5, profile(5, "web"))
        self.assertTrue(connects(self.outside, self.own[0], 80))
        self.assertFalse(connects(self.outside, self.own[0], 22))
        path.write_text("tcp dport 22 accept\ndrop\n")
        self.assertEqual("", self.node.call("restore").stderr)
        self.assertFalse(connects(self.outside, self.own[0], 80))
        self.assertTrue(connects(self.outside, self.own[0], 22))

    def test_nonsense(self) -> None:
        """Tags that make no sense change nothing, and it is said why."""
        self.refresh(5, profile(5, "protected"))
        for tag, reason in (
            (profile(5, "no-such"), "there are limited, protected, unprotected"),
            (profile(5, "../../etc"), "not a name of a profile"),
            ("snf:rule:port5:4:tcp:1-x:any", "makes no sense"),
            ("snf:rule:port5:4:tcp:22-22:2001:db8::/32", "makes no sense"),
            ("snf:rule:port5:4:tcp:22-22:}accept{", "makes no sense"),
        ):
            done = self.node.call(
                "refresh", GANETI_INSTANCE_NAME="snf-5", GANETI_INSTANCE_TAGS=tag
            )
            self.assertEqual(1, done.returncode, tag)
            self.assertIn(reason, done.stderr)
            self.assertFalse(connects(self.outside, self.own[0], 80, 0.2), tag)

    def test_others(self) -> None:
        """Another NIC's tags do not matter."""
        self.refresh(5, profile(6, "protected"), "snf:rule:port6:4:tcp:1-1:any")
        self.assertTrue(connects(self.outside, self.own[0], 80))


class BridgedProfileTests(RoutedProfileTests):
    """The same, of NICs on a bridge: what is outside is another of its guests."""

    def make(self, number: int) -> Guest:
        """Return a guest on a bridge that another one without a profile is on."""
        self.bridge("prv7")
        self.own = ("10.1.0.5", "fd00:1::5")
        self.outside_addresses = ("10.1.0.9", "fd00:1::9")
        guest = self.member(number, self.own)
        self.sources = self.outside_addresses
        self.outside = self.member(9, self.outside_addresses).namespace
        return guest

    def member(self, number: int, addresses: tuple[str, str]) -> Guest:
        """Return a guest on the bridge."""
        guest = self.lab.guest(self.node, f"tap{number}", mac(number))
        self.node.up(self.private(guest, number, "prv7", "physical-vlan private"))
        four, six = addresses
        batch(
            guest.namespace,
            f"addr add {four}/24 dev eth0",
            f"addr add {six}/64 dev eth0 nodad",
        )
        return guest
