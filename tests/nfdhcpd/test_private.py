"""A private network whose IPv4 is its guests' own affair, and whose IPv6 nfdhcpd answers."""

import shutil

from twisted.trial.unittest import SkipTest

from tests.nfdhcpd.test_kernel6 import Guests6TestCase
from tests.node.case import address6
from tests.node.inside import pings
from tests.node.lab import SUBNET6, Guest

TAGS = "private-filtered private nfdhcpd snf:no-dhcp:4"
SERVER, FIRST = "10.9.0.1", "10.9.0.50"


class OwnServerTests(Guests6TestCase):
    """One guest lends addresses to the others."""

    def setUp(self) -> None:
        super().setUp()
        if shutil.which("udhcpd") is None and shutil.which("busybox") is None:
            raise SkipTest("busybox is not installed: run ./cloud test")
        self.bridge("prv1")
        self.start()
        self.server, self.client = (self.private_guest(number) for number in (1, 2))

    def private_guest(self, number: int) -> Guest:
        """Return a guest that snf-network has made a member of the network."""
        guest = self.plain_guest(number)
        known = self.text().count(f"{guest.tap} (")
        told = self.private(guest, number, "prv1", TAGS)
        subnets = {"NETWORK_SUBNET": "10.9.0.0/24", "NETWORK_SUBNET6": SUBNET6}
        self.node.up({**told, **subnets, "IP": f"10.9.0.{number}"})
        self.logged(f"{guest.tap} (", known + 1)
        return guest

    def serve(self) -> None:
        """Have the first guest lend addresses."""
        self.in_guest(self.server, "ip", "addr", "add", f"{SERVER}/24", "dev", "eth0")
        (self.base / "leases").touch()
        config = self.base / "udhcpd.conf"
        config.write_text(
            f"start {FIRST}\nend 10.9.0.60\ninterface eth0\n"
            f"lease_file {self.base}/leases\npidfile {self.base}/pid\n"
            "option subnet 255.255.255.0\noption lease 600\n"
        )
        self.running(self.server, "busybox", "udhcpd", "-f", str(config))

    def test_own_server(self) -> None:
        """Its DISCOVERs, REQUESTs and their answers pass, as if nobody looked."""
        self.serve()
        said = self.udhcpc(self.client)
        self.assertIn(f"serverid={SERVER}", said)
        [address] = [line[3:] for line in said if line.startswith("ip=")]
        self.assertTrue(address.startswith("10.9.0."), address)
        self.assertTrue(self.count("dhcp", "passed") >= 2)
        for outcome in ("none", "offer", "ack", "nak"):
            self.assertEqual(0, self.count("dhcp", outcome), outcome)

    def test_ipv6(self) -> None:
        """Routers are looked for and DHCPv6 is asked as before, and answered."""
        for number, guest in ((1, self.server), (2, self.client)):
            self.until(
                lambda: self.has_address(guest, number),  # noqa: B023
                "there is no address",
            )
        self.assertTrue(pings(self.client.namespace, address6(1), 5))
        config, script = self.base / "dhclient6.conf", self.base / "script6"
        config.write_text("timeout 15;\n")
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        self.in_guest(
            *(self.client, "dhclient", "-6", "-S", "-1", "-q", "-sf", str(script)),
            *("-lf", str(self.base / "leases6"), "-pf", str(self.base / "pid6")),
            *("-cf", str(config), self.client.device),
        )
        self.assertEqual(1, self.count("dhcpv6", "reply"))
