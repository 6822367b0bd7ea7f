"""Consoles of guests on the real cluster: through the API, to the screen and back."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import SkipTest

from tests.browser import chromium, pictures
from tests.live.cloud import serial
from tests.live.screens import PASSWORD, ScreenTestCase


class ScreenTests(ScreenTestCase):
    """A guest's screen, in a browser."""

    def setUp(self) -> None:
        if not chromium.installed():
            raise SkipTest("chromium is not installed: run ./cloud test")
        super().setUp()

    async def url(self, server: str, *options: str) -> str:
        """Return the URL of a new console, by the real client."""
        words = ("console", "url", "show", *options, server, "-f", "json")
        return (await self.user.openstack(*words))["url"]

    async def drive(self, journey: Callable[..., None], *args: Any) -> None:
        """Have a journey be made in the browser, without a complaint of its."""
        complaints = await deferToThread(chromium.drive, journey, *args)
        self.assertEqual([], [one for one in complaints if not pictures.expected(one)])

    def connected(self, page: Any) -> None:
        """Wait until the page is."""
        page.get_by_role("status").filter(has_text="Connected").wait_for()

    async def test_typed(self) -> None:
        """Who logs in there and types a command sees what it writes."""
        server = await self.machine()
        await self.drive(self._type, await self.url(server))

    def _type(self, page: Any, url: str) -> None:
        page.goto(url)
        self.connected(page)
        page.get_by_role("heading", name="screen", level=1).wait_for()
        pictures.written(page, 50)
        for typed in ("root\n", f"{PASSWORD}\n", "clear\n"):
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
        stop = {"os-stop": None}

        async def stopped() -> None:
            self.assertEqual(202, await self.user.act(server, stop))

        await self.drive(self._stop, await self.url(server), stopped)
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
        page.goto(url)
        self.connected(page)
        blockingCallFromThread(reactor, lambda: ensureDeferred(stop()))
        ended = page.get_by_role("alert").filter(has_text="The connection has ended")
        ended.wait_for(timeout=150_000)

    async def test_moved(self) -> None:
        """A guest that is moved to another node is seen there, without a new URL."""
        if len(self.cloud.ganeti.machines) < 2:
            raise SkipTest("this cloud has one node: ./cloud up --nodes 2")
        server, name = await self.booted()

        async def moved() -> None:
            await self.inside("gnt-instance", "migrate", "-f", name)

        await self.drive(self._move, await self.url(server), moved)

    def _move(self, page: Any, url: str, move: Any) -> None:
        page.goto(url)
        self.connected(page)
        blockingCallFromThread(reactor, lambda: ensureDeferred(move()))
        page.get_by_role("alert").filter(has_text="The connection has ended").wait_for()
        page.keyboard.press("Enter")
        self.connected(page)

    async def test_line(self) -> None:
        """The shell on a guest's serial line does what is typed."""
        server, _ = await self.booted()
        url = await self.url(server, "--serial")
        await self.drive(self._line, url.replace("ws", "http", 1))

    def _line(self, page: Any, url: str) -> None:
        page.goto(url)
        self.connected(page)
        page.keyboard.type("echo $((6 * 7))answers\n")
        page.get_by_text("42answers").first.wait_for()

    async def test_guests_do_not(self) -> None:
        """No guest reaches a screen, though the nodes' VNC servers listen everywhere."""
        _, name = await self.booted()
        ports = await self.inside(
            "gnt-instance", "list", "--no-headers", "-onetwork_port", name
        )
        for machine in self.cloud.ganeti.machines:
            place = f"{machine.node.address} {ports.strip()}"
            typed = f"nc -w 3 {place} </dev/null >/tmp/seen; echo seen=$(wc -c </tmp/seen)\n"
            said = await serial(self.cloud, name, "seen=0", 60, typed)
            self.assertNotIn("not found", said)
