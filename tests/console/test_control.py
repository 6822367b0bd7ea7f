"""The control protocol, as the original's clients speak it."""

import contextlib
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from snf.config.console import Console
from snf.console import control, crypt
from snf.console.client import NotAnswered, ask
from snf.console.control import Control
from snf.console.requests import BadRequest, Kind, Request, parse
from snf.console.users import Users
from snf.tap.console import read_console
from snf.trust import verified
from tests.console.certificates import Authority
from tests.console.ends import End
from tests.console.proxy import ProxyTestCase
from tests.console.test_frames import ASKED


class ParseTests(SynchronousTestCase):
    """What a request may be."""

    LEAST = {"destination_address": "h", "destination_port": 1, "password": "p"}

    def parse(self, **changed: Any) -> Request | None:
        """Return what a request like the least one is taken for."""
        given = {**self.LEAST, **changed}
        return parse(json.dumps(given).encode(), whole=False)

    def test_of_each_generation(self) -> None:
        """With the fields of 1.0, of 1.5, and of 1.6; in any order."""
        self.assertEqual(Request("h", 1, "p"), self.parse(source_port=0))
        later = self.parse(auth_user="u", auth_password="x", source_port=7)
        self.assertEqual(Request("h", 1, "p", 7, Kind.VNC, "u", "x"), later)
        newest = self.parse(type="vnc-ws", source_port=0)
        self.assertEqual(Request("h", 1, "p", 0, Kind.WEBSOCKET), newest)

    def test_wrong(self) -> None:
        """Each mistake names its field."""
        for key, values in (
            ("destination_address", (None, "", 7, "x" * 256, "\ud800", "a b", "a\n")),
            ("destination_port", (None, 0, 65_536, "1", 1.5, True)),
            ("password", (None, "", 7, [], "x" * 256)),
            ("source_port", (None, -1, 65_536, "x")),
            ("type", (None, "", "spice", 7)),
            ("auth_user", (7, None)),
            ("auth_password", (7, {})),
        ):
            for value in values:
                with self.assertRaises(BadRequest) as caught:
                    self.parse(**{key: value})
                self.assertTrue(str(caught.exception).startswith(f"{key}: "), value)

    def test_missing(self) -> None:
        """So does each field that is missing."""
        for key in self.LEAST:
            given = {name: self.LEAST[name] for name in self.LEAST if name != key}
            with self.assertRaises(BadRequest) as caught:
                parse(json.dumps(given).encode(), whole=False)
            self.assertEqual(f"{key}: is missing", str(caught.exception))

    @given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
    def test_arbitrary(self, data: bytes) -> None:
        """Whatever comes is a request, no request, or not yet one."""
        for whole in (False, True):
            with contextlib.suppress(BadRequest):
                self.assertTrue(parse(data, whole) is None or whole)

    def test_deep(self) -> None:
        """What is nested without end is refused like all else."""
        with self.assertRaises(BadRequest):
            parse(b"[" * 4096, whole=False)

    def test_no_secret(self) -> None:
        """A request that is written down has no password in it."""
        text = repr(self.parse(password="hunter2", auth_password="hunter3"))
        self.assertNotIn("hunter", text)


class ControlTests(ProxyTestCase):
    """A connection to the control socket."""

    async def ask(self, *pieces: bytes, half: bool = False) -> dict[str, Any]:
        """Return the answer to some bytes."""
        end = await connectProtocol(UNIXClientEndpoint(reactor, self.path), End())
        for number, piece in enumerate(pieces):
            if number:
                await deferLater(reactor, 0.01)
            end.send(piece)
        if half:
            end.transport.loseWriteConnection()
        await end.gone()
        answer: dict[str, Any] = json.loads(end.got)
        return answer

    def asked(self, **changed: Any) -> bytes:
        """Return a request of the original's client, version 1.6."""
        given = {
            "source_port": 0,
            "destination_address": "127.0.0.1",
            "destination_port": self.node,
            "password": "hunter22",
            "auth_user": "synnefo",
            "auth_password": "x",
            "type": "vnc",
            **changed,
        }
        return json.dumps(given).encode()

    async def test_granted(self) -> None:
        """The answer has the port, at which somebody listens by then."""
        answer = await self.ask(self.asked())
        port = answer.pop("source_port")
        self.assertIn(port, range(self.ports.first, self.ports.last + 1))
        self.assertEqual({"status": "OK", "proxy_address": "proxy.example.org"}, answer)
        await self.come(port)

    async def test_in_pieces(self) -> None:
        """A request may come in pieces, and be the last that its sender says."""
        data = self.asked()
        answer = await self.ask(data[:20], data[20:60], data[60:])
        self.assertEqual("OK", answer["status"])
        answer = await self.ask(data + b"\n", half=True)
        self.assertEqual("OK", answer["status"])

    async def test_refused(self) -> None:
        """Whatever is wrong, there is an answer, in which all fields are."""
        for data, reason in (
            (b"{}", "destination_address: is missing"),
            (b"[1]}", "the request is no JSON object"),
            (b"nonsense", "the request is no JSON object"),
            (b"", "the request is no JSON object"),
            (b"{" + b" " * 5000, "the request is longer than 4096 bytes"),
            (self.asked(type="spice"), "type: must be one of vnc, vnc-ws, vnc-wss"),
            (self.asked(destination_port=1), None),
        ):
            answer = await self.ask(data, half=True)
            said = answer.pop("reason")
            self.assertEqual(reason or said, said)
            self.assertEqual(
                {"source_port": 0, "status": "FAILED", "proxy_address": None}, answer
            )

    async def test_silent(self) -> None:
        """Who says nothing, or too little, is answered when his time is over."""
        self.patch(control, "_REQUEST_S", 0.1)
        for data in (b"", b'{"source_port": 0,'):
            answer = await self.ask(data)
            self.assertEqual("the request is no JSON object", answer["reason"])

    async def test_gives_up(self) -> None:
        """Of one who hangs up before the answer nothing is left."""
        silent = reactor.listenTCP(
            0, Factory.forProtocol(Protocol), interface="127.0.0.1"
        )
        self.addCleanup(silent.stopListening)
        end = await connectProtocol(UNIXClientEndpoint(reactor, self.path), End())
        end.send(self.asked(destination_port=silent.getHost().port))
        while not self.forwardings.count:
            await deferLater(reactor, 0.01)
        end.transport.abortConnection()
        while self.forwardings.count or self.control.asking:
            await deferLater(reactor, 0.05)

    async def test_too_many(self) -> None:
        """So many at once, and the next is told so."""
        self.patch(control, "_MOST", 2)
        ends = [
            await connectProtocol(UNIXClientEndpoint(reactor, self.path), End())
            for _ in range(2)
        ]
        while self.control.asking < 2:
            await deferLater(reactor, 0.01)
        answer = await self.ask()
        self.assertEqual("too many ask at once", answer["reason"])
        for end in ends:
            end.transport.abortConnection()
            await end.gone()
        while self.control.asking:
            await deferLater(reactor, 0.01)
        self.assertEqual("OK", (await self.ask(self.asked()))["status"])


class UsersTests(ProxyTestCase):
    """The control port, by TLS and for users only."""

    def setUp(self) -> None:
        authority = Authority.new()
        key, certificate = authority.issue("127.0.0.1")
        files = []
        for text in (key, certificate):
            path = Path(self.mktemp())
            path.write_text(text)
            files.append(path)
        secrets = read_console(Console(key_file=files[0], certificate_file=files[1]))
        self.tls = secrets.tls
        super().setUp()
        self.file = Path(self.mktemp())
        self.users = Users(reactor, self.file)
        asked = Control(reactor, self.forwardings, "proxy", self.users)
        factory = TLSMemoryBIOFactory(self.tls, False, asked)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.trusted = verified("127.0.0.1", authority.pem)
        self.endpoint = self.by_tls(port.getHost().port)

    def by_tls(self, port: int) -> Any:
        """Return where a port is reached by TLS."""
        where = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        return wrapClientTLS(self.trusted, where)

    async def refusal(self, user: str, password: str) -> str:
        """Return why a user is refused; empty when he is not."""
        request = self.request(user=user, user_password=password)
        try:
            await ask(reactor, self.endpoint, request)
        except NotAnswered as failure:
            return str(failure).removeprefix("the console proxy refuses: ")
        return ""

    async def test_users(self) -> None:
        """Those of the file, as it is now; without a file nobody."""
        self.assertEqual("user not found", await self.refusal("alice", "hunter2"))
        self.file.write_text(f"alice:{crypt.digest('hunter2')}\nnonsense\n")
        self.assertEqual("", await self.refusal("alice", "hunter2"))
        self.assertEqual("wrong password", await self.refusal("alice", "hunter3"))
        self.assertEqual("user not found", await self.refusal("bob", "hunter2"))
        self.assertEqual("user not found", await self.refusal("", ""))
        new = Path(self.mktemp())
        new.write_text(f"bob:{crypt.digest('hunter3')}\n")
        new.rename(self.file)
        self.assertEqual("user not found", await self.refusal("alice", "hunter2"))
        self.assertEqual("", await self.refusal("bob", "hunter3"))
        self.file.unlink()
        self.assertEqual("user not found", await self.refusal("bob", "hunter3"))

    async def test_secure_websocket(self) -> None:
        """The same certificate is that of vnc-wss."""
        self.file.write_text(f"alice:{crypt.digest('x')}\n")
        request = self.request(
            kind=Kind.SECURE_WEBSOCKET, user="alice", user_password="x"
        )
        port = (await ask(reactor, self.endpoint, request)).port
        end = await connectProtocol(self.by_tls(port), End())
        head = "".join(f"{name}: {value}\r\n" for name, value in ASKED.items())
        end.send(f"GET / HTTP/1.1\r\nHost: proxy\r\n{head}\r\n".encode())
        await end.until(lambda: b"RFB 003.008\n" in end.got)
        end.transport.abortConnection()
        await end.gone()
