"""What guests are told reaches their disks, and nothing else."""

import base64
import zlib
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import orjson
from attrs import evolve
from twisted.internet import reactor
from twisted.logger import globalLogPublisher

from snf.config import Ganeti
from snf.config import Submitter as Settings
from snf.core.guest import File, Key, Secret
from snf.core.naming import instance_name
from snf.core.node_keys import NodeKeys
from snf.core.order import Kind, Order, Reinstall, Source
from snf.core.server import Status, with_order
from snf.logic.guests import Nodes
from snf.logic.submitter import Submitter
from snf.rapi.orders import request
from snf.storage import guests, images, lives, orders
from snf.storage.listener import Listener
from snf.tap.layers import Layers
from snf.testing import world
from snf.testing.ganeti.web import Fault
from tests.logic.case import BUILD, LogicTestCase
from tests.logic.case import _ask_server as ask_for_server

KEYS = NodeKeys.of("a key of the tests that nobody else has")
OTHER = evolve(world.TINY, id=UUID(int=0x1E, version=4), name="other")
SOURCE = Source(OTHER.id, "5e" * 32, 12_345, "qcow2")
SECRET = Secret("hunter2-very-secret", (File("/etc/x", "c2VjcmV0"),))
USER_DATA = base64.b64encode(b"more-very-secret").decode()
BUILT = evolve(BUILD, source=SOURCE, drive=True, os_parameters={"a": "b"})


def give(txn: Any, server: int, order: UUID) -> None:
    """Store what a guest is to be told, as the API does."""
    key = Key("mine", "ssh", "ssh-ed25519 AAAA me")
    guests.add(txn, KEYS.seal, server, [key], USER_DATA)
    guests.add_secret(txn, KEYS.seal, order, SECRET)


class GuestTestCase(LogicTestCase):
    """A test with nodes that are told what is for guests."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.database.run(images.add, OTHER)
        self.said: list[Any] = []
        globalLogPublisher.addObserver(self.said.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.said.append)

    def submit(
        self, *, nodes: Nodes | None = None, claimant: int = 1, **_more: Any
    ) -> Any:
        nodes = nodes or Nodes("http://api.test:8774", keys=KEYS)
        listener = Listener(reactor, self.dsn, None, claimant, lambda: submitter.wake())
        submitter = Submitter(
            reactor,
            self.database,
            self.new_connections(),
            Settings(poll_s=0.1, settle_s=0.1),
            Ganeti(shutdown_timeout_s=5),
            claimant,
            lambda: listener.alive,
            nodes,
        )
        layers = Layers()
        listener.setServiceParent(layers)
        submitter.setServiceParent(layers)
        return self.start(layers)

    async def told_server(self) -> int:
        """Ask for a server whose guest is to be told something."""

        def ask(txn: Any) -> int:
            server = ask_for_server(txn, BUILT, self.cluster.id)
            [order] = lives.load(txn, [server])[server].orders
            give(txn, server, order.id)
            return server

        # At once, as the API does: whoever takes the order finds all that is for it.
        return await self.database.run(ask)

    async def built(self) -> int:
        server = await self.told_server()
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        return server

    async def rebuild(self, server: int, start: bool = True) -> UUID:
        """Ask for a server to be rebuilt, as the API does."""
        reinstall = Reinstall(
            OTHER.id, "cyclades+default", SOURCE, True, {"a": "b"}, start
        )
        order = Order(uuid4(), server, Kind.REBUILD, reinstall=reinstall)

        def ask(txn: Any) -> None:
            before = lives.load(txn, [server])
            orders.add(txn, order, self.cluster.id, "req-3")
            give(txn, server, order.id)
            lives.save(txn, before, {server: with_order(before[server], order)})

        await self.database.run(ask)
        return order.id

    def machine(self, server: int) -> Any:
        return self.ganeti.machines.find(instance_name("snf", server))

    def assert_hidden(self) -> None:
        """No job, no order and no line of the log has a secret."""
        jobs = [job.file() for job in self.ganeti.queue.entries.values()]
        seen = orjson.dumps(jobs).decode() + repr(self.said)
        for secret in ("hunter2", "c2VjcmV0", USER_DATA, "more-very"):
            self.assertNotIn(secret, seen)

    def reinstalls(self, server: int) -> int:
        """Return how many jobs have reinstalled an instance."""
        return sum(
            op.input["OP_ID"] == "OP_INSTANCE_REINSTALL"
            for job in self.cluster.jobs("", server)
            for op in job.ops
        )

    async def image(self, server: int) -> UUID:
        [(image,)] = await self.rows(
            "SELECT image_id FROM server WHERE id = %s", server
        )
        return image


class CreateTests(GuestTestCase):
    """A build."""

    async def test_told(self) -> None:
        """The OS definition gets all of it, and nobody else gets the secrets."""
        self.dispatch()
        self.submit()
        server = await self.built()
        machine = self.machine(server)
        [given] = machine.installed
        told = orjson.loads(zlib.decompress(base64.b64decode(given["guest"])))
        self.assertEqual("hunter2-very-secret", told["admin_pass"])
        self.assertEqual(USER_DATA, told["user_data"])
        self.assertEqual(["mine"], [key["name"] for key in told["keys"]])
        self.assertEqual(1, len(told["interfaces"]))
        self.assertEqual(
            ("b", "web", str(OTHER.id), "qcow2", "12345"),
            tuple(
                given[name]
                for name in ("a", "hostname", "image_id", "image_format", "image_size")
            ),
        )
        self.assert_signed(given["image_url"], f"/node/v1/images/{SOURCE.sha256}")
        self.assertNotIn("guest", machine.osparams)
        self.assertNotIn("image_url", machine.osparams)
        self.assertEqual([1024, 16], [disk["size"] for disk in machine.disks])
        self.assert_hidden()
        self.assertEqual([], await self.rows("SELECT * FROM guest_secret"))

    def assert_signed(self, url: str, path: str) -> None:
        parts = urlsplit(url)
        self.assertEqual(("api.test:8774", path), (parts.netloc, parts.path))
        query = parse_qs(parts.query)
        now = reactor.seconds()
        [expires], [signature] = query["expires"], query["signature"]
        self.assertTrue(KEYS.signer.good("GET", path, expires, signature, now))

    async def test_shared(self) -> None:
        """Nodes that have the files themselves are given no URL."""
        self.dispatch()
        self.submit(nodes=Nodes("http://x", shared_images=True, keys=KEYS))
        server = await self.built()
        self.assertEqual("", self.machine(server).installed[0]["image_url"])

    async def test_lost_answer(self) -> None:
        """An answer that gets lost makes no second instance, and loses no secret."""
        self.ganeti.faults.next(Fault.LOSE, method="POST", part="/2/instances")
        self.dispatch()
        self.submit()
        server = await self.built()
        self.assertEqual(1, len(self.cluster.jobs("CREATE")))
        self.assertIn("guest", self.machine(server).installed[0])

    async def test_another_key(self) -> None:
        """With another key the build fails, and says which."""
        self.dispatch()
        for nodes in (Nodes("http://x", keys=NodeKeys.of("b" * 32)), Nodes("http://x")):
            layers = self.submit(nodes=nodes)
            server = await self.told_server()
            await self.rests(server)
            self.assertIs(Status.ERROR, await self.status(server))
            [(fault,)] = await self.rows(
                "SELECT fault FROM server WHERE id = %s", server
            )
            self.assertIn("[nodes] key_file", fault["message"])
            await layers.stopService()
        self.assertEqual([], self.cluster.jobs())


class RebuildTests(GuestTestCase):
    """A rebuild."""

    async def test_told(self) -> None:
        """The node is told where to ask, and the disk is of the new image."""
        self.dispatch()
        self.submit()
        server = await self.built()
        order = await self.rebuild(server)
        self.assertIs(Status.REBUILD, await self.status(server))
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual(OTHER.id, await self.image(server))
        given = self.machine(server).installed[-1]
        self.assertEqual(
            (str(order), "web", "b"), (given["order"], given["hostname"], given["a"])
        )
        self.assertIn(f"/node/v1/guest/{order}?", given["guest_url"])
        self.assertNotIn("guest", given)
        self.assert_hidden()
        self.assertEqual(
            [("create", "done"), ("rebuild", "done")], await self.states(server)
        )
        self.assertEqual([], await self.rows("SELECT * FROM guest_secret"))

    async def test_stopped(self) -> None:
        """One that was off is off afterwards."""
        self.dispatch()
        self.submit()
        server = await self.built()
        await self.ask(server, Kind.STOP)
        await self.rests(server)
        await self.rebuild(server, start=False)
        await self.rests(server)
        self.assertIs(Status.SHUTOFF, await self.status(server))
        self.assertFalse(self.machine(server).running)

    async def test_by_levelling_alone(self) -> None:
        """The same when no news of any job comes."""
        self.cluster.deaf = True
        self.submit()
        server = await self.told_server()

        await self.levelled(server, Status.ACTIVE)
        await self.rebuild(server)
        await self.levelled(server, Status.ACTIVE)
        self.assertEqual(OTHER.id, await self.image(server))
        self.assertEqual(1, self.reinstalls(server))

    async def test_fails(self) -> None:
        """A disk that is spoiled is an ERROR, which another rebuild heals."""
        self.dispatch()
        self.submit()
        server = await self.built()
        self.ganeti.spoil("OP_INSTANCE_REINSTALL", "OS create script failed: boom")
        await self.rebuild(server)
        await self.rests(server)
        self.assertIs(Status.ERROR, await self.status(server))
        [(fault,)] = await self.rows("SELECT fault FROM server WHERE id = %s", server)
        self.assertIn("boom", fault["message"])
        await self.rebuild(server)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))

    async def test_lost_answer(self) -> None:
        """An answer that gets lost has nothing done twice: the job is found."""
        self.dispatch()
        self.submit()
        server = await self.built()
        self.ganeti.faults.next(Fault.LOSE, part="reinstall")
        await self.rebuild(server)
        await self.rests(server)
        self.assertIs(Status.ACTIVE, await self.status(server))
        self.assertEqual(1, self.reinstalls(server))

    async def test_crash(self) -> None:
        """Who takes over from a dead one finds its job, or submits it: once."""
        self.dispatch()
        submitter = self.submit()
        server = await self.built()
        for claimant, submitted in enumerate((False, True), 10):
            await submitter.stopService()
            before = self.reinstalls(server)
            await self.rebuild(server)
            self.cluster.deaf = True
            [claim] = await self.database.run(
                orders.claim, 666, self.cluster.id, 8, 0.0
            )
            if submitted:
                rapi = self.connections.of(await self.row())
                name = instance_name("snf", server)
                await rapi.submit(request(claim.order, name, 5))
            self.cluster.deaf = False
            submitter = self.submit(claimant=claimant)
            await self.rests(server)
            self.assertIs(Status.ACTIVE, await self.status(server))
            self.assertEqual(before + 1, self.reinstalls(server))

    async def test_deleted_meanwhile(self) -> None:
        """A deletion at any moment of it ends it all, and nothing secret stays."""
        self.dispatch()
        self.submit()
        for moments in range(4):
            server = await self.built()
            await self.rebuild(server)
            for _ in range(moments):
                self.clock.advance(0.6)
            await self.ask(server, Kind.DELETE)
            await self.rests(server)
            self.assertIs(Status.DELETED, await self.status(server))
        self.assertEqual({}, self.ganeti.machines.by_name)
        for table in ("guest", "guest_secret"):
            self.assertEqual([], await self.rows(f"SELECT * FROM {table}"))
