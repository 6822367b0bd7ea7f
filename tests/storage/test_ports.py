"""Ports get addresses that nobody has."""

from ipaddress import ip_address
from random import Random
from uuid import uuid4

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.core.address import IPAddress
from snf.core.errors import Conflict
from snf.core.subnet import Pool, Subnet
from snf.storage import ports, subnets
from snf.storage.database import Transaction
from snf.testing import world
from snf.testing.postgres import shared_database

V6 = evolve(
    world.SUBNET,
    id=uuid4(),
    cidr="2001:db8::/64",
    pools=(Pool(ip_address("2001:db8::1"), ip_address("2001:db8::ffff")),),
    gateway=None,
)


class AddressTests(SynchronousTestCase):
    """The lowest address of a subnet's pool that is free."""

    def setUp(self) -> None:
        self.database = shared_database(self)
        self.run_in(world.make)
        self.run_in(subnets.add, V6)

    def run_in(self, function, *args):
        return self.successResultOf(
            Deferred.fromCoroutine(self.database.run(function, *args))
        )

    def free(self, subnet: Subnet, taken: list[IPAddress]) -> IPAddress | None:
        """Return what the next port gets on a subnet of which some are taken."""

        def take(txn: Transaction) -> IPAddress | None:
            txn.execute("DELETE FROM port")
            holder = _port(txn, "aa:00:00:00:00:01", [])
            for address in taken:
                txn.execute(
                    "INSERT INTO address (subnet_id, address, port_id)"
                    " VALUES (%s, %s, %s)",
                    (subnet.id, str(address), holder),
                )
            try:
                return _port(txn, "aa:00:00:00:00:02", [subnet])
            except Conflict:
                return None

        return self.run_in(take)

    def test_lowest(self) -> None:
        """It is from the pool, not taken, and none below it is free."""
        random = Random(0)
        start, end = ip_address("192.0.2.10"), ip_address("192.0.2.200")
        pool = [ip_address(number) for number in range(int(start), int(end) + 1)]
        around = [ip_address("192.0.2.9"), *pool, ip_address("192.0.2.201")]
        for count in (0, 1, 2, 100, 185, 190, 192, 193):
            taken = random.sample(around, count)
            free = [address for address in pool if address not in taken]
            found = self.free(world.SUBNET, taken)
            self.assertEqual(free[0] if free else None, found, taken)

    def test_gaps(self) -> None:
        """A pool is filled from below, its gaps first."""
        start = ip_address("192.0.2.10")
        for taken, free in (([0, 1, 2], 3), ([0, 2, 3], 1), ([1, 2], 0), ([5], 0)):
            found = self.free(world.SUBNET, [start + number for number in taken])
            self.assertEqual(start + free, found)

    def test_v6(self) -> None:
        """IPv6 pools work the same."""
        first = V6.pools[0].first
        self.assertEqual(first + 1, self.free(V6, [first]))


def _port(txn: Transaction, mac: str, subnets: list[Subnet]):
    """Store a port of nobody's; return it, or its one address where it has one."""
    port = uuid4()
    network = evolve(world.NETWORK, subnets=tuple(subnet.id for subnet in subnets))
    octets = bytes.fromhex(mac.replace(":", ""))[3:]
    _, addresses = ports.add(
        txn, port, network, world.PROJECT_A.id, None, 0, "aa:00:00", lambda _: octets
    )
    return addresses[0].address if addresses else port
