"""DHCPv6 clients that others wrote, on real queues."""

import subprocess

from tests.nfdhcpd.test_kernel6 import Guests6TestCase
from tests.node.case import address6
from tests.node.inside import pings
from tests.node.lab import INTERNET6, Guest

NAMES = '[ipv6]\nnameservers = ["2001:db8::53"]\ndomains = ["cloud.test"]\n'
STATEFUL = f'{NAMES}mode = "dhcpv6"\nlease_s = 7200\nrenewal_s = 600\n'


class DhcpTestCase(Guests6TestCase):
    """What the two clients have in common."""

    def quiet_guest(self) -> Guest:
        """Return a guest whose kernel makes itself no address."""
        guest = self.plain_guest()
        self.in_guest(guest, "sysctl", "-qw", "net.ipv6.conf.eth0.autoconf=0")
        self.node.up(self.public(guest, 1))
        self.logged(f"{guest.tap} (")
        return guest

    def assert_asked(self, **outcomes: int) -> None:
        """So many DHCPv6 messages had these outcomes."""
        for outcome, count in outcomes.items():
            self.assertEqual(count, self.count("dhcpv6", outcome), self.metrics())


class DhclientTests(DhcpTestCase):
    """ISC's client."""

    def dhclient(self, guest: Guest, *options: str) -> str:
        """Return what ISC's client writes down, and leave its address to the guest."""
        leases, script = self.base / "leases6", self.base / "script6"
        script.write_text(
            f"#!/bin/sh\nenv >> {self.base}/said\n"
            'if [ -n "$new_ip6_address" ]; then\n'
            '    ip -6 addr replace "$new_ip6_address/128" dev "$interface" nodad\n'
            "fi\n"
        )
        script.chmod(0o755)
        config = self.base / "dhclient6.conf"
        config.write_text("timeout 15;\nrequest dhcp6.name-servers;\n")
        argv = ["dhclient", "-6", "-sf", str(script), "-lf", str(leases)]
        argv += ["-pf", str(self.base / "pid6"), "-cf", str(config), "-1", "-q"]
        self.in_guest(guest, *argv, *options, guest.device)
        return leases.read_text() if leases.exists() else ""

    def test_stateful(self) -> None:
        """It gets the address of the guest, which reaches the Internet with it."""
        self.start(STATEFUL)
        guest = self.quiet_guest()
        lease = self.dhclient(guest)
        self.assertIn(f"iaaddr {address6(1)} {{", lease)
        for words in ("max-life 7200", "renew 600", "name-servers 2001:db8::53"):
            self.assertIn(words, lease)
        self.assert_asked(advertise=1, reply=1)
        self.until(lambda: self.has_router(guest), "there is no router")
        self.assertTrue(pings(guest.namespace, INTERNET6, 5))
        # It asks again whether it may keep what it has, and gives it back.
        self.dhclient(guest, "-x")
        self.dhclient(guest)
        self.assert_asked(advertise=1, reply=2)
        self.dhclient(guest, "-r")
        self.assert_asked(release=1)

    def test_moved(self) -> None:
        """A guest whose address is another now is told so."""
        self.start(STATEFUL)
        guest = self.quiet_guest()
        self.dhclient(guest)
        self.dhclient(guest, "-x")
        self.bind(guest, INDEV=guest.tap, SUBNET6="2001:db8:2::/64")
        lease = self.dhclient(guest)
        self.dhclient(guest, "-x")
        self.assert_asked(not_on_link=1)
        self.assertIn("iaaddr 2001:db8:2:0:a800:ff:fe00:1 {", lease)

    def test_stateless(self) -> None:
        """It gets what is not an address."""
        self.start(NAMES)
        guest = self.public_guest()
        self.dhclient(guest, "-S")
        said = (self.base / "said").read_text()
        self.assertIn("new_dhcp6_name_servers=2001:db8::53\n", said)
        self.assertNotIn("new_ip6_address", said)
        self.assert_asked(advertise=0, reply=1)


class DhcpcdTests(DhcpTestCase):
    """Roy Marples's client, which acts on what router advertisements say."""

    def dhcpcd(self, guest: Guest, until: str, *options: str) -> str:
        """Return what it hands to its script until that reason, a line a variable."""
        said, script = self.base / "said", self.base / "script6"
        script.write_text(f"#!/bin/sh\nenv >> {said}\n")
        script.chmod(0o755)
        said.write_text("")
        config = self.base / "dhcpcd.conf"
        config.write_text(
            "duid ll\noption dhcp6_name_servers\noption dhcp6_ntp_server\n"
            "noipv4\nslaac hwaddr\n"
        )
        # What it keeps is nobody else's, and ends with its namespace of mounts.
        keep = (
            "mkdir -p /var/lib/dhcpcd /run/dhcpcd &&"
            " mount -t tmpfs none /var/lib/dhcpcd && mount -t tmpfs none /run/dhcpcd &&"
            ' exec dhcpcd "$@"'
        )
        argv = ["ip", "netns", "exec", guest.namespace, "sh", "-c", keep, "dhcpcd"]
        argv += ["-6", "-B", "-f", str(config), "-c", str(script), *options]
        process = subprocess.Popen(
            [*argv, guest.device], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self.until(
                lambda: f"reason={until}\n" in said.read_text(), f"there is no {until}"
            )
        finally:
            process.terminate()
            process.wait(20)
        return said.read_text()

    def test_stateless(self) -> None:
        """It makes itself an address, and asks for the rest, as it is told to."""
        self.start(f'{NAMES}ntp_servers = ["2001:db8::123"]\n')
        guest = self.public_guest()
        said = self.dhcpcd(guest, "INFORM6")
        self.assertIn("new_dhcp6_name_servers=2001:db8::53\n", said)
        self.assertIn("new_dhcp6_ntp_server_addr=2001:db8::123\n", said)
        self.assertIn(f"nd1_addr1={address6(1)}/64\n", said)
        self.assert_asked(advertise=0, reply=1)

    def test_stateful(self) -> None:
        """It asks for an address, as it is told to, and gets the guest's."""
        self.start(STATEFUL)
        guest = self.quiet_guest()
        said = self.dhcpcd(guest, "BOUND6")
        self.assertIn(f"new_dhcp6_ia_na1_ia_addr1={address6(1)}\n", said)
        self.assertIn("new_dhcp6_name_servers=2001:db8::53\n", said)
        self.assert_asked(advertise=1, reply=1)

    def test_rapid(self) -> None:
        """With rapid commit, it has it after one answer."""
        self.start(STATEFUL)
        guest = self.quiet_guest()
        said = self.dhcpcd(guest, "BOUND6", "--option", "dhcp6_rapid_commit")
        self.assertIn(f"new_dhcp6_ia_na1_ia_addr1={address6(1)}\n", said)
        self.assert_asked(advertise=0, reply=1)


class SubnetTests(DhcpTestCase):
    """What there is without snf-network."""

    def test_table(self) -> None:
        """A binding of the older dialect takes its subnet from the routing table."""
        self.start()
        guest = self.plain_guest()
        self.bind(guest, INDEV=guest.tap, LINK="200")
        self.until(lambda: self.has_address(guest, 1), "there is no address")
