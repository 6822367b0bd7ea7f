"""From where users may have something fetched."""

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from snf.core.reach import Reach

INSIDE = (
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "192.0.2.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "nonsense",
    "",
)
OUTSIDE = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8")


class ReachTests(SynchronousTestCase):
    """Addresses."""

    def test_public_only(self) -> None:
        """What is not public is out of reach, however it is written."""
        reach = Reach()
        self.assertEqual([], [one for one in INSIDE if reach.permits(one)])
        self.assertEqual([], [one for one in OUTSIDE if not reach.permits(one)])

    def test_allowed(self) -> None:
        """The operator can allow some, also where they are written in another way."""
        reach = Reach(allowed=[ip_network("10.0.0.0/24")])
        for address in ("10.0.0.1", "::ffff:10.0.0.1", "8.8.8.8"):
            self.assertTrue(reach.permits(address), address)
        for address in ("10.0.1.1", "::ffff:10.0.1.1", "127.0.0.1"):
            self.assertFalse(reach.permits(address), address)

    def test_denied(self) -> None:
        """The operator's own public networks can be denied; that comes first."""
        everything = [ip_network("0.0.0.0/0")]
        reach = Reach(allowed=everything, denied=[ip_network("8.8.8.0/24")])
        for address in ("8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"):
            self.assertFalse(reach.permits(address), address)
        self.assertTrue(reach.permits("10.0.0.1"))
