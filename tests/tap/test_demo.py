"""The demo: a whole cloud in one process, over a simulated Ganeti."""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool

from snf.config import (
    Api,
    Broker,
    ConfigError,
    Database,
    Demo,
    Reconciler,
    Simulation,
    Submitter,
    load,
)
from snf.storage.database import connect
from snf.tap.demo import assemble_demo
from snf.tap.secrets import Secrets
from snf.testing import world
from snf.testing.postgres import fresh_dsn

_LONGEST_S = 60.0
_ANYWHERE = {"host": None, "block_migration": False, "disk_over_commit": False}


def free_port() -> int:
    """Return a TCP port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DemoTests(TestCase):
    """What users of the demo see."""

    timeout = 120

    def setUp(self) -> Any:
        self.dsn = fresh_dsn(self)
        password = Path(self.mktemp())
        password.write_text("secret\n")
        self.execute(world.make)
        self.execute(
            lambda txn: txn.execute(
                "UPDATE cluster SET password_file = %s", (os.fspath(password),)
            )
        )
        self.port = free_port()
        self.pool = HTTPConnectionPool(reactor, persistent=False)
        self.http = HTTPClient(Agent(reactor, pool=self.pool))
        self.addCleanup(self.pool.closeCachedConnections)
        self.token = ""
        self.demo: Any = None
        self.addCleanup(self.down)
        return Deferred.fromCoroutine(self.up())

    def execute(self, function: Callable[[Any], Any]) -> Any:
        connection = connect(self.dsn, None)
        try:
            with connection, connection.cursor() as txn:
                return function(txn)
        finally:
            connection.close()

    def settings(self, **simulation: Any) -> Demo:
        times = dict.fromkeys(
            ("create_s", "start_s", "stop_s", "reboot_s", "delete_s"), 0.1
        )
        return Demo(
            database=Database(self.dsn, threads=4),
            broker=Broker("memory:"),
            api=Api(
                listen=f"tcp:{self.port}:interface=127.0.0.1",
                public_url=f"http://127.0.0.1:{self.port}",
            ),
            submitter=Submitter(poll_s=0.2, settle_s=0.1),
            reconciler=Reconciler(interval_s=1),
            simulation=Simulation(
                cluster=world.CLUSTER.name, **{**times, **simulation}
            ),
        )

    async def up(self, **simulation: Any) -> None:
        self.demo = assemble_demo(reactor, self.settings(**simulation), Secrets())
        self.demo.startService()
        await self.until(self.log_in)

    async def down(self) -> None:
        demo, self.demo = self.demo, None
        if demo is not None:
            await demo.stopService()

    async def until(self, happened: Callable[[], Awaitable[Any]]) -> Any:
        """Return what is true at last."""
        waited = 0.0
        while waited < _LONGEST_S:
            answer = await happened()
            if answer:
                return answer
            await deferLater(reactor, 0.05)
            waited += 0.05
        raise AssertionError("it has not happened")

    async def log_in(self, name: str = world.ALICE.name) -> bool:
        user = {
            "name": name,
            "password": world.PASSWORD,
            "domain": {"id": "default"},
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        try:
            response = await self.http.post(
                f"http://127.0.0.1:{self.port}/identity/v3/auth/tokens",
                json={"auth": {"identity": identity}},
            )
            await response.content()
        except Exception:
            return False  # it does not listen yet
        self.token = response.headers.getRawHeaders("X-Subject-Token", [""])[0]
        return response.code == 201

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = await self.http.request(
            method,
            f"http://127.0.0.1:{self.port}/compute/v2.1{path}",
            json=body,
            headers={"X-Auth-Token": self.token},
        )
        text = await response.content()
        return response.code, (await response.json()) if text else None

    async def create(self, name: str = "web") -> str:
        code, answer = await self.call(
            "POST",
            "/servers",
            {
                "server": {
                    "name": name,
                    "flavorRef": str(world.SMALL.id),
                    "imageRef": str(world.TINY.id),
                }
            },
        )
        self.assertEqual(202, code, answer)
        return answer["server"]["id"]

    async def act(self, server: str, action: str, argument: Any = None) -> None:
        code, answer = await self.call(
            "POST", f"/servers/{server}/action", {action: argument}
        )
        self.assertEqual(202, code, answer)

    async def status(self, server: str) -> str | None:
        code, answer = await self.call("GET", f"/servers/{server}")
        return None if code == 404 else answer["server"]["status"]

    async def rests_in(self, server: str, wanted: str | None) -> None:
        """Wait until it shows a status and nothing is under way with it."""

        async def rests() -> bool:
            code, answer = await self.call("GET", f"/servers/{server}")
            if code == 404:
                return wanted is None
            shown = answer["server"]
            self.assertNotEqual("ERROR", shown["status"], shown.get("fault"))
            return (wanted, None) == (
                shown["status"],
                shown["OS-EXT-STS:task_state"],
            )

        await self.until(rests)

    async def test_life(self) -> None:
        """A server builds, runs, stops, starts, reboots either way, and goes."""
        server = await self.create()
        self.assertEqual("BUILD", await self.status(server))
        await self.rests_in(server, "ACTIVE")
        for action, argument, status in (
            ("os-stop", None, "SHUTOFF"),
            ("os-start", None, "ACTIVE"),
            ("reboot", {"type": "SOFT"}, "ACTIVE"),
            ("reboot", {"type": "HARD"}, "ACTIVE"),
        ):
            await self.act(server, action, argument)
            await self.rests_in(server, status)
        code, _ = await self.call("DELETE", f"/servers/{server}")
        self.assertEqual(204, code)
        await self.rests_in(server, None)

    async def test_interfaces(self) -> None:
        """What the hook tells of a new server's interfaces arrives as well."""
        server = await self.create()
        await self.rests_in(server, "ACTIVE")

        async def states() -> bool:
            return self.execute(
                lambda txn: (
                    txn.execute("SELECT state FROM port"),
                    txn.fetchall() == [("ACTIVE",)],
                )[1]
            )

        await self.until(states)

    async def test_deleted_while_building(self) -> None:
        """A server that is deleted while it builds goes, and never shows ERROR."""
        await self.down()
        await self.up(create_s=1.0)
        servers = [await self.create() for _ in range(3)]

        async def submitted() -> bool:
            return bool(
                self.execute(
                    lambda txn: (
                        txn.execute("SELECT FROM orders WHERE state = 'submitted'"),
                        txn.rowcount,
                    )[1]
                )
            )

        await self.call("DELETE", f"/servers/{servers[0]}")
        await self.until(submitted)
        await self.call("DELETE", f"/servers/{servers[1]}")
        await deferLater(reactor, 0.5)
        await self.call("DELETE", f"/servers/{servers[2]}")
        for server in servers:
            await self.rests_in(server, None)
        self.assertEqual({}, self.instances())

    def instances(self) -> Any:
        [*_, simulation] = self.demo
        return simulation.ganeti.machines.by_name

    async def test_moved(self) -> None:
        """A server is taken to the cluster's other node and back, in either way."""
        self.execute(
            lambda txn: txn.execute("UPDATE flavor SET disk_template = 'sharedfile'")
        )
        server = await self.create()
        await self.rests_in(server, "ACTIVE")
        [machine] = self.instances().values()
        first = machine.pnode
        self.assertTrue(await self.log_in(world.ADMIN.name))
        await self.act(server, "os-migrateLive", _ANYWHERE)
        await self.rests_in(server, "ACTIVE")
        self.assertNotEqual(first, machine.pnode)
        await self.act(server, "migrate")
        await self.rests_in(server, "ACTIVE")
        self.assertEqual(first, machine.pnode)

    async def test_restart(self) -> None:
        """After a restart the servers are there as they were, and can be acted on."""
        running, stopped, gone = [await self.create() for _ in range(3)]
        for server in (running, stopped, gone):
            await self.rests_in(server, "ACTIVE")
        await self.act(stopped, "os-stop")
        await self.rests_in(stopped, "SHUTOFF")
        await self.call("DELETE", f"/servers/{gone}")
        await self.rests_in(gone, None)
        last = self.last_job()
        await self.down()
        await self.up()
        self.assertEqual(2, len(self.instances()))
        await deferLater(reactor, 2.5)  # two levellings
        self.assertEqual("ACTIVE", await self.status(running))
        self.assertEqual("SHUTOFF", await self.status(stopped))
        self.assertIsNone(await self.status(gone))
        await self.act(stopped, "os-start")
        await self.rests_in(stopped, "ACTIVE")
        self.assertGreater(self.last_job(), last)
        await self.call("DELETE", f"/servers/{running}")
        await self.rests_in(running, None)

    def last_job(self) -> int:
        return self.execute(
            lambda txn: (txn.execute("SELECT last_job FROM cluster"), txn.fetchone())[1]
        )[0]

    async def test_restart_under_way(self) -> None:
        """What jobs were at work on when it stopped is as if they had ended."""
        stopping, deleting = [await self.create() for _ in range(2)]
        for server in (stopping, deleting):
            await self.rests_in(server, "ACTIVE")
        await self.down()
        await self.up(create_s=30, stop_s=30, delete_s=30)
        building = await self.create()
        await self.act(stopping, "os-stop")
        await self.call("DELETE", f"/servers/{deleting}")

        async def submitted() -> bool:
            return self.execute(
                lambda txn: (
                    txn.execute("SELECT FROM orders WHERE state = 'submitted'"),
                    txn.rowcount == 3,
                )[1]
            )

        await self.until(submitted)
        await self.down()
        await self.up()
        await self.rests_in(building, "ACTIVE")
        await self.rests_in(stopping, "SHUTOFF")
        await self.rests_in(deleting, None)

    async def test_many(self) -> None:
        """Fifty servers that are asked for at once all run at the end."""
        servers = await gatherResults(
            [Deferred.fromCoroutine(self.create(f"web-{n}")) for n in range(50)]
        )
        for server in servers:
            await self.rests_in(server, "ACTIVE")
        self.assertEqual(50, len(self.instances()))


class SettingsTests(SynchronousTestCase):
    """``[simulation]``."""

    def load(self, text: str) -> Demo:
        path = Path(self.mktemp())
        path.write_text(
            '[database]\ndsn = "dbname=x"\n[broker]\nurl = "memory:"\n' + text
        )
        return load(path, Demo)

    def test_optional(self) -> None:
        """A file of Cyclades will do."""
        self.assertEqual(Simulation(), self.load("").simulation)

    def test_given(self) -> None:
        """Its keys are the port, the cluster and how long jobs take."""
        simulation = self.load("[simulation]\nport = 5080\ncreate_s = 1").simulation
        self.assertEqual(Simulation(port=5080, create_s=1.0), simulation)

    def test_wrong(self) -> None:
        """What makes no sense is named."""
        for text in ("port = 70000", "stop_s = -1", "nodes = 0", "masters = 2"):
            with self.assertRaises(ConfigError) as caught:
                self.load(f"[simulation]\n{text}")
            self.assertIn(text.split()[0], str(caught.exception))
