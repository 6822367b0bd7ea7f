"""How a node asks the API: a real HTTP server, which has its bad days."""

from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from snf.core.signing import Signer
from snf.noded.api import Away, connect
from snf.noded.config import Api as Settings

PATH = "/node/v1/metadata/7"


class Play(Resource):
    """Answers as a test says."""

    isLeaf = True

    def __init__(self, answer: Callable[[IRequest], object]) -> None:
        super().__init__()
        self.answer = answer
        self.seen: list[tuple[bytes, str, dict]] = []

    def render(self, request: IRequest) -> object:
        """See ``Resource``."""
        self.seen.append((request.method, request.path.decode(), request.args))
        return self.answer(request)


def status(code: int, body: bytes = b"") -> Callable[[IRequest], object]:
    """Return an answer with a status."""

    def answer(request: IRequest) -> bytes:
        request.setResponseCode(code)
        return body

    return answer


class ApiTests(TestCase):
    """``Api``."""

    def setUp(self) -> None:
        self.signer = Signer(b"k" * 32)

    def served(self, answer: Callable[[IRequest], object]) -> tuple[str, Play]:
        """Have a server that answers so; return its URL."""
        play = Play(answer)
        port = reactor.listenTCP(0, Site(play), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"http://127.0.0.1:{port.getHost().port}", play

    def api(self, *urls: str, timeout_s: float = 20.0):
        """Return the API at some URLs."""
        made = connect(reactor, Settings(urls, timeout_s=timeout_s), self.signer)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.close()))
        return made

    async def test_signed(self) -> None:
        """The request is signed with the node's key, for its own method and path."""
        url, play = self.served(status(200, b"{}"))
        answer = await self.api(url).ask("PUT", PATH, b"[1]")
        self.assertEqual((200, b"{}"), (answer.status, answer.body))
        [(method, path, args)] = play.seen
        self.assertEqual((b"PUT", PATH), (method, path))
        [expires], [signature] = args[b"expires"], args[b"signature"]
        good = self.signer.good(
            "PUT", PATH, expires.decode(), signature.decode(), reactor.seconds()
        )
        self.assertTrue(good)

    async def test_next(self) -> None:
        """Where one is away or out of order the next is asked; a refusal is an answer."""
        broken, _ = self.served(status(502))
        url, _ = self.served(status(403))
        answer = await self.api("http://127.0.0.1:1", broken, url).ask("GET", PATH)
        self.assertEqual(403, answer.status)

    async def test_away(self) -> None:
        """Where none answers that is said; after some times nobody is asked at all."""
        url, play = self.served(status(500))
        api = self.api(url)
        for _ in range(5):
            with self.assertRaises(Away):
                await api.ask("GET", PATH)
        self.assertEqual(3, len(play.seen))

    async def test_silent(self) -> None:
        """One that says nothing is waited for no longer than it may take."""
        url, _ = self.served(lambda request: NOT_DONE_YET)
        with self.assertRaises(Away):
            await self.api(url, timeout_s=0.2).ask("GET", PATH)

    async def test_endless(self) -> None:
        """An answer that is too large is none."""
        url, _ = self.served(status(200, b"x" * 101))
        with self.assertRaises(Away):
            await self.api(url).ask("GET", PATH, most=100)

    async def test_redirect(self) -> None:
        """Nobody is followed elsewhere."""
        there, other = self.served(status(200))

        def answer(request: IRequest) -> bytes:
            request.redirect(there.encode())
            return b""

        url, _ = self.served(answer)
        self.assertEqual(302, (await self.api(url).ask("GET", PATH)).status)
        self.assertEqual([], other.seen)
