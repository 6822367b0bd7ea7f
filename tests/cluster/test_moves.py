"""From node to node, on a cluster that has two (``./cloud up --nodes 2``)."""

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.live.cloud import LiveTestCase, eventually

_SERVERS = "/compute/v2.1/servers"
_DAEMON = "/usr/lib/ganeti/daemon-util"


class MoveTests(LiveTestCase):
    """A real guest, moved by the real client ``openstack``."""

    timeout = 400

    def setUp(self) -> None:
        super().setUp()
        if getattr(self.cloud.instance, "node_count", 1) < 2:
            raise SkipTest("the cloud has one node: ./cloud up --nodes 2")

    async def place(self, server: str) -> str:
        """Return the node that a server is on."""
        name = f"snf-{await self.number(server)}"
        out = await self.inside("gnt-instance", "list", "--no-headers", "-opnode", name)
        return out.strip()

    async def test_moved(self) -> None:
        """A guest goes on while it is migrated live, and is started anew otherwise."""
        server = await self.made(image="tiny")
        await self.user.until(server, "ACTIVE")
        name = f"snf-{await self.number(server)}"
        await self.boots(name)
        first = await self.place(server)
        client = self.admin.openstack
        version = ("--os-compute-api-version", "2.96")
        await client(
            *version, "server", "migrate", "--live-migration", "--wait", server
        )
        second = await self.place(server)
        self.assertNotEqual(first, second)
        await self.user.until(server, "ACTIVE")

        await client(*version, "server", "migrate", "--host", first, "--wait", server)
        self.assertEqual(first, await self.place(server))
        await self.user.until(server, "ACTIVE")
        self.assertEqual("running", (await self.instances())[name])

        listed = await client(
            *(*version, "server", "migration", "list", "--server", server),
            *("-f", "json"),
        )
        self.assertEqual(
            [("migration", "confirmed"), ("live-migration", "completed")],
            [(one["Type"], one["Status"]) for one in listed],
        )

    async def test_stopped(self) -> None:
        """What is stopped is moved and stays so."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        await self.user.act(server, {"os-stop": None})
        await self.user.until(server, "SHUTOFF")
        before = await self.place(server)
        self.assertEqual(202, await self.admin.act(server, {"migrate": None}))
        await self.user.until(server, "SHUTOFF", 120)
        self.assertNotEqual(before, await self.place(server))

    async def test_evacuated(self) -> None:
        """From a node that is dead, and known to be, it is started on another."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        master = self.cloud.ganeti.master.node.name
        if await self.place(server) == master:
            self.assertEqual(202, await self.admin.act(server, {"migrate": None}))
            await self.user.until(server, "ACTIVE", 120)
            self.assertNotEqual(master, await self.place(server))
        [dead] = [
            machine
            for machine in self.cloud.ganeti.machines
            if machine.node.name == await self.place(server)
        ]
        name = f"snf-{await self.number(server)}"
        self.addCleanup(lambda: ensureDeferred(self._revive(dead, name)))
        await deferToThread(
            dead.namespace.run, "noded", [_DAEMON, "stop", "ganeti-noded"]
        )
        mark = ("gnt-node", "modify", "--offline=yes", "--force", dead.node.name)
        await self.inside(*mark)
        await self.user.until(server, "UNKNOWN", 120)
        self.assertEqual(409, await self.admin.act(server, {"migrate": None}))
        version = ("--os-compute-api-version", "2.96")
        client = self.admin.openstack
        # Its --wait never ends: it compares "active" with "ACTIVE".
        await client(*version, "server", "evacuate", server)
        await self.user.until(server, "ACTIVE", 120)
        self.assertEqual(master, await self.place(server))

    async def _revive(self, machine: Any, instance: str) -> None:
        # What it took for running is not there any more after a power cut.
        inside = machine.namespace.path(f"/run/ganeti/fake-hypervisor/{instance}")
        inside.unlink(missing_ok=True)
        await deferToThread(
            machine.namespace.run, "noded", [_DAEMON, "start", "ganeti-noded"]
        )
        mark = ("gnt-node", "modify", "--offline=no", "--force", machine.node.name)
        await self.inside(*mark)


class OneNodeTests(LiveTestCase):
    """What the admin actions come to on any cluster."""

    async def test_nowhere(self) -> None:
        """What Ganeti does not move stays as it was, and its owner sees why."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        body = {"os-migrateLive": {"host": "nosuch"}}
        body["os-migrateLive"] |= {"block_migration": False, "disk_over_commit": False}
        self.assertEqual(202, await self.admin.act(server, body))
        await self.user.until(server, "ACTIVE")
        path = f"{_SERVERS}/{server}/os-instance-actions"
        found = (await self.user.call("GET", path)).json["instanceActions"]
        self.assertEqual(
            ("live-migration", "Error"), (found[0]["action"], found[0]["message"])
        )
        path = f"{path}/{found[0]['request_id']}"
        [event] = (await self.admin.call("GET", path)).json["instanceAction"]["events"]
        self.assertEqual("Error", event["result"])
        number = await self.number(server)
        [(error,)] = self.query(
            "SELECT error FROM orders WHERE server_id = %s AND kind = 'live-migration'",
            number,
        )
        self.assertIn("nosuch", error)

    async def test_suspended(self) -> None:
        """It is stopped, and started by its owner only when it has been given back."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        self.assertEqual(202, await self.admin.act(server, {"SNF:suspend": None}))
        shown = await self.user.until(server, "SHUTOFF")
        self.assertIs(True, shown["suspended"])
        self.assertEqual(403, await self.user.act(server, {"os-start": None}))
        self.assertEqual(202, await self.admin.act(server, {"SNF:unsuspend": None}))
        self.assertEqual(202, await self.user.act(server, {"os-start": None}))
        await self.user.until(server, "ACTIVE")

    async def test_looked_at_anew(self) -> None:
        """A build that failed and left nothing is in ERROR again after a reset."""
        server = await self.made()
        await self.user.until(server, "ACTIVE")
        name = f"snf-{await self.number(server)}"
        self.query(
            'UPDATE server SET fault = \'{"message": "x", "time": 1, "code": 500}\''
            " WHERE uuid = %s",
            server,
        )
        await self.inside("gnt-instance", "shutdown", name)

        async def failed() -> bool:
            shown = await self.user.show(server)
            return shown is not None and shown["status"] == "ERROR"

        await eventually(failed, "the fault is shown", 90)
        client = self.admin.openstack
        words = ("--state", "active", "--auto-approve")
        await client("server", "set", *words, server)
        await self.user.until(server, "SHUTOFF", 90)
