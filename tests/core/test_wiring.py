"""What Ganeti's networks are told."""

from datetime import UTC, datetime
from uuid import uuid4

from twisted.trial.unittest import SynchronousTestCase

from snf.core.network import Kind, Network
from snf.core.subnet import Subnet
from snf.core.wiring import DHCP, NO_DHCP4, wiring

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class DhcpTests(SynchronousTestCase):
    """The tags by which nodes answer."""

    def told(self, *subnets: tuple[str, bool]) -> set[str]:
        """Return which there are of a network with these subnets, with DHCP or not."""
        network = Network(
            id=uuid4(),
            name="n",
            kind=Kind.VXLAN,
            mode="bridged",
            link="snfv1",
            created=NOW,
            updated=NOW,
            segment=1,
        )
        made = [
            Subnet(uuid4(), network.id, cidr, NOW, dhcp=dhcp) for cidr, dhcp in subnets
        ]
        return {DHCP, NO_DHCP4} & set(wiring(network, made).tags)

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
