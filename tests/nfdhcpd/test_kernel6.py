"""What guests' kernels make of nfdhcpd's router and neighbor advertisements."""

import re
from functools import partial

from tests.nfdhcpd.case import GuestsTestCase
from tests.nfdhcpd.tshark import complaints
from tests.node.case import address6
from tests.node.inside import pings, sniffer
from tests.node.lab import INTERNET6, SUBNET6, Guest

PERIOD = "[ipv6]\nra_period_s = 4\n"


class Guests6TestCase(GuestsTestCase):
    """Guests whose kernels do what kernels do."""

    def public_guest(self, number: int = 1) -> Guest:
        """Return a guest whose NIC snf-network has set up, and that knows nothing yet."""
        guest = self.plain_guest(number)
        known = self.text().count(f"{guest.tap} (")
        self.node.up(self.public(guest, number))
        self.logged(f"{guest.tap} (", known + 1)
        return guest

    def has(self, guest: Guest, pattern: str, *argv: str) -> bool:
        """Return whether ``ip -6`` prints something in a guest."""
        return bool(re.search(pattern, self.in_guest(guest, "ip", "-6", *argv)))

    def has_address(self, guest: Guest, number: int) -> bool:
        """Return whether a guest has made itself its address."""
        own = re.escape(address6(number))
        return self.has(guest, f"{own}/64 scope global dynamic", "addr")

    def has_router(self, guest: Guest) -> bool:
        """Return whether a guest has been told of its router."""
        return self.has(guest, r"default via fe80::1 dev eth0 proto ra", "route")

    def configured(self, guest: Guest, number: int) -> None:
        """Return when a guest has its address and its router."""
        self.until(lambda: self.has_address(guest, number), "there is no address")
        self.until(lambda: self.has_router(guest), "there is no router")

    def count(self, kind: str, outcome: str) -> int:
        """Return how many packets of a kind had an outcome."""
        found = re.search(f'kind="{kind}",outcome="{outcome}"}} (\\d+)', self.metrics())
        return int(found[1]) if found else 0


class RouterTests(Guests6TestCase):
    """Addresses and routes."""

    def test_slaac(self) -> None:
        """A guest makes itself an address, has a router, and reaches the Internet."""
        self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        self.assertTrue(pings(guest.namespace, INTERNET6, 5))
        # Its subnet is behind the router, too.
        self.assertFalse(self.has(guest, SUBNET6, "route", "show", "proto", "kernel"))

    def test_solicited(self) -> None:
        """A guest that starts after all others asks, and is told without waiting."""
        self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        self.in_guest(guest, "ip", "link", "set", "eth0", "down")
        self.until(lambda: not self.has_router(guest), "the router is still there")
        before = self.count("rs", "ra")
        self.in_guest(guest, "ip", "link", "set", "eth0", "up")
        self.until(lambda: self.count("rs", "ra") > before, "nobody was answered")
        self.configured(guest, 1)

    def test_periodic(self) -> None:
        """What a guest loses it is told again, without having asked."""
        self.start(PERIOD)
        guest = self.public_guest()
        self.configured(guest, 1)
        for _ in range(2):
            before = self.count("rs", "ra")
            self.in_guest(guest, "ip", "-6", "addr", "flush", "scope", "global")
            self.in_guest(guest, "ip", "-6", "route", "del", "default")
            self.configured(guest, 1)
            self.assertEqual(before, self.count("rs", "ra"))
        self.assertIn("nfdhcpd_advertisements_unsent_total 0\n", self.metrics())

    def test_reload(self) -> None:
        """What the configuration says anew is told at once."""
        process = self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        raw = self.kept(sniffer(guest.namespace, guest.device))
        raw.settimeout(10)
        self.configure('[ipv6]\nmode = "dhcpv6"\n')
        process.send_signal(1)
        while True:
            frame = raw.recv(2048)
            if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 134:
                break
        self.assertEqual(0xC0, frame[59] & 0xC0)  # managed, other

    def test_mtu(self) -> None:
        """The MTU of a binding is the link's."""
        self.start()
        guest = self.plain_guest()
        self.bind(guest, INDEV=guest.tap, SUBNET6=SUBNET6, MTU="1400")
        own = f"/proc/sys/net/ipv6/conf/{guest.device}/mtu"
        self.until(
            lambda: self.in_guest(guest, "cat", own) == "1400\n", "the MTU is another"
        )

    def test_bridged(self) -> None:
        """Guests of a bridge make themselves addresses and find each other by them."""
        self.bridge("prv1")
        self.start()
        guests = []
        for number in (1, 2):
            guest = self.plain_guest(number)
            self.node.ip(f"link set {guest.tap} master prv1")
            self.bind(guest, INDEV="prv1", SUBNET6=SUBNET6)
            guests.append(guest)
        self.assert_neighbors(guests)

    def test_filtered(self) -> None:
        """So they do where snf-network lets only their own network's frames through."""
        self.bridge("prv1")
        self.start()
        guests = []
        for number in (1, 2):
            guest = self.plain_guest(number)
            known = self.text().count(f"{guest.tap} (")
            said = self.private(guest, number, "prv1", "private-filtered nfdhcpd")
            self.node.up({**said, "NETWORK_SUBNET6": SUBNET6})
            self.logged(f"{guest.tap} (", known + 1)
            guests.append(guest)
        self.assert_neighbors(guests)

    def assert_neighbors(self, guests: list[Guest]) -> None:
        """Guests of a bridge have addresses, no router, and reach each other."""
        for number, guest in enumerate(guests, 1):
            self.until(partial(self.has_address, guest, number), "there is no address")
            self.assertFalse(self.has(guest, "default", "route"))
            self.assertTrue(self.has(guest, SUBNET6, "route"))
        self.assertTrue(pings(guests[0].namespace, address6(2), 5))
        self.until(lambda: self.count("ns", "passed") > 0, "nobody was looked for")


class NeighborTests(Guests6TestCase):
    """Neighbor discovery."""

    def test_router(self) -> None:
        """The router is found, by nfdhcpd's answers."""
        self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        self.in_guest(guest, "ip", "-6", "neigh", "flush", "dev", "eth0")
        before = self.count("ns", "na")
        self.assertTrue(pings(guest.namespace, INTERNET6, 5))
        self.assertTrue(self.has(guest, "fe80::1 .*ee:ee:ee:ee:ee:ee", "neigh"))
        self.until(lambda: self.count("ns", "na") > before, "nobody was answered")

    def test_neighbors(self) -> None:
        """Others of the subnet are found at the router, and reached through it."""
        self.start()
        guests = [self.public_guest(1), self.public_guest(2)]
        for number, guest in enumerate(guests, 1):
            self.configured(guest, number)
        self.assertTrue(pings(guests[0].namespace, address6(2), 5))
        # One that takes the whole subnet for its link.
        route = f"route add {SUBNET6} dev eth0"
        self.in_guest(guests[0], *f"ip -6 {route}".split())
        self.assertTrue(pings(guests[0].namespace, address6(2), 5))
        other = f"{address6(2)} .*ee:ee:ee:ee:ee:ee"
        self.assertTrue(self.has(guests[0], other, "neigh"))

    def test_duplicate(self) -> None:
        """A guest finds that another's address is taken, and that its own is not."""
        self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        self.in_guest(guest, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")
        self.in_guest(guest, "ip", "-6", "addr", "flush", "scope", "global")
        for number in (1, 2):
            new = f"ip -6 addr add {address6(number)}/128 dev eth0"
            self.in_guest(guest, *new.split())
        self.until(
            lambda: self.has(guest, f"{address6(2)}.*dadfailed", "addr"),
            "the address of another was not refused",
        )
        self.until(
            lambda: not self.has(guest, f"{address6(1)}.*tentative", "addr"),
            "its own is still tried",
        )
        self.assertFalse(self.has(guest, f"{address6(1)}.*dadfailed", "addr"))
        self.assertTrue(self.count("ns", "duplicate") > 0)
        self.assertTrue(self.count("ns", "own") > 0)

    def test_without_daemon(self) -> None:
        """While nfdhcpd is not there, a guest still finds its router."""
        process = self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        self.stop(process)
        self.in_guest(guest, "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.assertTrue(pings(guest.namespace, INTERNET6, 5))

    def test_sound(self) -> None:
        """What is on the wire is as tshark has it."""
        self.start(PERIOD)
        guest = self.plain_guest()
        raw = self.kept(sniffer(guest.namespace, guest.device))
        self.node.up(self.public(guest, 1))
        self.configured(guest, 1)
        self.in_guest(guest, "ip", "-6", "neigh", "flush", "dev", "eth0")
        self.assertTrue(pings(guest.namespace, INTERNET6, 5))
        frames = []
        raw.settimeout(0.5)
        try:
            while len(frames) < 200:
                frames.append(raw.recv(2048))
        except TimeoutError:
            pass
        router = bytes.fromhex("eeeeeeeeeeee")
        types = {
            frame[54]
            for frame in frames
            if frame[6:12] == router and frame[12:14] == b"\x86\xdd" and frame[20] == 58
        }
        self.assertTrue({134, 136} <= types, types)
        self.assertEqual("", complaints(frames))
        self.assertEqual([0] * 4, self.waiting())
