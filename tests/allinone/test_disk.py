"""The small guest's own disk, as it is made."""

import json
import shutil
import struct
import subprocess
from importlib.resources import files

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from snf.allinone.disk import beginning
from snf.allinone.failure import Failure


class BeginningTests(SynchronousTestCase):
    """``beginning``: what is before the partition."""

    BOOT = bytes(range(256)) * 2

    def test_layout(self):
        """The boot loader, one active partition at 1 MiB, and GRUB behind the MBR."""
        begin = beginning(self.BOOT, b"core" * 1000, 79_872)
        self.assertEqual(2**20, len(begin))
        self.assertEqual(self.BOOT[:446], begin[:446])
        self.assertEqual(b"\x55\xaa", begin[510:512])
        active, kind, first, count = struct.unpack("<B3xB3xII", begin[446:462])
        self.assertEqual((0x80, 0x83, 2048, 79_872), (active, kind, first, count))
        self.assertEqual(bytes(48), begin[462:510])
        self.assertTrue(begin[512:].startswith(b"core" * 1000 + b"\0"))

    def test_too_much(self):
        """What does not fit before the partition is refused, not written over it."""
        beginning(self.BOOT, bytes(2047 * 512), 1)
        for boot, core in ((self.BOOT, bytes(2047 * 512 + 1)), (b"", b"")):
            with self.assertRaises(Failure):
                beginning(boot, core, 1)


class NetworksTests(SynchronousTestCase):
    """``guest/networks.jq``: a config drive's networks in lines for the guest."""

    def lines(self, **data) -> list[str]:
        jq = shutil.which("jq")
        if jq is None:
            raise SkipTest("there is no jq: ./cloud test installs it")
        program = str(files("snf.allinone").joinpath("guest/networks.jq"))
        done = subprocess.run(
            [jq, "-r", "-f", program],
            input=json.dumps(data),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    LINK = {"id": "a", "mtu": 1500, "ethernet_mac_address": "AA:00:00:00:00:05"}

    def test_asked_for(self):
        """What is to be asked for is named, for each of the families."""
        four, six = (
            {"type": "ipv4_dhcp", "link": "a"},
            {"type": "ipv6_slaac", "link": "a"},
        )
        for networks, how in (
            ([four, six], "plugged"),
            ([four], "lease"),
            ([six], "slaac"),
            ([], ""),
        ):
            self.assertEqual(
                [f"nic aa:00:00:00:00:05,1500,,,,,{how}"],
                self.lines(links=[self.LINK], networks=networks, services=[]),
            )

    def test_fixed(self):
        """Fixed addresses, their ways out, other routes and DNS servers in their order."""
        four = {
            "type": "ipv4",
            "link": "a",
            "ip_address": "10.0.0.7",
            "netmask": "255.255.254.0",
            "routes": [
                {
                    "network": "10.9.0.0",
                    "netmask": "255.255.0.0",
                    "gateway": "10.0.0.9",
                },
                {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"},
            ],
            "services": [
                {"type": "dns", "address": "10.0.0.53"},
                {"type": "dns", "address": "10.0.0.3"},
            ],
        }
        six = {
            "type": "ipv6",
            "link": "a",
            "ip_address": "fd00::7",
            "netmask": "ffff:ffff:ffff:fffe::",
            "routes": [{"network": "::", "netmask": "::", "gateway": "fd00::1"}],
        }
        self.assertEqual(
            [
                "nic aa:00:00:00:00:05,,10.0.0.7/23,10.0.0.1,fd00::7/63,fd00::1,",
                "route aa:00:00:00:00:05 10.9.0.0/16 10.0.0.9",
                "dns 10.0.0.53",
                "dns 10.0.0.3",
            ],
            self.lines(links=[self.LINK | {"mtu": None}], networks=[four, six]),
        )

    def test_several(self):
        """Each link has its own networks; without any there is nothing to be said."""
        links = [self.LINK | {"id": name} for name in "abc"]
        network = {"type": "ipv4_dhcp", "link": "b"}
        found = self.lines(links=links, networks=[network])
        self.assertEqual(["", "lease", ""], [line.split(",")[6] for line in found])
        self.assertEqual([], self.lines())
