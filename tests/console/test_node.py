"""Getting in at a node's VNC server: real ones of QEMU, and ones that behave badly."""

import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from snf.console.node import NodeSettings, Unreachable, connect, open_stream
from tests.console.certificates import Authority
from tests.console.qemu import Qemu, qemu, with_tls

# ServerInit begins with the screen's width and height.
_SHARED = b"\1"
_WIDTHS = {640, 720, 1024, 1280}


class First:
    """A receiver of which the first bytes are wanted."""

    def __init__(self) -> None:
        self.came: Deferred[bytes] = Deferred()

    def received(self, data: bytes) -> None:
        self.answer(data)

    def ended(self, reason: str) -> None:
        self.answer(reason.encode())

    def drained(self) -> None:
        pass

    def answer(self, data: bytes) -> None:
        came, self.came = self.came, Deferred()
        came.callback(data)


class QemuTests(TestCase):
    """QEMU's VNC server, in each way that it lets one in."""

    timeout = 60

    def qemu(self, vnc: str = "", *options: str, **given: Any) -> Qemu:
        """Return one that runs as long as the test does."""
        made = qemu(vnc, *options, **given)
        running = made.__enter__()
        self.addCleanup(made.__exit__, None, None, None)
        return running

    def with_password(self, vnc: str = "", *options: str) -> Qemu:
        """Return one with a password."""
        running = self.qemu(f",password=on{vnc}", *options)
        running.ask("set_password", protocol="vnc", password="hunter22")
        return running

    def with_tls(self, host: str = "127.0.0.1") -> tuple[Authority, tuple[str, ...]]:
        """Return who vouches for a QEMU, and what makes it use TLS."""
        authority = Authority.new()
        folder = Path(self.mktemp())
        folder.mkdir()
        key, certificate = authority.issue(host)
        options = with_tls(folder.resolve(), key, certificate, authority.pem)
        return authority, tuple(options)

    async def assert_in(self, port: int, host: str = "127.0.0.1", **given: Any) -> None:
        """We are let in: the server answers a viewer's ClientInit."""
        peer = await connect(reactor, host, port, NodeSettings(**given))
        first = First()
        peer.receiver = first
        peer.resume()
        peer.send(_SHARED)
        data = await first.came
        self.assertIn(int.from_bytes(data[:2], "big"), _WIDTHS)
        gone = first.came
        peer.abort()
        await gone

    async def assert_refused(self, said: str, port: int, **given: Any) -> None:
        """We are not let in, for this reason."""
        host = given.pop("host", "127.0.0.1")
        with self.assertRaises(Unreachable) as caught:
            await connect(reactor, host, port, NodeSettings(**given))
        self.assertIn(said, str(caught.exception))

    async def test_none(self) -> None:
        """Without a password, as Ganeti has it; and one that is configured is no harm."""
        running = self.qemu()
        await self.assert_in(running.port)
        await self.assert_in(running.port, password="unused")
        await self.assert_refused(
            "offers no TLS, which is required", running.port, plain=False
        )

    async def test_address(self) -> None:
        """By IPv6, and by name."""
        running = self.qemu(address="::1")
        await self.assert_in(running.port, "::1")
        await self.assert_in(self.qemu().port, "localhost")

    async def test_password(self) -> None:
        """With a password: the right one, a wrong one, none."""
        running = self.with_password()
        await self.assert_in(running.port, password="hunter22")
        await self.assert_refused(
            "Authentication failed", running.port, password="hunter23"
        )
        await self.assert_refused("none is configured", running.port)

    async def test_tls(self) -> None:
        """With TLS: who vouches for it is known, or not, or for another host."""
        authority, options = self.with_tls()
        running = self.qemu(",tls-creds=tls0", *options)
        known = authority.pem
        await self.assert_in(running.port, authorities=known)
        await self.assert_in(running.port, authorities=known, plain=False)
        refusals: tuple[tuple[str, dict[str, Any]], ...] = (
            ("certificate verify failed", {"authorities": None}),
            ("failed at TLS", {"authorities": Authority.new().pem}),
            (
                "certificate verify failed",
                {"authorities": known, "host": "localhost"},
            ),
            ("switched off", {"tls": False}),
        )
        for said, given in refusals:
            await self.assert_refused(said, running.port, **given)

    async def test_tls_and_password(self) -> None:
        """With both; the password is sent inside only."""
        authority, options = self.with_tls()
        running = self.with_password(",tls-creds=tls0", *options)
        known = authority.pem
        await self.assert_in(running.port, authorities=known, password="hunter22")
        for said, password in (
            ("Authentication failed", "hunter23"),
            ("none is configured", None),
        ):
            await self.assert_refused(
                said, running.port, authorities=known, password=password
            )


class Says(Protocol):
    """A server that says something, and then nothing or good-bye."""

    text = b""
    leaves = False

    def connectionMade(self) -> None:
        self.transport.write(self.text)
        if self.leaves:
            self.transport.loseConnection()


class BadServerTests(TestCase):
    """What is at the other end is no VNC server, or a broken one."""

    timeout = 30

    def listen(self, text: bytes, leaves: bool = False) -> int:
        """Return the port of one that says something."""
        made = type("Said", (Says,), {"text": text, "leaves": leaves})
        port = reactor.listenTCP(0, Factory.forProtocol(made), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port

    async def refusal(self, port: int, host: str = "127.0.0.1", **given: Any) -> str:
        """Return why one is not let in."""
        with self.assertRaises(Unreachable) as caught:
            await connect(reactor, host, port, NodeSettings(**given))
        return str(caught.exception)

    async def test_nobody(self) -> None:
        """Nobody listens; there is no such host; no name is one."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            said = await self.refusal(port, attempts=2, wait_s=0.01)
        self.assertEqual(
            f"127.0.0.1:{port} cannot be reached: nobody listens there", said
        )
        for host in ("no-such-host.invalid", "a..b", "", "x" * 300):
            said = await self.refusal(1, host, attempts=1)
            self.assertIn("cannot be reached", said)

    async def test_silent(self) -> None:
        """One that says nothing, or half a version, is waited for no longer than set."""
        for text in (b"", b"RFB 003"):
            said = await self.refusal(self.listen(text), handshake_s=0.2)
            self.assertIn("took more than 0.2 s for the handshake", said)

    async def test_leaves(self) -> None:
        """One that closes the connection in the middle."""
        for text in (b"", b"RFB 003.008\n", b"RFB 003.008\n\2\1"):
            said = await self.refusal(self.listen(text, leaves=True))
            self.assertRegex(said, "closed the connection|lost the connection")

    async def test_other(self) -> None:
        """One of another kind."""
        said = await self.refusal(self.listen(b"SSH-2.0-OpenSSH_9.2\r\n"))
        self.assertIn("does not speak RFB", said)

    async def test_not_tls(self) -> None:
        """One that agrees on TLS and then speaks something else."""
        text = b"RFB 003.008\n\1\x13\0\2\0\1\0\0\1\4"
        port = self.listen(text + b"\1")
        # Its last word comes late enough to be taken for TLS's first.
        made = type("Late", (Says,), {"text": text})

        def late(self: Any, data: bytes) -> None:
            if data.endswith(b"\0\0\1\4"):
                self.transport.write(b"\1")
            elif data[:1] == b"\x16":
                self.transport.write(b"no TLS at all")

        made.dataReceived = late  # type: ignore[attr-defined]
        spoken = reactor.listenTCP(0, Factory.forProtocol(made), interface="127.0.0.1")
        self.addCleanup(spoken.stopListening)
        said = await self.refusal(spoken.getHost().port)
        self.assertIn("failed at TLS", said)
        self.assertNotIn("Traceback", await self.refusal(port, handshake_s=0.2))

    async def test_stream(self) -> None:
        """A port that gives bytes is handed over as it is: nothing is lost."""
        port = self.listen(b"login: ")
        peer = await open_stream(reactor, "127.0.0.1", port, NodeSettings())
        first = First()
        peer.receiver = first
        peer.resume()
        self.assertEqual(b"login: ", await first.came)
        gone = first.came
        peer.close("enough")
        await gone
