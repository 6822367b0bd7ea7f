"""Fetching images by URL: real servers on this host, and what may not be reached."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IResolutionReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from snf.core.catalog import Image
from snf.core.errors import BadRequest, SnfError
from snf.core.identity import Project
from snf.core.image import OS, Status
from snf.core.quota import NO_LIMITS
from snf.core.quota import Resource as Counted
from snf.core.reach import Reach
from snf.images.intake import Intake, Job, Sizes
from snf.images.store import Store
from snf.images.threads import Threads
from snf.images.web import Limits, Web
from snf.storage import images, imports, quotas, uploads, users
from snf.storage.uploads import Upload
from snf.testing.postgres import threaded_database

DATA = bytes(range(256)) * 8192
LOOPBACK = Reach(allowed=[ip_network("127.0.0.0/8")])


class Served(Resource):
    """What a server has: data, redirects, and worse."""

    isLeaf = True

    def __init__(self, port: Callable[[], int]) -> None:
        super().__init__()
        self.port = port
        self.asked: list[bytes] = []

    def render_GET(self, request: Any) -> Any:
        """Answer by the path."""
        self.asked.append(request.path)
        word, _, rest = request.path.lstrip(b"/").partition(b"/")
        return getattr(self, f"do_{word.decode()}")(request, rest)

    def do_data(self, request: Any, rest: bytes) -> bytes:
        return DATA

    def do_chunked(self, request: Any, rest: bytes) -> Any:
        request.write(DATA[:1000])
        request.write(DATA[1000:])
        request.finish()
        return NOT_DONE_YET

    def do_cut(self, request: Any, rest: bytes) -> Any:
        request.setHeader("Content-Length", str(len(DATA)))
        request.write(DATA[:500_000])
        reactor.callLater(0.1, request.channel.forceAbortClient)  # type: ignore[attr-defined]
        return NOT_DONE_YET

    def do_silent(self, request: Any, rest: bytes) -> Any:
        request.setHeader("Content-Length", str(len(DATA)))
        request.write(DATA[:1000])
        return NOT_DONE_YET

    def do_missing(self, request: Any, rest: bytes) -> bytes:
        request.setResponseCode(404)
        return b"secret of the inner network"

    def do_to(self, request: Any, rest: bytes) -> bytes:
        request.setResponseCode(302)
        request.setHeader("Location", rest)
        return b""

    def do_loop(self, request: Any, rest: bytes) -> bytes:
        request.setResponseCode(301)
        request.setHeader("Location", b"/loop")
        return b""


class WebTestCase(TestCase):
    """A test with a server, a database and a directory."""

    timeout = 60

    async def setUp(self) -> None:
        self.database = threaded_database(self, reactor)
        self.store = Store(Path(self.mktemp()).absolute())
        threads = Threads(reactor)
        threads.startService()
        self.addCleanup(threads.stopService)
        self.intake = Intake(
            reactor,  # type: ignore[arg-type]
            self.database,
            self.store,
            threads.run,
            Sizes(data=4 * 1024 * 1024, disk=2**30),
        )
        self.intake.startService()
        self.addCleanup(self.intake.stopService)
        self.served = Served(lambda: self.port)
        listening = reactor.listenTCP(  # type: ignore[attr-defined]
            0, Site(self.served), interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.root = f"http://127.0.0.1:{self.port}"
        self.project = Project(uuid4(), "p")
        await self.database.run(users.add_project, self.project)
        self.counted = 0

    def web(self, reach: Reach = LOOPBACK, **limits: Any) -> Web:
        """Return what fetches."""
        return Web(reactor, Limits(reach, (self.port, 80), **limits))

    async def begin(self) -> Job:
        """Return the import of a new image."""
        now = datetime.now(UTC)
        self.image = Image(
            uuid4(),
            "i",
            OS,
            now,
            now,
            project=self.project.id,
            status="queued",
            visibility="private",
        )
        upload = Upload(uuid4(), self.image.id, "import", now, now, "web-download")
        await self.database.run(images.add, self.image)
        await self.database.run(uploads.begin, upload, Status.IMPORTING, NO_LIMITS)
        return Job(upload.id, "raw")

    async def fetch(self, url: str, web: Web | None = None) -> None:
        """Fetch an image's data."""
        await (web or self.web()).fetch(self.intake, await self.begin(), url)

    async def look(self) -> Image:
        """Return the image as it is now."""
        return await self.database.run(images.get, self.project.id, self.image.id)

    async def refused(self, url: str, web: Web | None = None) -> str:
        """Return why something is not fetched; nothing is left of it."""
        try:
            await self.fetch(url, web)
        except SnfError as refusal:
            why = str(refusal)
        else:
            self.fail("it was fetched")
        self.assertEqual("queued", (await self.look()).status)
        [task] = await self.database.run(imports.of, self.image.id)
        self.assertEqual(("failure", why), (task.state, task.message))
        self.assertEqual([], [*self.store.directory.glob("incoming/*")])
        used = await self.database.run(quotas.used, self.project.id)
        self.assertEqual(self.counted, used[Counted.IMAGE_BYTES])
        return why


class FetchTests(WebTestCase):
    """What is fetched."""

    async def test_data(self) -> None:
        """It becomes the image's data, with a length said before or not."""
        for path in ("data", "chunked", "to//data", "to/data", f"to/{self.root}/data"):
            await self.fetch(f"{self.root}/{path}".replace("to/data", "to//data"))
            found = await self.look()
            self.assertEqual(
                ("active", len(DATA), hashlib.sha256(DATA).hexdigest()),
                (found.status, found.size_bytes, found.sha256),
            )
            [task] = await self.database.run(imports.of, self.image.id)
            self.assertEqual(("success", len(DATA)), (task.state, task.received))

    async def test_refused(self) -> None:
        """What the server does wrong is told, and nothing of what it says."""
        self.intake.sizes = Sizes(data=len(DATA), disk=2**30)
        self.assertIn("404", await self.refused(f"{self.root}/missing"))
        self.assertIn("redirects", await self.refused(f"{self.root}/loop"))
        self.assertIn("early", await self.refused(f"{self.root}/cut"))
        self.intake.sizes = Sizes(data=len(DATA) - 1, disk=2**30)
        for path in ("data", "chunked"):
            self.assertIn(str(len(DATA) - 1), await self.refused(f"{self.root}/{path}"))

    async def test_endless_head(self) -> None:
        """An answer whose head does not end is cut off."""
        sent: list[int] = []
        lost: Deferred[None] = Deferred()

        class Endless(Protocol):
            """Says something else in each line."""

            def connectionMade(self) -> None:
                assert self.transport is not None
                self.transport.write(b"HTTP/1.1 200 OK\r\n")
                self.more()

            def connectionLost(self, reason: Any = None) -> None:
                lost.callback(None)

            def more(self) -> None:
                """Send some more, until nobody takes it."""
                if not lost.called:
                    sent.append(1)
                    self.transport.write(b"X-More: %s\r\n" % (b"x" * 8000))  # type: ignore[union-attr]
                    reactor.callLater(0, self.more)  # type: ignore[attr-defined]

        listening = reactor.listenTCP(  # type: ignore[attr-defined]
            0, Factory.forProtocol(Endless), interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        web = Web(reactor, Limits(LOOPBACK, (port,)))
        why = await self.refused(f"http://127.0.0.1:{port}/", web)
        self.assertIn("could not be fetched", why)
        await lost
        await _turn()
        self.assertLess(len(sent), 1000)

    async def test_too_slow(self) -> None:
        """Who takes longer in all than is allowed is hung up on."""
        web = self.web(timeout_s=0.3)
        self.assertIn("too long", await self.refused(f"{self.root}/silent", web))

    async def test_stops(self) -> None:
        """What is under way when the service stops is put in order before."""
        job = await self.begin()
        task = self.intake.begin(
            self.web().fetch(self.intake, job, f"{self.root}/silent")
        )
        task.addErrback(lambda failure: None)
        while not self.served.asked:
            await _turn()
        await self.intake.stopService()
        self.assertEqual("queued", (await self.look()).status)


class ReachTests(WebTestCase):
    """Where is not fetched from."""

    async def test_inside(self) -> None:
        """Nothing of this host's is fetched, by whatever name; nobody is asked."""
        for host in ("127.0.0.1", "localhost", "127.1.2.3"):
            url = f"http://{host}:{self.port}/data"
            self.assertIn("not allowed", await self.refused(url, self.web(Reach())))
        self.assertEqual([], self.served.asked)

    async def test_redirects(self) -> None:
        """Nor is a redirect followed to where is not fetched from."""
        only = Reach(allowed=[ip_network("127.0.0.1")])
        for place, why in (
            (f"http://127.0.0.2:{self.port}/data", "not allowed"),
            ("http://169.254.169.254/", "not allowed"),
            ("http://127.0.0.1:1/", "port"),
            ("file:///etc/shadow", "http or https"),
            ("http://u:p@127.0.0.1/", "password"),
        ):
            why_not = await self.refused(f"{self.root}/to/{place}", self.web(only))
            self.assertIn(why, why_not, place)
        self.assertNotIn(b"/data", self.served.asked)

    async def test_rebinding(self) -> None:
        """What a name stands for is looked up once for each connection, which goes there."""
        asked: list[str] = []

        class Names:
            """Tells another address each time."""

            def resolveHostName(
                self, receiver: Any, name: str, portNumber: int = 0, **more: Any
            ) -> None:
                IResolutionReceiver(receiver)
                asked.append(name)
                last = 1 if len(asked) == 1 else 2
                receiver.resolutionBegan(None)
                receiver.addressResolved(
                    IPv4Address("TCP", f"127.0.0.{last}", portNumber)
                )
                receiver.resolutionComplete()

        class Lying:
            """The reactor, with these names."""

            nameResolver = Names()

            def __getattr__(self, name: str) -> Any:
                return getattr(reactor, name)

        only = Limits(Reach(allowed=[ip_network("127.0.0.1")]), (self.port,))
        url = f"http://two-faced.test:{self.port}/data"
        await self.fetch(url, Web(Lying(), only))
        self.counted = len(DATA)
        self.assertEqual(["two-faced.test"], asked)
        self.assertIn("not allowed", await self.refused(url, Web(Lying(), only)))
        self.assertEqual([b"/data"], self.served.asked)

    async def test_urls(self) -> None:
        """What is no URL that may be fetched is refused before anything begins."""
        web = Web(reactor)
        for url in (
            "",
            "nonsense",
            "ftp://example.org/x",
            "http://",
            "http://example.org:99999/",
            "http://example.org:22/x",
            "http://user@example.org/",
            "http://example.org/a b",
            "http://example.org/é",
            "http://[::1/",
        ):
            with self.assertRaises(BadRequest, msg=url) as caught:
                web.check(url)
            self.assertIn("method.uri", str(caught.exception))
        for url in ("http://example.org/x", "https://example.org:443/y?z=1"):
            self.assertEqual(url, web.check(url))

    async def test_not_there(self) -> None:
        """Nobody at the address, or no such name."""
        listening = reactor.listenTCP(  # type: ignore[attr-defined]
            0, Factory.forProtocol(Protocol), interface="127.0.0.1"
        )
        port = listening.getHost().port
        await listening.stopListening()
        web = Web(reactor, Limits(LOOPBACK, (port,)))
        why = await self.refused(f"http://127.0.0.1:{port}/", web)
        self.assertIn("cannot be reached", why)
        why = await self.refused(f"http://nowhere.invalid:{port}/", web)
        self.assertIn("not known", why)


def _turn() -> "Deferred[None]":
    turn: Deferred[None] = Deferred()
    reactor.callLater(0.01, turn.callback, None)  # type: ignore[attr-defined]
    return turn
