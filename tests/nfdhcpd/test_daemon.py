"""nfdhcpd as a process: real queues, real taps, clients that others wrote."""

from tests.nfdhcpd.case import DaemonTestCase
from tests.node.lab import ROUTER4, SUBNET4, Guest

LEASE = {
    "IP": "198.18.1.7",
    "SUBNET": SUBNET4,
    "GATEWAY": ROUTER4,
    "MTU": "1450",
    "NAMESERVERS": "198.18.1.53",
}


class ClientsTests(DaemonTestCase):
    """What clients get on a routed tap, and on a port of a bridge."""

    def routed_guest(self, **values: str) -> Guest:
        """Return a guest on a routed tap that has its binding."""
        guest = self.lab.guest(self.node, "tap1", "aa:00:00:00:00:01")
        self.node.ip("link set tap1 address ee:ee:ee:ee:ee:ee up")
        self.bind(guest, INDEV="tap1", **{**LEASE, **values})
        return guest

    def test_udhcpc(self) -> None:
        """Busybox's client gets the address, the router, the MTU and the rest."""
        self.start()
        guest = self.routed_guest(ROUTES="10.1.0.0/16@198.18.1.9")
        said = self.udhcpc(guest)
        for line in (
            "ip=198.18.1.7",
            "mask=24",
            f"router={ROUTER4}",
            "dns=198.18.1.53",
            "mtu=1450",
            "hostname=snf-1",
            "lease=604800",
            "broadcast=198.18.1.255",
            f"staticroutes=10.1.0.0/16 198.18.1.9 0.0.0.0/0 {ROUTER4}",
            "serverid=192.0.2.1",
        ):
            self.assertIn(line, said.splitlines())

    def udhcpc(self, guest: Guest) -> str:
        """Return what busybox's client hands to its script."""
        script = self.base / "script"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n')
        script.chmod(0o755)
        options = [
            "-O",
            "staticroutes",
            "-O",
            "mtu",
            "-f",
            "-n",
            "-q",
            "-t",
            "5",
            "-T",
            "1",
        ]
        return self.in_guest(
            guest, "udhcpc", "-i", guest.device, *options, "-s", str(script)
        )
