"""What real guests say on their serial lines, by the API; and who types there."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from snf.allinone import daemons
from tests.live.cloud import LiveTestCase, eventually, serial


class SerialTests(LiveTestCase):
    """Serial lines."""

    timeout = 400

    async def log(self, server: str, **how: Any) -> str:
        """Return what a server has said."""
        path = f"/compute/v2.1/servers/{server}/action"
        reply = await self.user.call("POST", path, {"os-getConsoleOutput": how})
        self.assertEqual(200, reply.code, reply.json)
        return reply.json["output"]

    async def said(self, server: str, text: str, times: int = 1) -> str:
        """Return the log when a text is in it so often."""

        async def there() -> str | None:
            log = await self.log(server)
            return log if log.count(text) >= times else None

        return await eventually(there, f"{text!r} in the log", 90, every_s=0.5)

    def kept(self, name: str) -> list[Path]:
        """Return the files that nodes keep of a guest."""
        directories = self.cloud.layout.state.glob("serial*")
        return [path for one in directories for path in one.glob(f"{name}.log*")]

    async def test_log(self) -> None:
        """``openstack`` shows a guest's boot, from its kernel on, in all its life."""
        client = self.user.openstack
        name = f"log-{uuid4().hex[:6]}"
        made = await client(
            *("server", "create", "--flavor", "m1.tiny", "--image", "tiny"),
            *("--network", "default", "--wait", "-f", "json", name),
        )
        server = made["id"]
        self.addCleanup(lambda: ensureDeferred(self._cleaned(server)))
        said = await self.said(server, "READY")
        for word in ("USERLAND-UP", "NIC eth0", "ADDRESSES"):
            self.assertIn(word, said)
        self.assertNotIn("\r", said)
        shown = await client("console", "log", "show", server)
        self.assertIn("USERLAND-UP", shown)
        last = await client("console", "log", "show", "--lines", "1", server)
        self.assertEqual(1, len(last.strip().splitlines()))
        self.assertIn(last.strip(), shown)

        await self.user.act(server, {"reboot": {"type": "HARD"}})
        await self.said(server, "READY", 2)
        await self.user.until(server, "ACTIVE")
        await self.user.act(server, {"os-stop": None})
        await self.user.until(server, "SHUTOFF")
        self.assertEqual(2, (await self.log(server)).count("USERLAND-UP"))
        instance = f"snf-{await self.number(server)}"
        [kept] = self.kept(instance)
        self.assertEqual(
            (0, 0o600), (kept.parent.stat().st_uid, kept.stat().st_mode & 0o777)
        )
        await self.user.delete(server, 120)

        async def forgotten() -> bool:
            return not self.kept(instance)

        await eventually(forgotten, "the log is removed", 90)

    async def test_console(self) -> None:
        """What Ganeti gives an operator for a console types and hears, as ever."""
        server, name = await self.booted()
        word = uuid4().hex
        half = f"{word[:9]}''{word[9:]}"
        await serial(self.cloud, name, word, typed=f"\necho {half}\n")
        await self.said(server, word)

    async def test_daemon_restarted(self) -> None:
        """A guest is listened to again when its node's daemon is back; without, a 503."""
        server, name = await self.booted()
        before = await self.log(server)
        for machine in self.cloud.ganeti.machines:
            await deferToThread(daemons.noded(self.cloud.layout, machine).stop)
        path = f"/compute/v2.1/servers/{server}/action"
        reply = await self.user.call("POST", path, {"os-getConsoleOutput": {}})
        self.assertEqual(503, reply.code, reply.json)
        self.assertIn("snf-noded", reply.json["serviceUnavailable"]["message"])
        await self.restart_daemons()
        word = uuid4().hex
        half = f"{word[:9]}''{word[9:]}"
        await serial(self.cloud, name, word, typed=f"\necho {half}\n")
        self.assertTrue((await self.said(server, word)).startswith(before))

    async def test_migrated(self) -> None:
        """After a live migration the log is the new node's, from then on."""
        if getattr(self.cloud.instance, "node_count", 1) < 2:
            raise SkipTest("the cloud has one node: ./cloud up --nodes 2")
        server, name = await self.booted()
        await self.said(server, "READY")
        version = ("--os-compute-api-version", "2.96")
        move = ("server", "migrate", "--live-migration", "--wait", server)
        await self.admin.openstack(*version, *move)
        word = uuid4().hex
        half = f"{word[:9]}''{word[9:]}"
        await serial(self.cloud, name, word, typed=f"\necho {half}\n")
        self.assertNotIn("USERLAND-UP", await self.said(server, word))
