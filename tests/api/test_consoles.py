"""Asking for consoles: OpenStack's ways and Synnefo's."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field

from snf.api.compute.consoles import Consoles, Forwarding, Place
from snf.core.errors import Unavailable
from snf.core.passwords import token_digest
from snf.core.server import Life, Observed
from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import ROOT, SERVERS, ApiTestCase, Reply

_UP = Life(Observed.UP, launched=1_700_000_000.0)


@define
class _Screens:
    """What knows where screens are."""

    asked: list[tuple[int, int, str]] = field(factory=list)
    away: bool = False

    async def place(self, cluster: int, server: int) -> Place:
        return Place("192.0.2.1", 11_000)

    async def forward(self, cluster: int, server: int, way: str) -> Forwarding:
        if self.away:
            raise Unavailable("the proxy does not answer")
        self.asked.append((cluster, server, way))
        return Forwarding("api.test", 25_000, "secret12")


class ConsoleTestCase(ApiTestCase):
    """A test with a server that runs."""

    def consoles(self) -> Consoles:
        self.screens = _Screens()
        return Consoles(self._new_token, screens=self.screens, serial=True)

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server()
        self.live(self.mine, _UP)

    def remote(
        self, protocol: str, kind: str, by: Any = ALICE, version: str = "2.99"
    ) -> Reply:
        """Ask for a console as newer clients do."""
        return self.call(
            "POST",
            f"{SERVERS}/{self.mine}/remote-consoles",
            {"remote_console": {"protocol": protocol, "type": kind}},
            by=by,
            version=version,
        )

    def kept(self) -> list[tuple[Any, ...]]:
        """Return the kinds and digests of the tokens that there are."""
        return [
            (kind, bytes(digest))
            for kind, digest in self.sql(
                "SELECT kind, digest FROM console_token ORDER BY created, id"
            )
        ]


def token_of(url: str) -> str:
    """Return the token in a console's URL."""
    [token] = parse_qs(urlsplit(url).query)["token"]
    return token


class UrlTests(ConsoleTestCase):
    """URLs at which consoles are opened."""

    def test_vnc(self) -> None:
        """The page on the API's own origin, with a token of which a digest is kept."""
        reply = self.remote("vnc", "novnc")
        self.assertEqual(200, reply.code, reply.text)
        shown = reply.json["remote_console"]
        self.assertEqual(("vnc", "novnc"), (shown["protocol"], shown["type"]))
        self.assertTrue(shown["url"].startswith(f"{ROOT}/console/vnc?token="))
        token = token_of(shown["url"])
        self.assertEqual([("novnc", token_digest(token))], self.kept())

    def test_serial(self) -> None:
        """A WebSocket's URL, which is what clients of Nova's open."""
        url = self.remote("serial", "serial").json["remote_console"]["url"]
        self.assertTrue(url.startswith("ws://cloud.test:8774/console/serial?token="))
        self.assertEqual([("serial", token_digest(token_of(url)))], self.kept())

    def test_actions(self) -> None:
        """Up to 2.5 it is an action; from then on there is none."""
        for name, kind in (
            ("os-getVNCConsole", "novnc"),
            ("os-getSerialConsole", "serial"),
        ):
            reply = self.act(self.mine, {name: {"type": kind}})
            self.assertEqual(200, reply.code, reply.text)
            self.assertEqual({"type", "url"}, {*reply.json["console"]})
            later = self.call(
                "POST",
                f"{SERVERS}/{self.mine}/action",
                {name: {"type": kind}},
                by=ALICE,
                version="2.6",
            )
            self.assertEqual(404, later.code)
        self.assertEqual(404, self.remote("vnc", "novnc", version="2.5").code)

    def test_not_offered(self) -> None:
        """What OpenStack knows and is not offered is a 400 in Nova's words."""
        for protocol, kind, said in (
            ("vnc", "xvpvnc", "Invalid console type xvpvnc"),
            ("vnc", "serial", "Invalid console type serial"),
            ("spice", "spice-html5", "Unavailable console type spice-html5."),
            ("spice", "spice-direct", "Unavailable console type spice-direct."),
            ("rdp", "rdp-html5", "Unavailable console type rdp-html5."),
            ("mks", "webmks", "Unavailable console type webmks."),
        ):
            reply = self.remote(protocol, kind)
            self.assertEqual((400, said), (reply.code, reply.message))
        for name, kind in (
            ("os-getVNCConsole", "xvpvnc"),
            ("os-getSPICEConsole", "spice-html5"),
            ("os-getRDPConsole", "rdp-html5"),
        ):
            reply = self.act(self.mine, {name: {"type": kind}})
            self.assertEqual(400, reply.code)
            self.assertIn(f"console type {kind}", reply.message)
        self.assertEqual([], self.kept())

    def test_young(self) -> None:
        """Types that are younger than the microversion are not known in it."""
        self.assertEqual(400, self.remote("mks", "webmks", version="2.7").code)
        self.assertEqual(400, self.remote("spice", "spice-direct", version="2.98").code)

    def test_nonsense(self) -> None:
        """What makes no sense is told which field is wrong."""
        for argument in (None, {}, "novnc", {"type": 1}, {"type": "novnc", "x": 1}):
            reply = self.act(self.mine, {"os-getVNCConsole": argument})
            self.assertEqual(400, reply.code)
            self.assertIn("os-getVNCConsole.type", reply.message)
        reply = self.remote("telnet", "novnc")
        self.assertEqual(400, reply.code)
        self.assertIn("protocol", reply.message)

    def test_state(self) -> None:
        """Of a server that does not run it is a conflict."""
        for life in (Life(Observed.DOWN), Life(Observed.UNKNOWN), Life(Observed.BUILD)):
            self.live(self.mine, life)
            self.assertEqual(409, self.remote("vnc", "novnc").code)
            self.assertEqual(
                409, self.act(self.mine, {"console": {"type": "vnc"}}).code
            )
        self.assertEqual([], self.kept())

    def test_who(self) -> None:
        """Readers are refused, others' servers are not there, admins may."""
        self.assertEqual(403, self.remote("vnc", "novnc", READER).code)
        self.assertEqual(404, self.remote("vnc", "novnc", BOB).code)
        self.assertEqual(200, self.remote("vnc", "novnc", ADMIN).code)

    def test_locks(self) -> None:
        """A lock keeps nobody from looking; a suspension does."""
        self.act(self.mine, {"lock": None})
        self.assertEqual(200, self.remote("vnc", "novnc").code)
        self.act(self.mine, {"SNF:suspend": None}, ADMIN)
        self.assertEqual(403, self.remote("vnc", "novnc").code)
        self.assertEqual([], self.kept())

    def test_remembered(self) -> None:
        """The owner sees among the actions who has asked for a console."""
        self.remote("vnc", "novnc")
        path = f"{SERVERS}/{self.mine}/os-instance-actions"
        done = self.call("GET", path, by=ALICE).json["instanceActions"]
        self.assertEqual("console", done[0]["action"])


class RevokedTests(ConsoleTestCase):
    """Tokens end with what they are for."""

    def test_machine(self) -> None:
        """When the machine stops, is deleted or suspended, but not where nobody knows."""
        for life, left in (
            (Life(Observed.UNKNOWN, launched=1.0), 1),
            (Life(Observed.DOWN), 0),
            (Life(Observed.GONE), 0),
        ):
            if life.observed is Observed.GONE:
                self.mine = self.server()
            self.live(self.mine, _UP)
            self.assertEqual(200, self.remote("vnc", "novnc").code)
            self.live(self.mine, life)
            self.assertEqual(left, len(self.kept()), life)
            self.sql("DELETE FROM console_token")

    def test_role(self) -> None:
        """When the user loses a role in the project."""
        self.remote("vnc", "novnc")
        path = f"/identity/v3/projects/{ALICE.default_project}/users/{ALICE.id}"
        reply = self.call("DELETE", f"{path}/roles/member", by=ADMIN)
        self.assertEqual(204, reply.code, reply.text)
        self.assertEqual([], self.kept())


class ForwardedTests(ConsoleTestCase):
    """Synnefo's action ``console``."""

    def test_forwarded(self) -> None:
        """It answers where a VNC viewer finds the screen, for each of the three ways."""
        for way in ("vnc", "vnc-ws", "vnc-wss"):
            reply = self.act(self.mine, {"console": {"type": way}})
            self.assertEqual(200, reply.code, reply.text)
            self.assertEqual(
                {
                    "type": way,
                    "host": "api.test",
                    "port": 25_000,
                    "password": "secret12",
                },
                reply.json["console"],
            )
        self.assertEqual(
            ["vnc", "vnc-ws", "vnc-wss"], [way for _, _, way in self.screens.asked]
        )

    def test_away(self) -> None:
        """Where the proxy does not answer it is a 503 that says so."""
        self.screens.away = True
        reply = self.act(self.mine, {"console": {"type": "vnc"}})
        self.assertEqual(503, reply.code)
        self.assertIn("proxy", reply.message)

    def test_nonsense(self) -> None:
        """Another type is a 400 that says which there are."""
        for argument in (None, {}, {"type": "spice"}, {"type": "vnc", "x": 1}):
            reply = self.act(self.mine, {"console": argument})
            self.assertEqual(400, reply.code)
            self.assertIn("console.type: must be vnc or vnc-ws or", reply.message)

    def test_who(self) -> None:
        """Readers are refused, others' servers are not there."""
        for by, code in ((READER, 403), (BOB, 404)):
            reply = self.act(self.mine, {"console": {"type": "vnc"}}, by)
            self.assertEqual(code, reply.code)
        self.assertEqual([], self.screens.asked)


class AuthTokenTests(ConsoleTestCase):
    """``/os-console-auth-tokens``."""

    def look(self, token: str, by: Any = ADMIN, version: str = "2.31") -> Reply:
        """Look a token up."""
        path = f"/compute/v2.1/os-console-auth-tokens/{token}"
        return self.call("GET", path, by=by, version=version)

    def test_shown(self) -> None:
        """Admins see where the console is; the token stays good."""
        token = token_of(self.remote("vnc", "novnc").json["remote_console"]["url"])
        wanted = {
            "instance_uuid": self.mine,
            "host": "192.0.2.1",
            "port": 11_000,
            "internal_access_path": None,
        }
        for _ in range(2):
            self.assertEqual({"console": wanted}, self.look(token).json)
        self.assertIn("tls_port", self.look(token, version="2.99").json["console"])

    def test_refused(self) -> None:
        """Nobody else sees it; there is none that is unknown, old, or of a serial line."""
        token = token_of(self.remote("vnc", "novnc").json["remote_console"]["url"])
        self.assertEqual(403, self.look(token, ALICE).code)
        self.assertEqual(404, self.look("nonsense").code)
        self.assertEqual(404, self.look(token, version="2.30").code)
        serial = self.remote("serial", "serial").json["remote_console"]["url"]
        self.assertEqual(404, self.look(token_of(serial)).code)
        self.clock.advance(601)
        self.assertEqual(404, self.look(token).code)
