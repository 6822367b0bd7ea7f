"""Interfaces that come and go, by the real parts, with what can go wrong on the way."""

from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve
from twisted.internet.defer import Deferred

from snf.core.naming import instance_name, network_name, nic_name
from snf.core.order import Kind, NicRequest, Order
from snf.core.quota import NO_LIMITS, Resource
from snf.core.server import Status, with_order
from snf.core.subnet import Pool, Subnet
from snf.rapi.orders import request
from snf.storage import firewalls, lives, networks, orders, ports, quotas, subnets
from snf.testing import world
from snf.testing.ganeti import Fault
from snf.testing.ganeti.opcodes import opcode
from tests.logic.case import LogicTestCase
from tests.logic.test_submitter import Faulty

_RANGE = uuid4()
OTHER = evolve(
    world.NETWORK, id=uuid4(), name="other", is_default=False, subnets=(_RANGE,)
)
RANGE = Subnet(
    id=_RANGE,
    network=OTHER.id,
    cidr="198.51.100.0/24",
    pools=(Pool(ip_address("198.51.100.10"), ip_address("198.51.100.99")),),
    created=world.SUBNET.created,
    gateway=ip_address("198.51.100.1"),
    dns=(ip_address("192.0.2.53"),),
)
NAME = network_name(OTHER.id)


def attach(txn: Any, server: int, cluster: int, kept: bool = False) -> UUID:
    """Ask for an interface, as the API does; return its port."""
    before = lives.load(txn, [server])
    port = uuid4()
    mac, [fixed] = ports.add(
        txn,
        port,
        OTHER,
        world.PROJECT_A.id,
        server,
        1,
        "aa:00:01",
        lambda size: port.bytes[:size],
    )
    txn.execute(
        "UPDATE port SET changing = true, kept = %s WHERE id = %s", (kept, port)
    )
    taken = {Resource.PORTS: 1, Resource.FIXED_IPS: 1}
    quotas.take(txn, world.PROJECT_A.id, taken, NO_LIMITS)
    nic = NicRequest(nic_name(port), mac, str(fixed.address), network=OTHER.id)
    order = Order(uuid4(), server, Kind.ATTACH, nic=nic)
    orders.add(txn, order, cluster, f"req-{port}")
    lives.save(txn, before, {server: with_order(before[server], order)})
    return port


def detach(txn: Any, server: int, cluster: int, port: UUID) -> None:
    """Ask for an interface to go, as the API does."""
    before = lives.load(txn, [server])
    txn.execute("UPDATE port SET changing = true WHERE id = %s", (port,))
    nic = NicRequest(nic_name(port), "", None)
    order = Order(uuid4(), server, Kind.DETACH, nic=nic)
    orders.add(txn, order, cluster, f"req-{uuid4()}")
    lives.save(txn, before, {server: with_order(before[server], order)})


class PortTestCase(LogicTestCase):
    """A test with another network than the one that servers are on."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.database.run(networks.add, OTHER)
        await self.database.run(subnets.add, RANGE)

    async def attach(self, server: int, kept: bool = False) -> UUID:
        return await self.database.run(attach, server, self.cluster.id, kept)

    async def detach(self, server: int, port: UUID) -> None:
        await self.database.run(detach, server, self.cluster.id, port)

    def machine(self, server: int) -> Any:
        return self.ganeti.machines.find(instance_name("snf", server))

    def nics(self, server: int) -> list[str]:
        return [nic["name"] for nic in self.machine(server).nics]

    async def port(self, port: UUID) -> Any:
        """Return a port's state, server, and whether it waits; None when it is gone."""
        rows = await self.rows(
            "SELECT state, server_id, waits FROM port WHERE id = %s", port
        )
        return rows[0] if rows else None

    async def used(self) -> tuple[int, int]:
        """Return how many ports and addresses count; it must be what there is."""
        used = await self.database.run(quotas.used, world.PROJECT_A.id)
        counted = await self.database.run(quotas.counted)
        for one in (Resource.PORTS, Resource.FIXED_IPS):
            key = (world.PROJECT_A.id, one)
            [(offset,)] = await self.rows(
                # The case makes servers without a count of what they hold.
                "SELECT count(*) FROM port p WHERE p.network_id <> %s",
                OTHER.id,
            )
            self.assertEqual(counted.get(key, 0) - offset, used[one])
        return used[Resource.PORTS], used[Resource.FIXED_IPS]


class LifeTests(PortTestCase):
    """All is well."""

    async def test_there_and_back(self) -> None:
        """The guest has the interface, on the network made for it; then it has not."""
        self.dispatch()
        self.submit()
        server = await self.active()
        port = await self.attach(server)
        self.assertEqual(("BUILD", server, False), await self.port(port))
        await self.rests(server)
        self.assertEqual(("ACTIVE", server, False), await self.port(port))
        self.assertIn(nic_name(port), self.nics(server))
        self.assertEqual(2, len(self.machine(server).live_nics))
        [nic] = [n for n in self.machine(server).nics if n["name"] == nic_name(port)]
        self.assertEqual(("198.51.100.10", NAME), (nic["ip"], nic["network"]))
        made = self.ganeti.machines.networks[NAME]
        self.assertEqual({"default": ("bridged", "br0")}, made.groups)
        self.assertEqual(
            ("198.51.100.0/24", "198.51.100.1", ["nfdhcpd", _DNS]),
            (made.told["network"], made.told["gateway"], made.told["tags"]),
        )
        self.assertEqual((1, 1), await self.used())
        await self.detach(server, port)
        self.assertIsNotNone(await self.port(port))
        await self.rests(server)
        self.assertIsNone(await self.port(port))
        self.assertEqual(1, len(self.machine(server).live_nics))
        self.assertEqual((0, 0), await self.used())
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_network_once(self) -> None:
        """The second interface on a network needs nothing made."""
        self.dispatch()
        self.submit()
        server = await self.active()
        for _ in range(3):
            await self.attach(server)
        await self.rests(server)
        self.assertEqual(4, len(self.nics(server)))
        for word in ("NETWORK_ADD", "NETWORK_CONNECT"):
            self.assertEqual(1, len(self.cluster.jobs(word)), word)

    async def test_kept(self) -> None:
        """A port that was made by itself outlives its interface and its server."""
        self.dispatch()
        self.submit()
        server = await self.active()
        first = await self.attach(server, kept=True)
        second = await self.attach(server, kept=True)
        await self.rests(server)
        await self.detach(server, first)
        await self.rests(server)
        self.assertEqual(("DOWN", None, False), await self.port(first))
        await self.ask(server, Kind.DELETE)
        await self.rests(server)
        self.assertIs(Status.DELETED, await self.status(server))
        self.assertEqual(("DOWN", None, False), await self.port(second))
        self.assertEqual([(2,)], await self.rows("SELECT count(*) FROM address"))

    async def test_no_tags_left(self) -> None:
        """With an interface its tags go, without waiting for the levelling."""
        self.dispatch()
        self.submit()
        server = await self.active()
        port = await self.attach(server)

        def close(txn: Any) -> None:
            firewalls.set_profile(txn, port, "protected")
            firewalls.order(txn, [server], "req-3")

        await self.database.run(close)
        await self.rests(server)
        self.assertEqual(
            [f"synnefo:network:{nic_name(port)}:protected"], self.machine(server).tags
        )
        await self.detach(server, port)
        await self.rests(server)
        self.assertIsNone(await self.port(port))
        self.assertEqual([], self.machine(server).tags)

    async def test_server_goes(self) -> None:
        """With a server its interfaces go, whatever was under way with them."""
        self.dispatch()
        self.submit()
        server = await self.active()
        gone = await self.attach(server)
        await self.rests(server)
        await self.detach(server, gone)
        await self.attach(server)
        await self.ask(server, Kind.DELETE)
        await self.rests(server)
        self.assertEqual([], await self.rows("SELECT id FROM port"))
        self.assertEqual([], await self.rows("SELECT 1 FROM address"))

    async def test_network_goes(self) -> None:
        """A network that is deleted goes from the cluster first, then from here."""
        self.dispatch()
        self.submit()
        server = await self.active()
        port = await self.attach(server)
        await self.rests(server)
        clear = self.reconciler()._round
        await self.detach(server, port)
        await self.rests(server)
        await self.database.run(networks.delete, OTHER.id)
        self.ganeti.faults.next(Fault.LOSE, part="/disconnect")
        await self.working(clear())
        await self.working(clear())
        self.assertNotIn(NAME, self.ganeti.machines.networks)
        self.assertEqual(
            [], await self.rows("SELECT 1 FROM network WHERE id = %s", OTHER.id)
        )

    async def working(self, going_on: Any) -> None:
        """Let the cluster work until something is done."""
        done: list[Any] = []
        Deferred.fromCoroutine(going_on).addBoth(done.append)

        async def ended() -> bool:
            return bool(done)

        await self.until(ended)


_DNS = "snf:dns:1@192.0.2.53"


class FailureTests(PortTestCase):
    """Ganeti does not do it."""

    async def setUp(self) -> None:
        await super().setUp()
        self.dispatch()
        self.submit(attempts=1)
        self.server = await self.active()

    async def test_attach_fails(self) -> None:
        """What a failed attach had taken is given back."""
        self.ganeti.spoil("OP_INSTANCE_SET_PARAMS", "no such device")
        port = await self.attach(self.server)
        await self.rests(self.server)
        self.assertIsNone(await self.port(port))
        self.assertEqual((0, 0), await self.used())
        self.assertIs(Status.ACTIVE, await self.status(self.server))
        self.assertIn(("attach", "failed"), await self.states(self.server))

    async def test_attach_refused(self) -> None:
        """So it is when Ganeti takes no such job; a port made by itself stays."""
        for kept, left in ((False, None), (True, ("DOWN", None, False))):
            self.ganeti.faults.next(Fault.ERROR, part="/modify")
            port = await self.attach(self.server, kept)
            await self.rests(self.server)
            self.assertEqual(left, await self.port(port))

    async def test_network_fails(self) -> None:
        """Without its network there is no interface, and no server."""
        self.ganeti.spoil("OP_NETWORK_ADD", "the configuration is read-only")
        port = await self.attach(self.server)
        await self.rests(self.server)
        self.assertIsNone(await self.port(port))
        [(error,)] = await self.rows("SELECT error FROM orders WHERE kind = 'attach'")
        self.assertIn("the configuration is read-only", error)
        port = await self.attach(self.server)
        await self.rests(self.server)
        self.assertEqual(("ACTIVE", self.server, False), await self.port(port))

    async def test_detach_fails(self) -> None:
        """An interface that could not be removed is there, and so is its address."""
        port = await self.attach(self.server)
        await self.rests(self.server)
        self.ganeti.spoil("OP_INSTANCE_SET_PARAMS", "the configuration is read-only")
        await self.detach(self.server, port)
        await self.rests(self.server)
        self.assertEqual(("ACTIVE", self.server, False), await self.port(port))
        self.assertEqual((1, 1), await self.used())

    async def test_not_hotplugged(self) -> None:
        """What the guest does not notice waits for its next start, both ways."""
        self.ganeti.cold(instance_name("snf", self.server))
        port = await self.attach(self.server)
        await self.rests(self.server)
        self.assertEqual(("DOWN", self.server, True), await self.port(port))
        await self.level()
        self.assertEqual(("DOWN", self.server, True), await self.port(port))
        await self.ask(self.server, Kind.REBOOT)
        await self.rests(self.server)
        self.assertEqual(("ACTIVE", self.server, False), await self.port(port))
        await self.detach(self.server, port)
        await self.rests(self.server)
        self.assertEqual(("DOWN", self.server, True), await self.port(port))
        await self.level()
        # The guest still has the address.
        self.assertEqual((1, 1), await self.used())
        await self.ask(self.server, Kind.STOP)
        await self.rests(self.server)
        self.assertIsNone(await self.port(port))
        self.assertEqual((0, 0), await self.used())

    async def test_stopped(self) -> None:
        """A guest that does not run has nothing to notice."""
        await self.ask(self.server, Kind.STOP)
        await self.rests(self.server)
        port = await self.attach(self.server)
        await self.rests(self.server)
        self.assertEqual(("ACTIVE", self.server, False), await self.port(port))
        await self.detach(self.server, port)
        await self.rests(self.server)
        self.assertIsNone(await self.port(port))


class LevelTests(PortTestCase):
    """No news comes, or somebody else changes things."""

    async def test_operator(self) -> None:
        """A NIC that an operator removes leaves a port that is down, and counts."""
        self.dispatch()
        self.submit()
        server = await self.active()
        port = await self.attach(server)
        await self.rests(server)
        name = instance_name("snf", server)
        self.ganeti.operate(
            "OP_INSTANCE_SET_PARAMS", name, nics=[["remove", nic_name(port), {}]]
        )
        self.clock.advance(1)
        self.clock.advance(1)
        await self.level()
        self.assertEqual(("DOWN", server, False), await self.port(port))
        await self.detach(server, port)
        await self.rests(server)
        # Nobody has told the guest.
        self.assertEqual(("DOWN", server, True), await self.port(port))
        await self.ask(server, Kind.REBOOT)
        await self.rests(server)
        self.assertIsNone(await self.port(port))

    async def test_lost(self) -> None:
        """Of jobs that Ganeti has forgotten the listing tells what came."""
        self.submit()
        self.cluster.deaf = True
        server = await self.ask_server()
        await self.levelled(server)
        port = await self.attach(server)
        await self.submitted(server, "attach")
        for _ in range(20):
            self.clock.advance(1)
        self.ganeti.queue.purge()
        await self.level()
        await self.level()
        self.assertEqual(("ACTIVE", server, False), await self.port(port))
        await self.detach(server, port)
        await self.submitted(server, "detach")
        for _ in range(20):
            self.clock.advance(1)
        self.ganeti.queue.purge()
        await self.level()
        self.assertIsNotNone(await self.port(port))
        await self.level()
        self.assertIsNone(await self.port(port))
        self.assertEqual((0, 0), await self.used())

    async def submitted(self, server: int, kind: str) -> None:
        async def there() -> bool:
            return (kind, "submitted") in await self.states(server)

        await self.until(there)

    async def levelled(self, server: int) -> None:
        async def active() -> bool:
            self.clock.advance(1)
            await self.reconciler().level(await self.row())
            return await self.status(server) is Status.ACTIVE

        await self.until(active)


class DeathTests(PortTestCase):
    """A submitter dies on the way."""

    async def test_twice(self) -> None:
        """An interface asked for again, because an answer was lost, is there once."""
        self.dispatch()
        first = self.submit()
        server = await self.active()
        await first.stopService()
        for kind, jobs in ((Kind.ATTACH, 1), (Kind.DETACH, 2)):
            if kind is Kind.ATTACH:
                port = await self.attach(server)
            else:
                await self.detach(server, port)
            [claim] = await self.database.run(
                orders.claim, 666, self.cluster.id, 8, 0.0
            )
            if kind is Kind.ATTACH:
                await self.make_network()
            rapi = self.connections.of(await self.row())
            name = instance_name("snf", server)
            self.cluster.deaf = True
            await rapi.submit(request(claim.order, name, 5))
            self.clock.advance(1)
            self.clock.advance(1)
            self.ganeti.queue.archive()
            self.cluster.deaf = False
            again = self.submit(claimant=jobs + 100)
            await self.rests(server)
            await again.stopService()
            self.assertEqual(jobs, len(self.cluster.jobs("SET_PARAMS")))
        self.assertIsNone(await self.port(port))

    async def make_network(self) -> None:
        """Have the network on the cluster."""
        for op, more in (
            ("OP_NETWORK_ADD", {"network": RANGE.cidr}),
            (
                "OP_NETWORK_CONNECT",
                {
                    "group_name": "default",
                    "network_mode": "bridged",
                    "network_link": "br0",
                },
            ),
        ):
            given = {"network_name": NAME, "conflicts_check": False, "reason": []}
            self.ganeti.queue.submit(opcode(op, {**given, **more}))
            for _ in range(5):
                self.clock.advance(0.5)

    async def test_network_half_made(self) -> None:
        """Whoever comes after finishes the network that another has begun."""
        self.dispatch()
        for times, function in enumerate(("made", "_submitted")):
            away = Faulty(self.database, function)
            services = self.submit(database=away, claimant=10 + times)
            server = await self.ask_server()
            await self.rests(server)
            port = await self.attach(server)
            await self.rests(server)
            self.assertEqual(("ACTIVE", server, False), await self.port(port))
            await services.stopService()
            self.assertEqual(0, away.times)
        self.flushLoggedErrors()
