"""Routes in router advertisements (RFC 4191), and what clients make of them."""

from tests.nfdhcpd.case import write
from tests.nfdhcpd.test_kernel6 import Guests6TestCase
from tests.node.inside import pings
from tests.node.lab import INTERNET6, Guest

FAR = "2001:db8:77::/48"
THERE = "2001:db8:ffff::/48"
PREFERRED = '[ipv6]\npreference = "high"\n'
BY_NODE = "via fe80::1 dev eth0 proto ra"


class RoutesTestCase(Guests6TestCase):
    """Guests of a network with routes."""

    def guest_of(self, *routes: str) -> Guest:
        """Return a guest whose kernel takes routes, on a network that has some."""
        guest = self.plain_guest()
        most = "net.ipv6.conf.eth0.accept_ra_rt_info_max_plen=128"
        self.in_guest(guest, "sysctl", "-qw", most)
        self.set_up(guest, *routes)
        return guest

    def set_up(self, guest: Guest, *routes: str) -> None:
        """Have snf-network set a guest up, and nfdhcpd know it."""
        public = self.public(guest, 1)
        tags = " ".join(f"snf:route:{one}@fe80::1" for one in routes)
        tags = f"{public['NETWORK_TAGS']} {tags}"
        self.node.up({**public, "NETWORK_TAGS": tags})
        self.logged(f"{guest.tap} (")

    def routed_by(self, guest: Guest, network: str, preference: str) -> None:
        """Return when a guest has a route by the node."""
        self.until(
            lambda: self.has(
                guest, f"{network} {BY_NODE} .*pref {preference}", "route"
            ),
            f"there is no route to {network}",
        )


class KernelTests(RoutesTestCase):
    """Guests whose kernels do what they are told."""

    def test_route(self) -> None:
        """Each of the subnet's routes is there, as preferable as is configured."""
        self.start(PREFERRED)
        guest = self.guest_of(FAR, "2001:db8:78::1/128")
        self.routed_by(guest, FAR, "high")
        self.routed_by(guest, "2001:db8:78::1", "high")
        self.routed_by(guest, "default", "high")

    def test_private(self) -> None:
        """A guest that has no router for all else reaches what it has a route to."""
        self.start()
        guest = self.plain_guest()
        self.in_guest(
            *(guest, "sysctl", "-qw"),
            "net.ipv6.conf.eth0.accept_ra_rt_info_max_plen=128",
            "net.ipv6.conf.eth0.accept_ra_defrtr=0",
        )
        self.set_up(guest, THERE)
        file = self.bindings / guest.tap
        values = dict(line.split("=", 1) for line in file.read_text().splitlines())
        write(self.bindings, guest.tap, {**values, "PRIVATE": "yes"})
        self.routed_by(guest, THERE, "medium")
        self.assertFalse(self.has(guest, "default", "route"))
        self.until(
            lambda: pings(guest.namespace, INTERNET6, 2), "the Internet is not reached"
        )

    def test_taken_back(self) -> None:
        """A route that the subnet has no more is not told again."""
        self.start()
        guest = self.guest_of(FAR)
        self.routed_by(guest, FAR, "medium")
        self.bind(guest, INDEV=guest.tap, SUBNET6="2001:db8:1::/64")
        self.in_guest(guest, "ip", "-6", "route", "del", FAR)
        self.in_guest(guest, "ip", "-6", "route", "del", "default")
        self.in_guest(guest, "ip", "link", "set", "eth0", "down")
        self.in_guest(guest, "ip", "link", "set", "eth0", "up")
        self.until(lambda: self.has_router(guest), "there is no router")
        self.assertFalse(self.has(guest, FAR, "route"))


class NetworkdTests(RoutesTestCase):
    """systemd's client, which has its own mind about advertisements."""

    def test_route(self) -> None:
        """It takes routes as it is, without being told to."""
        self.start(PREFERRED)
        guest = self.plain_guest()
        self.set_up(guest, FAR)
        kept = self.base / "kept"
        kept.mkdir()
        kept.chmod(0o777)
        self.networkd(
            *(guest, kept),
            "[Network]\nDHCP=no\nIPv6AcceptRA=yes\nLinkLocalAddressing=ipv6\n"
            "[IPv6AcceptRA]\nDHCPv6Client=no\n",
        )
        self.routed_by(guest, FAR, "high")
