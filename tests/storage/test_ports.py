"""Ports get addresses that nobody has."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import count
from random import Random
from uuid import uuid4

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase, TestCase

from snf.core.address import IPAddress
from snf.core.errors import Conflict
from snf.core.subnet import Pool, Subnet
from snf.storage import addresses, ports, subnets
from snf.storage.database import Transaction
from snf.storage.rows import every
from snf.testing import world
from snf.testing.postgres import shared_database, threaded_database

V6 = evolve(
    world.SUBNET,
    id=uuid4(),
    cidr="2001:db8::/64",
    pools=(Pool(ip_address("2001:db8::1"), ip_address("2001:db8::ffff")),),
    gateway=None,
)
POOL = [world.SUBNET.pools[0].first + number for number in range(191)]


class AddressTests(SynchronousTestCase):
    """Some address of a subnet's pool that is free."""

    def setUp(self) -> None:
        self.database = shared_database(self)
        self.run_in(world.make)
        self.run_in(subnets.add, V6)
        self.macs = count(1)

    def run_in(self, function, *args):
        return self.successResultOf(
            Deferred.fromCoroutine(self.database.run(function, *args))
        )

    def take(self, subnet: Subnet = world.SUBNET) -> str:
        """Return the address that a new port gets."""
        return str(self.run_in(_port, next(self.macs), [subnet]))

    def take_all(self, subnet: Subnet = world.SUBNET) -> list[str]:
        """Return the addresses that new ports get until there are none left."""
        return self.run_in(_all, self.macs, subnet)

    def release(self, *addresses: str) -> None:
        """Remove the ports with addresses, one after the other."""
        for address in addresses:
            self.run_in(
                _execute,
                "DELETE FROM port p USING address a"
                " WHERE a.port_id = p.id AND a.address = %s",
                address,
            )

    def occupy(self, subnet: Subnet, taken: Sequence[IPAddress]) -> None:
        """Have a port have addresses without anybody having offered them."""
        holder = self.run_in(_port, next(self.macs), [])
        for address in taken:
            self.run_in(addresses.take, subnet.id, address, addresses.Holder(holder))

    def test_all(self) -> None:
        """Every free address of a pool is given out, once, and nothing else."""
        random = Random(0)
        around = [ip_address("192.0.2.9"), *POOL, ip_address("192.0.2.201")]
        for number in (0, 1, 100, 191, 193):
            taken = random.sample(around, number)
            self.occupy(world.SUBNET, taken)
            free = {str(address) for address in POOL if address not in taken}
            found = self.take_all()
            self.assertEqual((free, len(free)), (set(found), len(found)), taken)
            self.run_in(_execute, "DELETE FROM port")

    def test_released(self) -> None:
        """Of those that were released all are found again, once each."""
        random = Random(1)
        taken = self.take_all()
        for number in (1, 10, len(taken)):
            released = random.sample(taken, number)
            self.release(*released)
            self.assertEqual(sorted(released), sorted(self.take_all()))

    def test_used_last(self) -> None:
        """What was used is used again last, the longest unused first."""
        first, second, third = (self.take() for _ in range(3))
        self.release(second, first)
        rest = self.take_all()
        self.assertEqual([second, first], rest[-2:])
        self.assertNotIn(third, rest)

    def test_released_beyond(self) -> None:
        """One that was asked for by name, far up in the pool, is not forgotten."""
        self.occupy(world.SUBNET, [POOL[-1]])
        self.take()
        self.release(str(POOL[-1]))
        self.assertIn(str(POOL[-1]), self.take_all())

    def test_asked_for(self) -> None:
        """An address that is had by somebody is refused."""
        found = ip_address(self.take())
        holder = addresses.Holder(self.run_in(_port, next(self.macs), []))
        failure = self.failureResultOf(
            Deferred.fromCoroutine(
                self.database.run(addresses.take, world.SUBNET.id, found, holder)
            ),
            Conflict,
        )
        self.assertIn(f"{found} is in use", str(failure.value))

    def test_other_pool(self) -> None:
        """With another pool, its addresses are the ones to be had."""
        self.take()
        pools = [
            Pool(ip_address("192.0.2.220"), ip_address("192.0.2.221")),
            Pool(ip_address("192.0.2.230"), ip_address("192.0.2.230")),
        ]
        self.run_in(subnets.set_pools, world.SUBNET.id, pools)
        found = self.take_all()
        self.assertEqual(["192.0.2.220", "192.0.2.221", "192.0.2.230"], found)

    def test_v6(self) -> None:
        """IPv6 pools work the same; what was never offered is not collected."""
        self.occupy(V6, [V6.pools[0].first])
        self.occupy(V6, [V6.pools[0].last])
        self.release(str(V6.pools[0].last))
        self.assertEqual(
            [(0,)], self.run_in(every, "SELECT count(*) FROM free_address")
        )
        self.assertEqual(str(V6.pools[0].first + 1), self.take(V6))


class ConcurrencyTests(TestCase):
    """Several who take addresses at once, each in a thread and transaction."""

    @inlineCallbacks
    def test_last(self):
        """Each address is one's who asks; the others are told that there is none."""
        database = threaded_database(self, reactor, threads=8)
        yield Deferred.fromCoroutine(database.run(world.make))
        yield Deferred.fromCoroutine(database.run(_all, count(1), world.SUBNET, 171))
        asked = [
            Deferred.fromCoroutine(database.run(_port, 1000 + number, [world.SUBNET]))
            for number in range(40)
        ]
        results = yield DeferredList(asked, consumeErrors=True)
        found = [address for success, address in results if success]
        self.assertEqual((20, 20), (len(found), len(set(found))))
        for success, failure in results:
            if not success:
                self.assertTrue(failure.check(Conflict))


def _all(
    txn: Transaction, macs: Iterator[int], subnet: Subnet, most: int = 1000
) -> list[str]:
    taken: list[str] = []
    try:
        while len(taken) < most:
            taken.append(str(_port(txn, next(macs), [subnet])))
    except Conflict:
        pass
    return taken


def _execute(txn: Transaction, statement: str, *arguments: object) -> None:
    txn.execute(statement, arguments)


def _port(txn: Transaction, number: int, subnets: list[Subnet]):
    """Store a port of nobody's; return it, or its one address where it has one."""
    port = uuid4()
    network = evolve(world.NETWORK, subnets=tuple(subnet.id for subnet in subnets))
    octets = number.to_bytes(3, "big")
    _, taken = ports.add(
        txn, port, network, world.PROJECT_A.id, None, 0, "aa:00:00", lambda _: octets
    )
    return taken[0].address if taken else port
