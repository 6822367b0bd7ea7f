"""What the tests of submitter, dispatcher and reconciler stand on.

A real PostgreSQL, the bus in memory, and simulated clusters behind real HTTP whose
jobs take time by a clock of the test's own: nothing goes on there until ``work``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
from attrs import evolve
from twisted.application.service import Service
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from snf.bus.memory import MemoryBus
from snf.bus.topology import queue_names
from snf.config import Ganeti
from snf.config import Submitter as Settings
from snf.core.catalog import Cluster
from snf.core.naming import instance_name, nic_name
from snf.core.order import Build, Kind, NicRequest, Order
from snf.core.server import Life, Status, ask_to_delete, with_order
from snf.eventd.job import messages
from snf.logic.connections import Connections
from snf.logic.dispatcher import Dispatcher
from snf.logic.reconciler import Reconciler
from snf.logic.submitter import Submitter
from snf.rapi.client import connect
from snf.storage import clusters, lives, networks, orders, ports, servers
from snf.storage.database import Database
from snf.storage.listener import Listener
from snf.tap.layers import Layers
from snf.testing import world
from snf.testing.ganeti import Durations, FakeGaneti
from snf.testing.postgres import fresh_dsn

BUILD = Build(
    vcpus=1, ram_mib=128, disk_gib=1, disk_template="file", os="cyclades+default"
)
_STEP_S = 0.02
_LONGEST_S = 30.0


class Played(Service):
    """A simulated cluster at a port of the loopback; news of it goes to the bus."""

    def __init__(self, clock: Clock, name: str, bus: MemoryBus) -> None:
        self.ganeti = FakeGaneti(
            clock,
            name=name,
            durations=Durations(create=1, start=1, stop=1, reboot=1, remove=1),
            on_change=self._changed,
        )
        self.publisher = bus.publisher()
        self.deaf = False
        self.port: Any = None
        self.number = 0
        self.id = 0

    def startService(self) -> None:
        super().startService()
        self.port = reactor.listenTCP(
            self.number, Site(self.ganeti.resource()), interface="127.0.0.1"
        )
        self.number = self.port.getHost().port

    def stopService(self) -> Any:
        super().stopService()
        return self.port.stopListening()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.number}"

    def jobs(self, opcode: str = "", server: int | None = None) -> list[Any]:
        """Return its jobs whose opcode ends so, in their order."""
        name = None if server is None else instance_name("snf", server)
        return [
            entry
            for entry in self.ganeti.queue.entries.values()
            if entry.input["OP_ID"].endswith(opcode)
            and name in (None, entry.input.get("instance_name"))
        ]

    def _changed(self, job: dict[str, Any]) -> None:
        if not self.deaf:
            for key, body in messages(
                job["id"], orjson.dumps(job), self.ganeti.name, "snf"
            ):
                self.publisher.publish(key, body)


class LogicTestCase(TestCase):
    """A test with a database, a cluster, and whatever services it starts."""

    timeout = 90

    async def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        self.database = Database(reactor, self.dsn, threads=4)
        self.database.startService()
        self.addCleanup(self.database.stopService)
        await self.database.run(world.make)
        self.clock = Clock()
        self.clock.advance(float(int(reactor.seconds())))
        self.bus = MemoryBus(reactor)
        self.secret = Path(self.mktemp())
        self.secret.write_text("simulated\n")
        self.cluster = await self.play(world.CLUSTER.name)
        self.ganeti = self.cluster.ganeti
        self.connections = self.new_connections()

    def new_connections(self, timeout_s: float = 5.0) -> Connections:
        connections = Connections(
            lambda endpoint: connect(reactor, endpoint, timeout_s)
        )
        self.addCleanup(connections.close)
        return connections

    async def play(self, name: str) -> Played:
        """Have a simulated cluster of a name, which the database knows."""
        played = Played(self.clock, name, self.bus)
        played.startService()
        self.addCleanup(lambda: played.stopService() if played.running else None)

        def place(txn: Any) -> int:
            known = [one for one in clusters.listing(txn) if one.name == name]
            number = (
                known[0].id
                if known
                else clusters.add(txn, evolve(world.CLUSTER, name=name))
            )
            clusters.move(txn, number, played.url, "off")
            txn.execute(
                "UPDATE cluster SET password_file = %s WHERE id = %s",
                (str(self.secret), number),
            )
            return number

        played.id = await self.database.run(place)
        return played

    def start(self, service: Any) -> Any:
        """Start a service, which stops at the end of the test if not before."""
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        return service

    def dispatch(self) -> Any:
        """Fold news into the database from now on."""
        dispatcher = Dispatcher(reactor, self.database, "snf")
        return self.start(self.bus.consumer(queue_names("snf"), dispatcher.receive))

    def submit(
        self,
        database: Any = None,
        timeout_s: float = 5.0,
        shutdown_timeout_s: int = 5,
        claimant: int = 1,
        **settings: Any,
    ) -> Any:
        """Carry orders to Ganeti from now on."""
        listener = Listener(reactor, self.dsn, None, claimant, lambda: submitter.wake())
        submitter = Submitter(
            reactor,
            database or self.database,
            self.new_connections(timeout_s),
            Settings(**{"poll_s": 0.1, "settle_s": 0.1, **settings}),
            Ganeti(shutdown_timeout_s=shutdown_timeout_s),
            claimant,
            lambda: listener.alive,
        )
        layers = Layers()
        listener.setServiceParent(layers)
        submitter.setServiceParent(layers)
        return self.start(layers)

    def reconciler(self, interval_s: float = 3600) -> Reconciler:
        return Reconciler(reactor, self.database, self.connections, "snf", interval_s)

    async def row(self, name: str = world.CLUSTER.name) -> Cluster:
        """Return what is known of a cluster."""
        known = await self.database.run(clusters.listing)
        [found] = [cluster for cluster in known if cluster.name == name]
        return found

    async def level(self, trust_missing: bool = False) -> Any:
        """Level the one cluster, a second after what has happened."""
        self.clock.advance(2)
        return await self.reconciler().level(await self.row(), trust_missing)

    async def ask_server(self, build: Build | None = BUILD, cluster: int = 0) -> int:
        """Ask for a new server, as the API does."""
        return await self.database.run(_ask_server, build, cluster or self.cluster.id)

    async def ask(self, server: int, kind: Kind, **more: Any) -> UUID:
        """Ask something of a server, as the API does."""
        order = Order(id=uuid4(), server=server, kind=kind, **more)
        await self.database.run(_ask, order, self.cluster.id)
        return order.id

    async def life(self, server: int) -> Life | None:
        """Return what is known of a server; None when it has been deleted."""
        return (await self.database.run(lives.load, [server])).get(server)

    async def status(self, server: int) -> Status:
        """Return what is shown of a server."""
        # Without a lock: what passes over servers that others lock, as rounds do, would
        # pass over one that a test looks at all the time.
        found = await self.rows("SELECT status FROM server WHERE id = %s", server)
        return Status(found[0][0]) if found else Status.DELETED

    async def states(self, server: int) -> list[tuple[str, str]]:
        """Return the kind and the state of all orders of a server, oldest first."""
        return await self.rows(
            "SELECT kind, state FROM orders WHERE server_id = %s ORDER BY number",
            server,
        )

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        def ask(txn: Any) -> list[Any]:
            txn.execute(query, arguments)
            return txn.fetchall() if txn.description else []

        return await self.database.run(ask)

    async def addresses(self, server: int) -> int:
        """Return how many addresses a server holds."""
        [(count,)] = await self.rows(
            "SELECT count(*) FROM address a JOIN port p ON p.id = a.port_id"
            " WHERE p.server_id = %s",
            server,
        )
        return count

    async def until(self, happened: Callable[[], Any], works: bool = True) -> None:
        """Wait until it is so; meanwhile the clusters work, unless they are not to."""
        waited = 0.0
        while not await happened():
            if waited > _LONGEST_S:
                raise AssertionError(f"never: {happened.__qualname__}")
            if works:
                self.clock.advance(0.1)
            await deferLater(reactor, _STEP_S)
            waited += _STEP_S

    async def levelled(self, server: int, status: Status) -> None:
        """Wait until levelling by itself has found a server in a status."""

        async def there() -> bool:
            self.clock.advance(1)
            await self.reconciler().level(await self.row())
            return await self.status(server) is status

        await self.until(there)

    async def rests(self, *wanted: int, works: bool = True) -> None:
        """Wait until no order (of some servers) is open."""

        async def rest() -> bool:
            return not await self.rows(
                "SELECT 1 FROM orders WHERE state IN ('new', 'submitting', 'submitted')"
                " AND (%s OR server_id = ANY(%s))",
                not wanted,
                list(wanted),
            )

        await self.until(rest, works)

    async def reaches(self, server: int, kind: str, state: str) -> None:
        """Wait until an order of a server is in a state, while no cluster works."""

        async def there() -> bool:
            return (kind, state) in await self.states(server)

        await self.until(there, works=False)

    async def active(self, *extra: Any) -> int:
        """Return a new server that runs; the services have to have been started."""
        server = await self.ask_server()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        return server


def _ask_server(txn: Any, build: Build | None, cluster: int) -> int:
    server = servers.add(
        txn,
        servers.NewServer(
            uuid=uuid4(),
            project=world.PROJECT_A.id,
            user=world.ALICE.id,
            name="web",
            flavor=world.SMALL.id,
            image=world.TINY.id,
            cluster=cluster,
            metadata={},
        ),
    )
    port = uuid4()
    network = networks.named(txn, world.NETWORK.name)
    mac, [fixed] = ports.add(
        txn,
        port,
        network,
        world.PROJECT_A.id,
        server,
        0,
        "aa:00:00",
        lambda size: server.to_bytes(size, "big"),
    )
    nic = NicRequest(nic_name(port), mac, str(fixed.address), "bridged", "br0")
    order = Order(
        id=uuid4(),
        server=server,
        kind=Kind.CREATE,
        build=build and evolve(build, nics=(nic,)),
    )
    orders.add(txn, order, cluster, "req-1")
    return server


def _ask(txn: Any, order: Order, cluster: int) -> None:
    before = lives.load(txn, [order.server])
    add = ask_to_delete if order.kind is Kind.DELETE else with_order
    life = add(before[order.server], order)
    if order in life.orders:
        orders.add(txn, order, cluster, "req-2")
    lives.save(txn, before, {order.server: life})
