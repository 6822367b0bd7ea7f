"""What a new all-in-one holds."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.credentials import PEOPLE, password_of
from snf.allinone.layout import Layout
from snf.allinone.seed import Site, fill
from snf.core.catalog import Cluster
from snf.core.identity import Role
from snf.core.network import Kind
from snf.core.passwords import matches
from snf.storage import clusters, flavors, images, lists, networks, subnets, users
from snf.testing.postgres import inline_database

SITE = Site(
    cluster=Cluster(0, "cluster.x.test", "https://10.213.20.1:5080", "u", "/password"),
    network=IPv4Network("10.213.20.0/24"),
    gateway=IPv4Address("10.213.20.254"),
    pool=(IPv4Address("10.213.20.10"), IPv4Address("10.213.20.250")),
    kind=Kind.IP_LESS_ROUTED,
    mode="routed",
    link="200",
    public6=(
        IPv6Network("fd12:3456:789a:14::/64"),
        IPv6Address("fd12:3456:789a:14::1"),
    ),
    disk_template="sharedfile",
)


class FillTests(SynchronousTestCase):
    """``fill``, on a real PostgreSQL."""

    def setUp(self):
        self.database = inline_database(self)
        self.layout = Layout(Path(self.mktemp()))
        self.run_(fill, self.layout, SITE)

    def run_(self, function, *arguments):
        running = self.database.run(function, *arguments)
        return self.successResultOf(Deferred.fromCoroutine(running))

    def counts(self):
        return (
            len(self.run_(clusters.listing)),
            len(self.run_(flavors.listing, flavors.Wanted(), 1000)),
            len(self.run_(images.listing, None, images.Wanted(), 1000)),
            len(self.run_(lists.listing, networks.NETWORKS, lists.Wanted(), 1000)),
            len(self.run_(lists.listing, subnets.SUBNETS, lists.Wanted(), 1000)),
        )

    def test_twice(self):
        """A second time adds nothing."""
        before = self.counts()
        self.assertTrue(all(before), before)
        self.run_(fill, self.layout, SITE)
        self.assertEqual(before, self.counts())

    def test_disks(self):
        """Flavors with a disk have it in the template that the site can use."""
        found = self.run_(flavors.listing, flavors.Wanted(), 1000)
        self.assertEqual(
            {(0, "diskless"), (1, "sharedfile"), (2, "sharedfile")},
            {(flavor.disk_gib, flavor.disk_template) for flavor in found},
        )

    def test_people(self):
        """Each user's password is the one in its file; the roles are as named."""
        for person in PEOPLE.values():
            known = self.run_(users.credentials, None, person.name)
            given = password_of(self.layout, person)
            self.assertTrue(matches(given, known.password))
            held = self.run_(users.roles, known.user.id, known.user.default_project)
            self.assertEqual({Role(person.role)}, held)

    def test_password_file_lost(self):
        """A password file that was deleted is made anew, and the password with it."""
        person = PEOPLE["user"]
        self.layout.secret(f"user-{person.name}").unlink()
        self.run_(fill, self.layout, SITE)
        known = self.run_(users.credentials, None, person.name)
        given = password_of(self.layout, person)
        self.assertTrue(matches(given, known.password))

    def test_default_network(self):
        """Servers that name no network have one, whose addresses nobody else uses."""
        wanted = lists.Wanted(only={"is_default": [True]})
        [network] = self.run_(lists.listing, networks.NETWORKS, wanted, 10)
        subnet, subnet6 = self.run_(lists.listing, subnets.SUBNETS, lists.Wanted(), 10)
        if subnet.version == 6:
            subnet, subnet6 = subnet6, subnet
        self.assertEqual({network.id}, {subnet.network, subnet6.network})
        self.assertLess(IPv4Address("10.213.20.2"), subnet.pools[0].first)
        self.assertGreater(SITE.gateway, subnet.pools[0].last)
        self.assertEqual((Kind.IP_LESS_ROUTED, True), (network.kind, subnet6.eui64))
        # Nodes are told so, and nfdhcpd by them.
        self.assertEqual((True, True), (subnet.dhcp, subnet6.dhcp))
