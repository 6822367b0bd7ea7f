"""The door of a node: whom it lets in."""

from urllib.parse import urlencode

from treq.testing import StubTreq
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource

from snf.core.signing import GUEST_PATH, Signer
from snf.noded.door import Door, site

NOW = 1_800_000_000.0
PATH = "/noded/v1/echo/one/two"


class Echo(Resource):
    """Answers with what is left of the path."""

    isLeaf = True

    def render_GET(self, request: IRequest) -> bytes:
        """See ``Resource``."""
        return b"/".join(request.postpath)

    render_POST = render_GET


class DoorTests(SynchronousTestCase):
    """``/noded/v1``."""

    def setUp(self) -> None:
        self.signer = Signer(b"k" * 32)
        door = Door(self.signer, lambda: NOW)
        door.offer("echo", Echo())
        self.client = StubTreq(site(door).resource)

    def ask(self, path: str, query: str, method: str = "GET") -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        answer = self.successResultOf(
            self.client.request(method, f"http://node{path}?{query}")
        )
        return answer.code, self.successResultOf(answer.content())

    def signed(self, path: str, method: str = "GET", ahead: int = 60) -> str:
        """Return a query that is good for a path."""
        return self.signer.query(method, path, int(NOW) + ahead)

    def test_let_in(self) -> None:
        """A signed request reaches the service, with what follows its name."""
        self.assertEqual((200, b"one/two"), self.ask(PATH, self.signed(PATH)))
        posted = self.ask(PATH, self.signed(PATH, "POST"), "POST")
        self.assertEqual((200, b"one/two"), posted)

    def test_refused(self) -> None:
        """No signature, or one of another key, method, path or time: 403, and nothing else."""
        other = Signer(b"l" * 32).query("GET", PATH, int(NOW) + 60)
        [expires, signature] = self.signed(PATH).split("&")
        for query in (
            "",
            expires,
            signature,
            other,
            f"{self.signed(PATH)}&{expires}",
            self.signed(PATH, "POST"),
            self.signed(f"{PATH}/three"),
            self.signed(GUEST_PATH.format("x")),
            self.signed(PATH, ahead=0),
            urlencode({"expires": "\u0661", "signature": "\u00e9"}),
        ):
            self.assertEqual((403, b""), self.ask(PATH, query), query)

    def test_unknown(self) -> None:
        """A service that this node has not is a 404 for those who are let in alone."""
        path = "/noded/v1/other"
        self.assertEqual(404, self.ask(path, self.signed(path))[0])
        self.assertEqual(403, self.ask(path, "")[0])
