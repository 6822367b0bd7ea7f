"""Consoles of a demo: its page in a browser, and a port for VNC viewers."""

import json
import socket
import urllib.request
from typing import Any
from uuid import uuid4

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.browser import chromium, pictures
from tests.clients.case import ClientTestCase


class ConsoleTests(ClientTestCase):
    """What somebody sees who has a console's URL."""

    def setUp(self) -> None:
        if not chromium.installed():
            raise SkipTest("chromium is not installed: run ./cloud test")
        super().setUp()

    async def test_looked_at(self) -> None:
        """A screen changes with a key, a serial line says again what is typed."""
        await deferToThread(self._looked_at)

    def _looked_at(self) -> None:
        client, name = self.openstack(), f"console-{uuid4().hex[:6]}"
        client(f"server create --flavor m1.small --image tiny --wait {name}")
        try:
            screen = client.json(f"console url show {name}")["url"]
            line = client.json(f"console url show --serial {name}")["url"]
            complaints = chromium.drive(self._screen, screen)
            complaints += chromium.drive(self._line, line.replace("ws", "http", 1))
            found = [one for one in complaints if not pictures.expected(one)]
            self.assertEqual([], found)
            self._viewer(client, name)
        finally:
            client(f"server delete {name}")

    def _screen(self, page: Any, url: str) -> None:
        page.goto(url)
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        pictures.written(page)
        pictures.still(page)
        page.keyboard.press("x")
        pictures.changed(page, 1000)

    def _line(self, page: Any, url: str) -> None:
        page.goto(url)
        page.get_by_role("status").filter(has_text="Connected").wait_for()
        page.keyboard.type("hello")
        page.get_by_text("hello").first.wait_for()

    def _viewer(self, client: Any, name: str) -> None:
        """Ask for a port as Synnefo's clients do, and come to it."""
        server = client.json(f"server show {name}")["id"]
        token = client("token issue -f value -c id").strip()
        request = urllib.request.Request(
            f"{self.root}/compute/v2/servers/{server}/action",
            json.dumps({"console": {"type": "vnc"}}).encode(),
            {"Content-Type": "application/json", "X-Auth-Token": token},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.assertEqual(200, answer.status)
            console = json.load(answer)["console"]
        self.assertEqual("vnc", console["type"])
        self.assertEqual(8, len(console["password"]))
        place = (console["host"], console["port"])
        with socket.create_connection(place, timeout=10) as viewer:
            self.assertEqual(b"RFB 003.008\n", viewer.recv(12, socket.MSG_WAITALL))
            viewer.sendall(b"RFB 003.008\n")
            # A password, and nothing else.
            self.assertEqual(b"\1\2", viewer.recv(2, socket.MSG_WAITALL))
