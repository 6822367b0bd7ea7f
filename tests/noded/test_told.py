"""What the API says of guests, and for how long that is believed."""

from typing import Any

import orjson
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource

from snf.core.signing import METADATA_PATH, PASSWORD_PATH, Signer
from snf.noded.api import Api, Away
from snf.noded.told import Told
from tests.noded.world import SERVER, written_guest


class Played(Resource):
    """An API whose one server is number 7."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.password = ""
        self.status = 0
        self.text = b""

    def render_GET(self, request: IRequest) -> bytes:
        """See ``Resource``."""
        path = request.path.decode()
        self.asked.append(path)
        if self.status:
            request.setResponseCode(self.status)
            return b""
        if path != METADATA_PATH.format(7):
            request.setResponseCode(404)
            return b""
        return self.text or written_guest(password=self.password)

    def render_POST(self, request: IRequest) -> bytes:
        """See ``Resource``."""
        path = request.path.decode()
        self.asked.append(path)
        code = 409 if self.password else 204
        self.password = (
            self.password or orjson.loads(request.content.read())["password"]
        )
        request.setResponseCode(self.status or code)
        return b""


class ToldTests(SynchronousTestCase):
    """``Told``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.played = Played()
        api = Api(
            ("http://api",),
            StubTreq(self.played),  # type: ignore[arg-type]
            Signer(b"k" * 32),
            self.clock,
            lambda: 1_800_000_000.0,
            5.0,
        )
        self.told = Told(api, self.clock, "snf", 5.0, bytes)

    def of(self, instance: str) -> Any:
        """Return what is known of an instance."""
        return self.successResultOf(Deferred.fromCoroutine(self.told.of(instance)))

    def fails(self, instance: str) -> None:
        """Nothing can be said."""
        self.failureResultOf(Deferred.fromCoroutine(self.told.of(instance)), Away)

    def tell(self, instance: str, password: str) -> bool:
        """Return whether a password was the first."""
        return self.successResultOf(
            Deferred.fromCoroutine(self.told.tell(instance, password))
        )

    def test_kept(self) -> None:
        """The API is asked once for what a guest asks piece by piece, and again later."""
        for _ in range(3):
            self.assertEqual(str(SERVER), self.of("snf-7").guest.uuid)
        self.assertEqual(1, len(self.played.asked))
        self.clock.advance(5)
        self.of("snf-7")
        self.assertEqual(2, len(self.played.asked))

    def test_none(self) -> None:
        """Who is no server of the cloud's is told nothing; the API is not asked of others."""
        self.assertIsNone(self.of("snf-8"))
        for name in ("web.example.org", "snf-", "snf-07", "snf-7x", "snf-7/password"):
            self.assertIsNone(self.of(name))
        self.assertEqual([METADATA_PATH.format(8)], self.played.asked)

    def test_trouble(self) -> None:
        """What makes no sense is no answer, and is believed for a second."""
        for status in (403, 409, 500):
            self.played.status = status
            self.fails("snf-7")
            self.clock.advance(1)
        self.played.status = 0
        for text in (b"{", b"{}", written_guest()[:-1], b'{"user_data": "?"}'):
            self.played.text = text
            self.fails("snf-7")
            self.clock.advance(1)
        self.played.text = b""
        self.assertEqual(str(SERVER), self.of("snf-7").guest.uuid)

    def test_away(self) -> None:
        """However often a guest asks, the API is asked once a second while it is away."""
        self.played.status = 409
        for _ in range(20):
            self.fails("snf-7")
        self.assertEqual(1, len(self.played.asked))
        self.clock.advance(1)
        self.fails("snf-7")
        self.assertEqual(2, len(self.played.asked))

    def test_bounded(self) -> None:
        """No more is kept than there is room for."""
        for number in range(1, 2100):
            self.of(f"snf-{number}")
        self.assertLessEqual(len(self.told._kept), 2000)

    def test_password(self) -> None:
        """The first password is taken, and shown at once; a second one is not."""
        self.of("snf-7")
        self.assertTrue(self.tell("snf-7", "c2VjcmV0"))
        self.assertEqual("c2VjcmV0", self.of("snf-7").guest.password)
        self.assertFalse(self.tell("snf-7", "other"))
        self.assertEqual(1, self.played.asked.count(PASSWORD_PATH.format(7)))
        self.assertFalse(self.tell("web.example.org", "x"))

    def test_password_elsewhere(self) -> None:
        """One that has been told meanwhile, by another node say, is the first still."""
        self.of("snf-7")
        self.played.password = "bWluZQ=="
        self.assertFalse(self.tell("snf-7", "c2VjcmV0"))
        self.assertEqual("bWluZQ==", self.of("snf-7").guest.password)
