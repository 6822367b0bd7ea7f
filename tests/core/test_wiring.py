"""What Ganeti's networks are told."""

from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import uuid4

from twisted.trial.unittest import SynchronousTestCase

from snf.core.network import Kind, Network
from snf.core.subnet import Subnet
from snf.core.wiring import DHCP, NO_DHCP4, wiring

NOW = datetime(2026, 1, 1, tzinfo=UTC)


NETWORK = Network(
    id=uuid4(),
    name="n",
    kind=Kind.VXLAN,
    mode="bridged",
    link="snfv1",
    created=NOW,
    updated=NOW,
    segment=1,
)


class NameServerTests(SynchronousTestCase):
    """The tags that tell the DNS servers."""

    def test_order(self):
        """Their numbers are in the order of the subnets, and of the servers of each."""
        made = [
            Subnet(uuid4(), NETWORK.id, cidr, NOW, dns=tuple(map(ip_address, servers)))
            for cidr, servers in (
                ("192.0.2.0/24", ["192.0.2.54", "192.0.2.53"]),
                ("2001:db8::/64", ["2001:db8::53", "192.0.2.53"]),
            )
        ]
        tags = [tag for tag in wiring(NETWORK, made).tags if tag.startswith("snf:dns:")]
        expected = ["1@192.0.2.54", "2@192.0.2.53", "3@2001:db8::53"]
        self.assertEqual([f"snf:dns:{one}" for one in expected], tags)


class DhcpTests(SynchronousTestCase):
    """The tags by which nodes answer."""

    def told(self, *subnets: tuple[str, bool]) -> set[str]:
        """Return which there are of a network with these subnets, with DHCP or not."""
        made = [
            Subnet(uuid4(), NETWORK.id, cidr, NOW, dhcp=dhcp) for cidr, dhcp in subnets
        ]
        return {DHCP, NO_DHCP4} & set(wiring(NETWORK, made).tags)

    def test_four(self):
        """Of IPv4 alone, it is as the subnet says."""
        self.assertEqual({DHCP}, self.told(("192.0.2.0/24", True)))
        self.assertEqual(set(), self.told(("192.0.2.0/24", False)))

    def test_both(self):
        """IPv6 has its router discovery, whatever IPv4 has."""
        six = ("2001:db8::/64", True)
        self.assertEqual({DHCP}, self.told(six))
        self.assertEqual({DHCP}, self.told(("192.0.2.0/24", True), six))
        self.assertEqual({DHCP, NO_DHCP4}, self.told(("192.0.2.0/24", False), six))

    def test_none(self):
        """Without subnets nothing is answered."""
        self.assertEqual(set(), self.told())
