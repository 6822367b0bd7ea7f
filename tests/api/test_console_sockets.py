"""Consoles over WebSockets, on the API's own origin: over real connections."""

import json
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from snf.api.console.doors import Doors
from snf.api.console.open import Opened
from snf.api.console.rights import REFUSED, Rights
from snf.console import frames
from snf.console.peer import Peer
from snf.core.console import Terms
from snf.core.errors import Unavailable
from snf.core.server import Life, Observed
from snf.testing.world import ADMIN, ALICE
from tests.api.case import ROOT, UI, Reply
from tests.api.test_consoles import ConsoleTestCase, token_of
from tests.console.ends import End, joined
from tests.console.test_frames import sent

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_ASKED = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": _KEY,
}
_BINARY = {"Sec-WebSocket-Protocol": "binary"}
_GREETING = b"RFB 003.008\n"


@define(slots=False)
class _Ends:
    """The nodes' ends, which the test has in its hands."""

    case: TestCase
    far: list[End] = field(factory=list)
    away: bool = False

    async def screen(self, cluster: int, server: int) -> Peer:
        if self.away:
            raise Unavailable("The server's screen is out of reach")
        peer, end = await joined(self.case)
        self.far.append(end)
        return peer

    async def serial(self, cluster: int, server: int) -> Peer:
        return await self.screen(cluster, server)


class SocketTestCase(ConsoleTestCase, TestCase):
    """A test with a site that listens, and a server that runs."""

    timeout = 60

    def doors(self) -> Doors:
        self.ends = _Ends(self)
        rights = Rights(
            self.clock,
            self.database,  # type: ignore[arg-type]
            Terms(token_lifetime_s=600, reconnect_s=300),
            self._new_token,
        )
        self.opened = Opened(self.clock, rights, most=2)
        return Doors(rights, self.opened, self.ends, UI, frozenset({"https://ui.test"}))

    def setUp(self) -> None:
        super().setUp()
        self.opened.startService()
        self.addCleanup(lambda: self.opened.running and self.opened.stopService())
        port: Any = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def url(self, kind: str) -> str:
        """Return the path and query of a new console's URL."""
        protocol = "vnc" if kind == "novnc" else "serial"
        url = urlsplit(self.remote(protocol, kind).json["remote_console"]["url"])
        return f"{url.path}?{url.query}"

    async def ask(
        self, path: str, headers: Any = (), early: bytes = b"", version: str = "1.1"
    ) -> End:
        """Return a connection on which a WebSocket has been asked for."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        end = await connectProtocol(endpoint, End())
        self.addCleanup(end.gone)
        self.addCleanup(end.transport.abortConnection)
        given = {"Host": "cloud.test:8774", **_ASKED, **dict(headers)}
        lines = [f"GET {path} HTTP/{version}"]
        lines += [f"{name}: {value}" for name, value in given.items() if value]
        end.send("\r\n".join([*lines, "", ""]).encode() + early)
        return end

    async def head(self, end: End) -> tuple[int, str]:
        """Return the status of an answer, and its headers."""
        await end.until(lambda: b"\r\n\r\n" in end.got or end.lost)
        head, _, rest = bytes(end.got).partition(b"\r\n\r\n")
        end.got[:] = rest
        return int(head.split()[1]), head.decode()

    async def open(self, path: str, headers: Any = ()) -> End:
        """Return a WebSocket."""
        end = await self.ask(path, headers)
        self.assertEqual(101, (await self.head(end))[0], end.got)
        return end

    async def refused(self, path: str, code: int, headers: Any = ()) -> str:
        """Return why a WebSocket is refused."""
        end = await self.ask(path, {"Connection": "Upgrade, close", **dict(headers)})
        found, head = await self.head(end)
        self.assertEqual(code, found, head)
        size = int(head.lower().split("content-length: ")[1].split()[0])
        return json.loads(await end.read(size))["error"]["message"]

    async def frame(self, end: End) -> tuple[int, bytes]:
        """Return a short frame that the server sends."""
        head = await end.read(2)
        return head[0] & 0xF, await end.read(head[1])

    async def come(self, count: int) -> End:
        """Return the node's end of the newest console, once there are so many."""
        while len(self.ends.far) < count:
            await self.pause()
        return self.ends.far[-1]

    async def pause(self) -> None:
        """Let the reactor do what it has to."""
        await deferLater(reactor, 0.01)

    def session(self, kind: str = "serial") -> Reply:
        """Redeem a new token as the page does."""
        return self.redeem(token_of(self.url(kind)), kind)

    def redeem(self, token: str, kind: str) -> Reply:
        """Redeem a token as the page does."""
        body = {"session": {"token": token, "type": kind}}
        return self.call("POST", "/console/sessions", body)


def cookie_of(reply: Reply) -> str:
    """Return what a browser sends back."""
    return (reply.header("Set-Cookie") or "").partition(";")[0]


class TokenTests(SocketTestCase):
    """A console's URL as a WebSocket."""

    async def test_serial(self) -> None:
        """Bytes go both ways, also those that come right behind the request."""
        end = await self.ask(self.url("serial"), _BINARY, early=sent(b"early"))
        code, head = await self.head(end)
        self.assertEqual(101, code)
        self.assertIn("Sec-WebSocket-Protocol: binary", head)
        self.assertNotIn("Extensions", head)
        far = await self.come(1)
        self.assertEqual(b"early", await far.read(5))
        far.send(b"login: ")
        self.assertEqual((frames.BINARY, b"login: "), await self.frame(end))
        end.send(sent(b"root"))
        self.assertEqual(b"root", await far.read(4))

    async def test_without_subprotocol(self) -> None:
        """Who asks for no subprotocol gets none; another one is refused."""
        end = await self.ask(self.url("serial"))
        code, head = await self.head(end)
        self.assertEqual(101, code)
        self.assertNotIn("Sec-WebSocket-Protocol", head)
        other = {"Sec-WebSocket-Protocol": "base64"}
        self.assertIn("binary", await self.refused(self.url("serial"), 400, other))

    async def test_screen(self) -> None:
        """A viewer is let in without a password, and then sees the guest's screen."""
        end = await self.open(self.url("novnc"), _BINARY)
        self.assertEqual((frames.BINARY, _GREETING), await self.frame(end))
        end.send(sent(_GREETING))
        self.assertEqual((frames.BINARY, b"\1\1"), await self.frame(end))
        end.send(sent(b"\1"))
        self.assertEqual((frames.BINARY, bytes(4)), await self.frame(end))
        end.send(sent(b"\1"))
        far = await self.come(1)
        self.assertEqual(b"\1", await far.read(1))
        far.send(b"screen")
        self.assertEqual((frames.BINARY, b"screen"), await self.frame(end))

    async def test_out_of_reach(self) -> None:
        """A viewer is told in RFB's own way why there is no screen."""
        self.ends.away = True
        end = await self.open(self.url("novnc"), _BINARY)
        self.assertEqual((frames.BINARY, _GREETING), await self.frame(end))
        end.send(sent(_GREETING))
        _, said = await self.frame(end)
        self.assertEqual(b"\0", said[:1])
        self.assertIn(b"out of reach", said)
        self.assertEqual(frames.CLOSE, (await self.frame(end))[0])

    async def test_no_line(self) -> None:
        """Of a serial line, the closing frame says it."""
        self.ends.away = True
        end = await self.open(self.url("serial"), _BINARY)
        opcode, said = await self.frame(end)
        self.assertEqual(frames.CLOSE, opcode)
        self.assertIn(b"out of reach", said)

    async def test_refused(self) -> None:
        """Used, expired, another kind's, unknown or none: one refusal, told nowhere."""
        used = self.url("serial")
        await self.open(used)
        other = self.url("novnc").replace("vnc", "serial", 1)
        old = self.url("serial")
        tokens = [token_of(path) for path in (used, other, old)]
        unknown = ["/console/serial?token=nothing", "/console/serial"]
        for path in (used, other, *unknown):
            self.assertEqual(REFUSED, await self.refused(path, 403))
        self.clock.advance(601)
        self.assertEqual(REFUSED, await self.refused(old, 403))
        log = str(self.events)
        self.assertEqual(5, log.count("a token that is not good"))
        for token in tokens:
            self.assertNotIn(token, log)

    async def test_audited(self) -> None:
        """Who opened it, from where, is in the audit trail."""
        await self.open(self.url("serial"))
        rows = self.sql(
            "SELECT user_id, object::text, address FROM activity"
            " WHERE action = 'console open'"
        )
        self.assertEqual([(ALICE.id, self.mine, "127.0.0.1")], rows)

    async def test_many(self) -> None:
        """There are no more than there may be; one that has ended makes room."""
        first = await self.open(self.url("serial"))
        await self.open(self.url("serial"))
        await self.come(2)
        said = await self.refused(self.url("serial"), 503)
        self.assertIn("Too many consoles", said)
        first.transport.abortConnection()
        while len(self.opened) == 2:
            await self.pause()
        await self.open(self.url("serial"))

    async def test_malformed(self) -> None:
        """What is no request for a WebSocket that we speak is a 400 that says so."""
        for name, value in (
            ("Sec-WebSocket-Version", "8"),
            ("Sec-WebSocket-Key", "short"),
            ("Connection", "close"),
        ):
            await self.refused(self.url("serial"), 400, {name: value})
        self.assertEqual([], self.ends.far)

    async def test_silence(self) -> None:
        """No limit of HTTP's ends it."""
        end = await self.open(self.url("serial"))
        far = await self.come(1)
        self.clock.advance(20)
        self.clock.advance(20)
        far.send(b"still")
        while (said := await self.frame(end))[0] == frames.PING:
            end.send(sent(said[1], frames.PONG))
        self.assertEqual((frames.BINARY, b"still"), said)


class OriginTests(SocketTestCase):
    """Which pages may open consoles."""

    async def test_origins(self) -> None:
        """Pages of the API's own, and those that are named; and what is no page."""
        for origin in (ROOT, "http://cloud.test:8774", "https://ui.test", ""):
            end = await self.open(self.url("serial"), {"Origin": origin})
            end.transport.abortConnection()
            while len(self.opened):
                await self.pause()
        for origin in (
            "http://evil.test",
            "null",
            "http://cloud.test",
            "https://ui.te",
        ):
            path = self.url("serial")
            said = await self.refused(path, 403, {"Origin": origin})
            self.assertIn("origin", said)
            # It has not been redeemed by that.
            end = await self.open(path)
            end.transport.abortConnection()
            while len(self.opened):
                await self.pause()


class SessionTests(SocketTestCase):
    """The page, which may connect more than once."""

    async def test_again(self) -> None:
        """A cookie that no script sees opens the same console again."""
        reply = self.session()
        self.assertEqual(201, reply.code, reply.text)
        shown = reply.json["session"]
        self.assertEqual({"id": self.mine, "name": "web"}, shown["server"])
        self.assertEqual(("alpha", "alice"), (shown["project"], shown["user"]))
        said = reply.header("Set-Cookie") or ""
        for word in (
            "HttpOnly",
            "SameSite=Strict",
            f"Path=/console/sessions/{shown['id']};",
        ):
            self.assertIn(word, said)
        self.assertEqual("no-store", reply.header("Cache-Control"))
        for count in (1, 2):
            end = await self.open(shown["socket"], {"Cookie": cookie_of(reply)})
            await self.come(count)
            end.transport.abortConnection()

    async def test_others(self) -> None:
        """Neither without the cookie nor with another console's, nor the token."""
        one, other = self.session(), self.session()
        path = one.json["session"]["socket"]
        for cookie in ("", cookie_of(other), "cyclades-console=nothing"):
            said = await self.refused(path, 403, {"Cookie": cookie})
            self.assertEqual(REFUSED, said)
        nowhere = "/console/sessions/nothing/socket"
        await self.refused(nowhere, 403, {"Cookie": cookie_of(one)})

    async def test_redeemed(self) -> None:
        """A token is redeemed once, by whichever way."""
        path = self.url("serial")
        self.assertEqual(201, self.redeem(token_of(path), "serial").code)
        self.assertEqual(403, self.redeem(token_of(path), "serial").code)
        await self.refused(path, 403)
        self.assertEqual(403, self.redeem(token_of(self.url("novnc")), "serial").code)

    async def test_over(self) -> None:
        """Some minutes after the last connection it is over; not while one is open."""
        reply = self.session()
        path, cookie = reply.json["session"]["socket"], {"Cookie": cookie_of(reply)}
        end = await self.open(path, cookie)
        await self.come(1)
        for _ in range(80):
            # Longer than the right lasts by itself.
            self.clock.advance(5)
            await self.pause()
            while end.got[:1] == b"\x89":
                end.got[:] = end.got[2:]
                end.send(sent(b"", frames.PONG))
        self.assertEqual(1, len(self.opened))
        end.transport.abortConnection()
        while len(self.opened):
            await self.pause()
        end = await self.open(path, cookie)
        end.transport.abortConnection()
        while len(self.opened):
            await self.pause()
        self.clock.advance(301)
        await self.refused(path, 403, cookie)


class EndTests(SocketTestCase):
    """A console that is open ends with the right to have it open."""

    async def ends_by(self, what: Any) -> None:
        """Have something done to a console that is open, and wait for its end."""
        end = await self.open(self.url("serial"))
        far = await self.come(1)
        what()
        self.clock.advance(5)
        opcode, said = await self.frame(end)
        self.assertEqual(frames.CLOSE, opcode)
        self.assertIn(b"the right to have it open has ended", said)
        await far.gone()
        self.assertEqual(0, len(self.opened))

    async def test_stopped(self) -> None:
        """The machine has stopped."""
        await self.ends_by(lambda: self.live(self.mine, Life(Observed.DOWN)))

    async def test_suspended(self) -> None:
        """It is suspended."""
        await self.ends_by(lambda: self.act(self.mine, {"SNF:suspend": None}, ADMIN))

    async def test_disabled(self) -> None:
        """Its user has been disabled."""
        await self.ends_by(
            lambda: self.sql(
                "UPDATE user_account SET enabled = false WHERE id = %s", ALICE.id
            )
        )

    async def test_node(self) -> None:
        """The node's end is gone: at once."""
        end = await self.open(self.url("serial"))
        far = await self.come(1)
        far.transport.loseConnection()
        self.assertEqual(frames.CLOSE, (await self.frame(end))[0])

    async def test_service(self) -> None:
        """The service stops: all end, and none begins."""
        end = await self.open(self.url("serial"))
        await self.come(1)
        path = self.url("serial")
        await self.opened.stopService()
        self.assertEqual(frames.CLOSE, (await self.frame(end))[0])
        await self.refused(path, 503)
