"""Viewers that others wrote, through a port, at the screen of a real QEMU."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.console import viewers
from tests.console.proxy import PASSWORD, ProxyTestCase
from tests.console.qemu import Qemu, qemu

_PNG = b"\x89PNG"


class ViewerTests(ProxyTestCase):
    """Its monitor is the screen: what is typed is seen there, though nothing runs."""

    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        made = qemu("", "-monitor", "vc", vga="none")
        self.screen: Qemu = made.__enter__()
        self.addCleanup(made.__exit__, None, None, None)
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    async def port(self) -> int:
        """Return one that leads to the screen."""
        return await self.forward(destination_port=self.screen.port)

    def picture(self, name: str) -> bytes:
        """Return what is in a file with a picture."""
        data = (self.folder / name).read_bytes()
        self.assertTrue(data.startswith(_PNG))
        return data

    async def vncdo(self, *does: str, password: str = PASSWORD) -> int:
        """Have vncdotool do something; return with what it ended."""
        port = await self.port()
        return await viewers.vncdo(self.folder, port, password, *does)

    async def capture(self, name: str, password: str = PASSWORD) -> int:
        """Have gvnccapture take a picture; return with what it ended."""
        port = await self.port()
        return await viewers.gvnccapture(self.folder, port, password, name)

    async def test_vncdotool(self) -> None:
        """It takes a picture, types, and the next picture is another one."""
        typing = ("type", "hello", "pause", "0.5", "capture", "after.png")
        self.assertEqual(0, await self.vncdo("capture", "before.png", *typing))
        self.assertNotEqual(self.picture("before.png"), self.picture("after.png"))

    async def test_gvnccapture(self) -> None:
        """It takes the same picture twice, and another one when keys were pressed."""
        for name in ("one.png", "two.png"):
            self.assertEqual(0, await self.capture(name))
        self.assertEqual(self.picture("one.png"), self.picture("two.png"))
        self.assertEqual(0, await self.vncdo("type", "hello", "pause", "0.5"))
        self.assertEqual(0, await self.capture("three.png"))
        self.assertNotEqual(self.picture("one.png"), self.picture("three.png"))

    async def test_wrong_password(self) -> None:
        """Neither has a picture without the password."""
        for viewer in (
            self.vncdo("capture", "none.png", password="wrong"),
            self.capture("none.png", password="wrong"),
        ):
            self.assertNotEqual(0, await viewer)
        self.assertFalse((self.folder / "none.png").exists())

    async def test_screen_dies(self) -> None:
        """A viewer whose QEMU dies is not left hanging."""
        watching = self.vncdo(
            "pause", "1", "capture", "one.png", "expect", "x.png", "0"
        )
        viewer = Deferred.fromCoroutine(watching)
        while not any(self.forwardings._open):
            await deferToThread(lambda: None)
        await deferToThread(self.screen.kill)
        self.assertNotEqual(0, await viewer)
        await self.over()
