"""Viewers that others wrote at the screens of real guests, by Synnefo's console action."""

from pathlib import Path

from PIL import Image, ImageChops
from twisted.internet.threads import deferToThread

from tests.console import viewers
from tests.live.screens import PASSWORD, ScreenTestCase

# A cursor that blinks, and what a viewer makes of colors, are less than this.
_FEW = 200
# What the command writes: twenty lines of seven digits.
_COMMAND = "seq 1000001 1000020"


class NativeViewerTests(ScreenTestCase):
    """A guest's screen through a port of vncauthproxy's, with its one-time password."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    async def forwarded(self, server: str) -> tuple[int, str]:
        """Return a port that leads to a screen, and the password for it."""
        path = f"/compute/v2.1/servers/{server}/action"
        reply = await self.user.call("POST", path, {"console": {"type": "vnc"}})
        self.assertEqual(200, reply.code, reply.json)
        console = reply.json["console"]
        self.assertEqual("vnc", console["type"])
        return int(console["port"]), console["password"]

    def different(self, one: str, other: str) -> int:
        """Return how many pixels of two pictures differ."""
        with (
            Image.open(self.folder / one) as first,
            Image.open(self.folder / other) as second,
        ):
            self.assertEqual(first.size, second.size)
            apart = ImageChops.difference(first.convert("L"), second.convert("L"))
        return sum(apart.histogram()[32:])

    async def test_typed(self) -> None:
        """Who logs in there and types a command sees what it writes; both viewers do."""
        server = await self.machine()
        words = []
        for typed in ("root", PASSWORD, "clear"):
            words += ["type", typed, "key", "enter", "pause", "3"]
        words += ["capture", "before.png", "type", _COMMAND, "key", "enter"]
        words += ["pause", "3", "capture", "after.png"]
        for _ in range(3):
            # On a busy machine the guest may not have listened yet: once more.
            port, password = await self.forwarded(server)
            ended = await viewers.vncdo(
                self.folder, port, password, *words, longest_s=100
            )
            self.assertEqual(0, ended)
            if await deferToThread(self.different, "before.png", "after.png") > _FEW:
                break
        else:
            self.fail("what was typed is not seen")

        port, password = await self.forwarded(server)
        picture = "other.png"
        self.assertEqual(
            0, await viewers.gvnccapture(self.folder, port, password, picture)
        )
        apart = await deferToThread(self.different, "after.png", picture)
        self.assertLess(apart, _FEW)

    async def test_password(self) -> None:
        """One viewer is let in, once, and none with another password."""
        server, _ = await self.booted()
        port, password = await self.forwarded(server)
        wrong = await viewers.gvnccapture(self.folder, port, "wrong", "none.png")
        self.assertNotEqual(0, wrong)
        late = await viewers.gvnccapture(self.folder, port, password, "none.png")
        self.assertNotEqual(0, late)
        self.assertFalse((self.folder / "none.png").exists())
