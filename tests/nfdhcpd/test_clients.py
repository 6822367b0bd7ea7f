"""DHCPv4 clients that others wrote, from their first lease to the loss of it."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable

from twisted.trial.unittest import SkipTest

from tests.nfdhcpd.case import LEASE, GuestsTestCase
from tests.nfdhcpd.journal import Journal
from tests.node.case import address4, mac
from tests.node.inside import sniffer
from tests.node.lab import ROUTER4, run

# The least that nfdhcpd lends for; clients ask the server again after two seconds, and
# any server after six.
SHORT = "[dhcp]\nlease_s = 60\nrenewal_s = 2\nrebinding_s = 6\n"
MOVED, OTHERS = "198.18.1.8", "198.18.1.9"
Client = subprocess.Popen[bytes]


class JourneyTestCase(GuestsTestCase):
    """What all clients have in common."""

    def setUp(self) -> None:
        super().setUp()
        self.kept_here = self.base / "kept"
        self.kept_here.mkdir()
        self.kept_here.chmod(0o777)
        self.start(SHORT)
        self.guest = self.lab.guest(self.node, "tap1", mac(1))
        self.node.up(self.public(self.guest, 1))
        self.logged("tap1 (")
        raw = sniffer(self.guest.namespace, self.guest.device)
        self.journal = Journal(self.kept(raw))

    def client(self, *argv: str, keeps: str = "") -> Client:
        """
        Start a client, which stays in the foreground.

        :param keeps: The directory that it keeps its leases in, which is the guest's own.
        """
        if keeps:
            mount = (
                f"mkdir -p {keeps} /run/dhcpcd && mount -t tmpfs none /run/dhcpcd &&"
                f' mount --bind {self.kept_here} {keeps} && exec "$0" "$@"'
            )
            argv = ("sh", "-c", mount, *argv)
        return self.running(self.guest, *argv)

    def addresses(self) -> list[str]:
        """Return the guest's addresses."""
        text = run("ip", "-n", self.guest.namespace, "-j", "-4", "addr", "show", "eth0")
        return [info["local"] for one in json.loads(text) for info in one["addr_info"]]

    def move(self) -> None:
        """Give the guest another address, while it has the first."""
        values = {**LEASE, "IP": MOVED}
        self.bind(self.guest, INDEV=self.guest.tap, **values)

    def deaf(self, server: bool) -> None:
        """Have what is asked of the server alone lost, or not any more."""
        rule = "PREROUTING -i tap+ -d 192.0.2.1 -j DROP"
        change = "-I" if server else "-D"
        self.on_node("iptables", "-t", "mangle", change, *rule.split())

    def script(self, text: str) -> str:
        """Return a script with which a client sets the guest up."""
        file = self.base / "script4"
        file.write_text(f"#!/bin/sh\n{text}")
        file.chmod(0o755)
        return str(file)

    def travel(self, start: Callable[[], Client], remembers: bool = True) -> None:
        """
        Lease, renewal, rebinding, a reboot, and another address.

        :param remembers: Whether the client asks for what it had before a reboot.
        """
        process = start()
        self.journal.expect("discover", "offer", "selecting", "ack")
        self.until(lambda: address4(1) in self.addresses(), "has no address")
        self.journal.expect("renewing", "ack")
        self.deaf(True)
        self.journal.expect("rebinding", "ack")
        self.deaf(False)
        self.stop(process)
        start()
        again = ("init-reboot",) if remembers else ("discover", "offer", "selecting")
        self.journal.expect(*again, "ack")
        self.until(lambda: address4(1) in self.addresses(), "has no address")
        self.journal.expect("renewing", "ack")
        self.move()
        self.journal.expect("renewing", "nak", "discover", "offer", "selecting", "ack")
        self.until(lambda: self.addresses() == [MOVED], "has the old address")
        self.assertNotIn('outcome="malformed"', self.metrics())


class DhclientTests(JourneyTestCase):
    """ISC's client."""

    def test_journey(self) -> None:
        """All that happens to a lease."""
        self.travel(self.run_client)

    def run_client(self) -> Client:
        """Start it."""
        script = self.script(
            'case "$reason" in\n'
            "BOUND|RENEW|REBIND|REBOOT)\n"
            '    ip addr flush dev "$interface"\n'
            '    ip addr add "$new_ip_address/24" dev "$interface"\n'
            f"    ip route replace default via {ROUTER4} ;;\n"
            'EXPIRE|FAIL) ip addr flush dev "$interface" ;;\n'
            "esac\n"
        )
        config = self.base / "dhclient.conf"
        config.write_text("initial-interval 1;\nrequest subnet-mask, routers;\n")
        return self.client(
            *("dhclient", "-4", "-d", "-q", "-sf", script, "-cf", str(config)),
            *("-lf", str(self.kept_here / "leases"), "-pf", str(self.base / "pid4")),
            self.guest.device,
        )


class DhcpcdTests(JourneyTestCase):
    """Roy Marples's client."""

    def test_journey(self) -> None:
        """All that happens to a lease."""
        self.travel(self.run_client)

    def run_client(self) -> Client:
        """Start it."""
        if shutil.which("dhcpcd") is None:
            raise SkipTest("dhcpcd is not installed: run ./cloud test")
        config = self.base / "dhcpcd.conf"
        config.write_text("noarp\nnoipv4ll\noption routers\n")
        return self.client(
            *("dhcpcd", "-4", "-B", "-q", "-f", str(config), "-c", "/bin/true"),
            self.guest.device,
            keeps="/var/lib/dhcpcd",
        )


class NetworkdTests(JourneyTestCase):
    """systemd's client, without systemd."""

    def test_journey(self) -> None:
        """All that happens to a lease; after a reboot it asks for whatever there is."""
        self.travel(self.run_client, remembers=False)

    def run_client(self) -> Client:
        """Start it."""
        return self.networkd(
            self.guest,
            self.kept_here,
            "[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
            "[DHCPv4]\nClientIdentifier=mac\nSendRelease=no\n",
        )


class UdhcpcTests(JourneyTestCase):
    """
    Busybox's client, which keeps no leases, and renews when it is told to.

    It has no init-reboot: the address that it is told to ask for (``-r``) is in its
    DISCOVER (networking/udhcp/dhcpc.c: send_discover).
    """

    def test_journey(self) -> None:
        """Lease, renewal, rebinding, release, a reboot, another address."""
        script = self.script(
            'case "$1" in\n'
            "bound|renew)\n"
            "    ip addr flush dev $interface\n"
            "    ip addr add $ip/24 dev $interface\n"
            f"    ip route replace default via {ROUTER4} ;;\n"
            "deconfig) ip addr flush dev $interface ;;\n"
            "esac\n"
        )
        client = ("udhcpc", "-i", self.guest.device, "-f", "-s", script, "-T1", "-A1")
        process = self.client(*client)
        self.journal.expect("discover", "offer", "selecting", "ack")
        self.until(lambda: self.addresses() == [address4(1)], "has no address")
        process.send_signal(signal.SIGUSR1)
        self.journal.expect("renewing", "ack")
        self.deaf(True)
        process.send_signal(signal.SIGUSR1)
        self.journal.expect("rebinding", "ack")
        self.deaf(False)
        process.send_signal(signal.SIGUSR2)
        self.journal.expect("release")
        process.send_signal(signal.SIGUSR1)
        self.journal.expect("discover", "offer", "selecting", "ack")
        self.until(lambda: self.addresses() == [address4(1)], "has no address")
        self.stop(process)
        process = self.client(*client, "-r", OTHERS)
        # What it wants it does not get: it is another's.
        self.journal.expect("discover", "offer", "selecting", "ack")
        self.until(lambda: self.addresses() == [address4(1)], "has no address")
        self.move()
        process.send_signal(signal.SIGUSR1)
        self.journal.expect("renewing", "nak", "discover", "offer", "selecting", "ack")
        self.until(lambda: self.addresses() == [MOVED], "has the old address")
