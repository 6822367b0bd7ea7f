"""Ports that lead one viewer each to a screen."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.endpoints import TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import deferLater

from snf.console import des, frames
from snf.console.client import NotAnswered
from snf.console.requests import Kind
from tests.console.ends import End
from tests.console.proxy import PASSWORD, ProxyTestCase
from tests.console.test_frames import ASKED, sent


class LetInTests(ProxyTestCase):
    """Who is let in."""

    async def test_password(self) -> None:
        """Whoever knows the password has the screen, and what is said there."""
        viewer = await self.come(await self.forward())
        self.assertEqual(bytes(4), await self.let_in(viewer))
        viewer.send(b"\1hello")
        self.assertEqual(b"\1hello", await viewer.read(6))
        # Nothing of the handshake got there.
        self.assertEqual(b"\1hello", self.screens.all[0].got)

    async def test_ipv6(self) -> None:
        """By IPv6 as well."""
        endpoint = TCP6ClientEndpoint(reactor, "::1", await self.forward())
        viewer = await connectProtocol(endpoint, End())
        self.addCleanup(viewer.gone)
        self.addCleanup(viewer.leave)
        self.assertEqual(bytes(4), await self.let_in(viewer))

    async def test_wrong_password(self) -> None:
        """Whoever does not is told why, and there is no second attempt."""
        port = await self.forward()
        viewer = await self.come(port)
        result = await self.let_in(viewer, "another")
        self.assertEqual(b"\0\0\0\1", result)
        await viewer.gone()
        self.assertEqual(b"\0\0\0\x0ewrong password", viewer.got)
        await self.over()
        with self.assertRaises(ConnectionRefusedError):
            await self.come(port)
        self.assertEqual(b"", self.screens.all[0].got)

    async def test_eight_characters(self) -> None:
        """Of a password eight octets count, as VNC has it."""
        viewer = await self.come(await self.forward())
        self.assertEqual(bytes(4), await self.let_in(viewer, PASSWORD[:8]))

    async def test_one_viewer(self) -> None:
        """A second viewer finds nobody, while the first has not said a word."""
        port = await self.forward()
        first = await self.come(port)
        await first.read(12)
        with self.assertRaises(ConnectionRefusedError):
            await self.come(port)

    async def test_nothing_before(self) -> None:
        """Nothing that a viewer sends before he is let in gets to the screen."""
        viewer = await self.come(await self.forward())
        viewer.send(b"RFB 003.008\n\2" + bytes(16) + b"\1" + os.urandom(100_000))
        await viewer.gone()
        await self.over()
        self.assertEqual(b"", self.screens.all[0].got)


class WebSocketTests(ProxyTestCase):
    """Ports where WebSocket is spoken."""

    async def upgrade(self, port: int, **changed: str) -> End:
        """Return the end of a WebSocket."""
        viewer = await self.come(port)
        headers = {**ASKED, "sec-websocket-protocol": "binary", **changed}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        viewer.send(f"GET / HTTP/1.1\r\nHost: proxy\r\n{head}\r\n".encode())
        return viewer

    async def test_password(self) -> None:
        """The same handshake, in frames; the screen's end is told by 1001."""
        viewer = await self.upgrade(await self.forward(Kind.WEBSOCKET))
        await viewer.until(lambda: b"\r\n\r\n\x82\x0cRFB 003.008\n" in viewer.got)
        self.assertIn(b"Sec-WebSocket-Protocol: binary\r\n", viewer.got)
        viewer.got.clear()
        viewer.send(sent(b"RFB 003.008\n") + sent(b"\2"))
        got = await viewer.read(2 + 18)
        challenge = got[-16:]
        viewer.send(sent(des.response(PASSWORD.encode(), challenge)) + sent(b"\1"))
        self.assertEqual(b"\x82\x04" + bytes(4) + b"\x82\1\1", await viewer.read(9))
        self.screens.all[0].close("off")
        self.assertEqual(b"\x88", await viewer.read(1))
        await viewer.until(lambda: b"\x03\xe9the screen closed" in viewer.got)
        viewer.send(sent(b"", frames.CLOSE))
        await viewer.gone()

    async def test_no_websocket(self) -> None:
        """A browser that comes by plain HTTP is told what is spoken here."""
        viewer = await self.upgrade(await self.forward(Kind.WEBSOCKET), upgrade="no")
        await viewer.gone()
        self.assertTrue(viewer.got.startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))
        await self.over()

    async def test_endless_head(self) -> None:
        """A head that does not end is not kept."""
        viewer = await self.come(await self.forward(Kind.WEBSOCKET))
        viewer.send(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5000)
        await viewer.gone()
        await self.over()


class BadDayTests(ProxyTestCase):
    """What goes wrong."""

    viewer_s = 0.3
    handshake_s = 0.3

    async def test_nobody_comes(self) -> None:
        """A port that nobody comes to is closed, and so is the screen."""
        port = await self.forward()
        await self.over()
        with self.assertRaises(ConnectionRefusedError):
            await self.come(port)
        await deferLater(reactor, 0.05)
        self.assertIsNone(self.screens.all[0].transport)

    async def test_slow_viewer(self) -> None:
        """A viewer who sends a little now and then is not waited for."""
        for kind in (Kind.VNC, Kind.WEBSOCKET):
            viewer = await self.come(await self.forward(kind))
            for octet in b"RFB 003.008\n":
                if viewer.lost:
                    break
                viewer.send(bytes([octet]))
                await deferLater(reactor, 0.05)
            await viewer.gone()
            await self.over()

    async def test_screen_dies(self) -> None:
        """A screen that dies while it is looked at ends the viewer's connection."""
        viewer = await self.come(await self.forward())
        await self.let_in(viewer)
        viewer.send(b"\1")
        await viewer.read(1)
        self.screens.all[0].abort()
        await viewer.gone()
        await self.over()

    async def test_screen_gone_before(self) -> None:
        """One that has died before the viewer came, too."""
        port = await self.forward()
        self.screens.all[0].abort()
        viewer = await self.come(port)
        await self.let_in(viewer)
        await viewer.gone()

    async def test_exhausted(self) -> None:
        """When all ports are taken one is told so; given back, they are there again."""
        ports = {await self.forward() for _ in range(3)}
        self.assertEqual(3, len(ports))
        with self.assertRaises(NotAnswered) as caught:
            await self.forward()
        self.assertRegex(str(caught.exception), "no port from .* is free")
        await self.over()
        self.assertIn(await self.forward(), ports)

    async def test_busy(self) -> None:
        """A port that somebody else has is left out; asked for by number, refused."""
        with socket.create_server(("127.0.0.1", self.ports.first)):
            ports = {await self.forward() for _ in range(2)}
            self.assertNotIn(self.ports.first, ports)
            with self.assertRaises(NotAnswered) as caught:
                await self.forward(source_port=self.ports.first)
        self.assertIn("already in use", str(caught.exception))

    async def test_wanted(self) -> None:
        """A port that is asked for by its number is that one, once."""
        wanted = self.ports.last + 1
        self.assertEqual(wanted, await self.forward(source_port=wanted))
        with self.assertRaises(NotAnswered) as caught:
            await self.forward(source_port=wanted)
        self.assertIn(f"port {wanted} is taken", str(caught.exception))

    async def test_most(self) -> None:
        """There are never more than are allowed."""
        self.forwardings.settings = type(self.forwardings.settings)(most=1, viewer_s=1)
        await self.forward()
        with self.assertRaises(NotAnswered) as caught:
            await self.forward()
        self.assertIn("there are 1 forwardings already", str(caught.exception))

    async def test_unreachable(self) -> None:
        """A screen that cannot be had is refused with the reason, before any port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nowhere = free.getsockname()[1]
            with self.assertRaises(NotAnswered) as caught:
                await self.forward(destination_port=nowhere)
        self.assertIn("nobody listens there", str(caught.exception))
        self.assertEqual(0, self.forwardings.count)

    async def test_no_certificate(self) -> None:
        """Without a certificate there is no vnc-wss."""
        with self.assertRaises(NotAnswered) as caught:
            await self.forward(Kind.SECURE_WEBSOCKET)
        self.assertIn("needs a certificate", str(caught.exception))

    async def test_stopped(self) -> None:
        """When the service stops all of them end: waiting, shaking hands, and joined."""
        await self.forward()
        shaking = await self.come(await self.forward())
        joined = await self.come(await self.forward())
        await self.let_in(joined)
        await self.forwardings.stopService()
        await shaking.gone()
        await joined.gone()
        self.assertEqual(0, self.forwardings.count)
