"""Consoles of guests on the real cluster: through the API, to the screen and back."""

from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.browser import chromium, pictures
from tests.live.cloud import LiveTestCase, serial

_PASSWORD = "Guest-7-password"


class ScreenTests(LiveTestCase):
    """A guest's screen, in a browser."""

    timeout = 400

    def setUp(self) -> None:
        if not chromium.installed():
            raise SkipTest("chromium is not installed: run ./cloud test")
        super().setUp()

    async def machine(self) -> str:
        """Return a guest that waits for somebody to log in."""
        wanted = await self.user.ids("m1.small", "tiny-disk")
        body = {"name": "screen", "adminPass": _PASSWORD, **wanted}
        reply = await self.user.call("POST", "/compute/v2.1/servers", {"server": body})
        self.assertEqual(202, reply.code, reply.json)
        server = reply.json["server"]["id"]
        self.later(self._cleaned, server)
        await serial(self.cloud, f"snf-{await self.number(server)}", "READY", 120)
        await self.user.until(server, "ACTIVE")
        return server

    async def test_typed(self) -> None:
        """Who logs in there and types a command sees what it writes."""
        server = await self.machine()
        said = await self.user.openstack("console", "url", "show", server, "-f", "json")
        complaints = await deferToThread(chromium.drive, self._type, said["url"])
        self.assertEqual([], [one for one in complaints if not pictures.expected(one)])

    def _type(self, page: Any, url: str) -> None:
        page.goto(url)
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        page.get_by_role("heading", name="screen", level=1).wait_for()
        pictures.written(page, 50)
        for typed in ("root\n", f"{_PASSWORD}\n", "clear\n"):
            pictures.still(page)
            self._paste(page, typed)
        pictures.still(page)
        # What is typed is one line of it; what the command writes are twenty.
        self._paste(page, "seq 1000001 1000020\n")
        pictures.changed(page, 20 * pictures.CURSOR)

    def _paste(self, page: Any, typed: str) -> None:
        page.get_by_role("button", name="Paste").click()
        page.get_by_label("Text, typed").fill(typed)
        page.get_by_role("button", name="Type it").click()
        page.get_by_role("status").get_by_text("Connected").wait_for()

    async def test_stopped(self) -> None:
        """With the machine its screen ends, and the right to look at it."""
        server, _ = await self.booted()
        said = await self.user.openstack("console", "url", "show", server, "-f", "json")
        stop = {"os-stop": None}

        async def stopped() -> None:
            self.assertEqual(202, await self.user.act(server, stop))

        await deferToThread(chromium.drive, self._stop, said["url"], stopped)
        await self.user.until(server, "SHUTOFF")
        path = f"/compute/v2.1/servers/{server}/action"
        asked = {"os-getVNCConsole": {"type": "novnc"}}
        self.assertEqual(409, (await self.user.call("POST", path, asked)).code)
        left = self.query(
            "SELECT count(*) FROM console_token t JOIN server s ON s.id = t.server_id"
            " WHERE s.uuid = %s",
            server,
        )
        self.assertEqual([(0,)], left)

    def _stop(self, page: Any, url: str, stop: Any) -> None:
        from twisted.internet import reactor
        from twisted.internet.defer import ensureDeferred
        from twisted.internet.threads import blockingCallFromThread

        page.goto(url)
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        blockingCallFromThread(reactor, lambda: ensureDeferred(stop()))
        ended = page.get_by_role("alert").filter(has_text="The connection has ended")
        ended.wait_for(timeout=150_000)
