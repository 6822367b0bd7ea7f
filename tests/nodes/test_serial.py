"""Serial lines as the API has them: a simulated cluster, and its nodes' daemon on a port."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.console.peer import Peer
from snf.core.catalog import Cluster
from snf.core.errors import Conflict, NotFound, Unavailable
from snf.core.signing import Signer
from snf.noded.door import Door, site
from snf.nodes.serial import Daemons, SerialLines, connect
from snf.nodes.whereabouts import Whereabouts
from snf.rapi.client import Rapi
from snf.serial.web import Serial
from snf.testing.ganeti import FakeGaneti
from snf.testing.serial import SimulatedLines
from tests.bus.certificate import certificate
from tests.rapi.test_fake import client

CLUSTER = Cluster(
    id=1,
    name="fake",
    url="http://ganeti.test:5080",
    username="cyclades",
    password_file="/nowhere",
    mac_prefix="aa:00:00",
)
NOBODY = "snf-8"


class Rows:
    """A database that knows one cluster, or is away."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def run(self, function: Any, *given: Any) -> Cluster:
        return self.cluster


class Clients:
    """The client of one cluster."""

    def __init__(self, rapi: Rapi) -> None:
        self.rapi = rapi

    def of(self, cluster: Cluster) -> Rapi:
        return self.rapi


class Heard:
    """Who is told what comes from a peer."""

    def __init__(self) -> None:
        self.data = b""
        self.reason: Deferred[str] = Deferred()

    def received(self, data: bytes) -> None:
        self.data += data

    def drained(self) -> None:
        pass

    def ended(self, reason: str) -> None:
        self.reason.callback(reason)


class SerialTestCase(TestCase):
    """A simulated cluster with one server."""

    timeout = 60
    listen = "tcp:0:interface=127.0.0.1"

    async def setUp(self) -> None:  # type: ignore[override]
        self.ganeti = FakeGaneti(reactor)
        self.ganeti.have(body("snf-7"), True)
        self.ganeti.have(body(NOBODY), False)
        self.signer = Signer(b"k" * 32)
        machines = self.ganeti.machines.by_name
        self.simulated = SimulatedLines(
            "snf", lambda name: machines[name].running if name in machines else None
        )
        door = Door(self.signer, reactor.seconds)
        door.offer("serial", Serial(self.simulated, reactor))
        self.port = await self.open(site(door))
        self.lines = self.asking()

    async def open(self, factory: Any) -> int:
        """Return the port at which something listens from now on."""
        listening: Any = await serverFromString(reactor, self.listen).listen(factory)
        self.addCleanup(listening.stopListening)
        return listening.getHost().port

    def asking(
        self, signer: Signer | None = None, password: str | None = None, **more: Any
    ) -> SerialLines:
        """Return what asks the nodes."""
        rapi = client(self.ganeti, password)
        whereabouts = Whereabouts(reactor, Rows(CLUSTER), Clients(rapi), "snf")
        daemons = Daemons(**{"port": self.port, "timeout_s": 5.0, **more})
        lines = connect(reactor, whereabouts, signer or self.signer, daemons)
        lines.startService()
        self.addCleanup(lines.stopService)
        return lines


def body(name: str) -> dict[str, Any]:
    """Return what is asked for an instance."""
    return {
        "name": name,
        "mode": "create",
        "os": "noop",
        "disk_template": "diskless",
        "disks": [],
        "nics": [],
        "hypervisor": "fake",
        "beparams": {"vcpus": 1, "memory": 64},
        "tags": [],
    }


class LogTests(SerialTestCase):
    """``SerialLines.log``."""

    async def test_log(self) -> None:
        """All that a server has said, or its last lines."""
        whole = await self.lines.log(1, 7, None)
        self.assertTrue(whole.endswith(b"snf-7 is up\r\n"), whole)
        self.assertEqual(b"snf-7 is up\r\n", await self.lines.log(1, 7, 1))

    async def test_none(self) -> None:
        """A server that has said nothing has no log; one on no node is a conflict."""
        await self.assertFailure(self.failing(8), NotFound)
        await self.assertFailure(self.failing(9), Conflict)

    async def test_away(self) -> None:
        """A daemon that does not answer is said so, and which one, in the log alone."""
        for lines in (
            self.asking(port=1),
            self.asking(Signer(b"l" * 32)),
            self.asking(
                port=await self.open(Factory.forProtocol(Silent)), timeout_s=0.2
            ),
            self.asking(port=await self.open(Factory.forProtocol(Babbler))),
            self.asking(ca_file=Path("/nowhere")),
        ):
            failure = await self.assertFailure(self.failing(7, lines), Unavailable)
            self.assertIn("snf-noded", str(failure))
            self.assertNotIn("127.0.0.1", str(failure))

    async def test_ganeti_away(self) -> None:
        """Without Ganeti nobody knows which node to ask."""
        lines = self.asking(password="guess")
        failure = await self.assertFailure(self.failing(7, lines), Unavailable)
        self.assertIn("Ganeti", str(failure))

    async def test_too_many(self) -> None:
        """So many are fetched at once, and no more wait."""
        lines = self.asking(at_once=1)
        first = Deferred.fromCoroutine(lines.log(1, 7, None))
        await self.assertFailure(self.failing(7, lines), Unavailable)
        self.assertIn(b"is up", await first)
        self.assertIn(b"is up", await lines.log(1, 7, None))

    def failing(
        self, server: int, lines: SerialLines | None = None
    ) -> "Deferred[bytes]":
        return Deferred.fromCoroutine((lines or self.lines).log(1, server, None))


class Silent(Protocol):
    """Says nothing."""


class Babbler(Protocol):
    """Says what is no HTTP."""

    def connectionMade(self) -> None:
        self.transport.write(b"SSH-2.0-x\r\n" * 500)
        self.transport.loseConnection()


class LineTests(SerialTestCase):
    """``SerialLines.serial``."""

    async def test_line(self) -> None:
        """Bytes go both ways, until the guest ends; nothing of HTTP is among them."""
        heard = await self.opened()
        self.simulated.line("snf-7").type(b"typed by another")
        await self.until(heard, b"typed by another")
        heard.peer.send(b" and here")
        await self.until(heard, b" and here")
        self.assertEqual(b"typed by another and here", heard.data)
        self.ganeti.machines.by_name["snf-7"].running = False
        self.simulated.look("snf-7")
        await heard.reason

    async def test_first_words(self) -> None:
        """What the guest says with the answer's head is not lost."""
        line = self.simulated.line("snf-7")
        taken = line.take

        def take(peer: Any, by_force: bool = False) -> None:
            taken(peer, by_force)
            line.type(b"at once")

        line.take = take
        heard = await self.opened()
        await self.until(heard, b"at once")
        heard.peer.abort()

    async def test_refused(self) -> None:
        """Where somebody is, or nobody: said in the node's words."""
        heard = await self.opened()
        failure = await self.assertFailure(self.failing(7), Conflict)
        self.assertIn("Somebody else", str(failure))
        await self.assertFailure(self.failing(8), NotFound)
        await self.assertFailure(self.failing(9), Conflict)
        heard.peer.abort()
        await heard.reason

    async def test_away(self) -> None:
        """A daemon that does not answer as it should is said so."""
        for lines in (
            self.asking(port=1),
            self.asking(Signer(b"l" * 32)),
            self.asking(
                port=await self.open(Factory.forProtocol(Silent)), timeout_s=0.2
            ),
            self.asking(port=await self.open(Factory.forProtocol(Babbler))),
        ):
            await self.assertFailure(self.failing(7, lines), Unavailable)

    async def opened(self) -> Any:
        """Return who hears an open line."""
        heard: Any = Heard()
        heard.peer = await self.lines.serial(1, 7)
        self.assertIsInstance(heard.peer, Peer)
        heard.peer.receiver = heard
        heard.peer.resume()
        return heard

    async def until(self, heard: Heard, text: bytes) -> None:
        while text not in heard.data:
            await deferLater(reactor, 0.01)

    def failing(
        self, server: int, lines: SerialLines | None = None
    ) -> "Deferred[Peer]":
        return Deferred.fromCoroutine((lines or self.lines).serial(1, server))


class TlsTests(LineTests):
    """The same, where nodes' daemons speak TLS."""

    async def setUp(self) -> None:  # type: ignore[override]
        pem = Path(self.mktemp()).absolute()
        pem.write_bytes(certificate("127.0.0.1"))
        self.ca_file = pem
        self.listen = f"ssl:0:interface=127.0.0.1:privateKey={pem}"
        await super().setUp()

    def asking(
        self, signer: Signer | None = None, password: str | None = None, **more: Any
    ) -> SerialLines:
        """Return what asks by TLS."""
        more = {"ca_file": self.ca_file, **more}
        return super().asking(signer, password, **more)

    async def test_log(self) -> None:
        """Logs come by TLS, too."""
        self.assertIn(b"is up", await self.lines.log(1, 7, None))

    async def test_stranger(self) -> None:
        """A daemon whose certificate another one has issued is none of ours."""
        other = Path(self.mktemp()).absolute()
        other.write_bytes(certificate("127.0.0.1"))
        lines = self.asking(ca_file=other)
        await self.assertFailure(self.failing(7, lines), Unavailable)
        await self.assertFailure(
            Deferred.fromCoroutine(lines.log(1, 7, None)), Unavailable
        )
