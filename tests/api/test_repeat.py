"""``POST /servers`` with an ``X-Idempotency-Key``."""

import json
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from snf.core.errors import Conflict
from snf.storage import repeats
from snf.storage.database import connect
from snf.testing import world
from snf.testing.postgres import fresh_dsn
from snf.testing.world import ALICE, BOB, PROJECT_A, SMALL, TINY
from tests.api.case import SERVERS, ApiTestCase, Reply


class RepeatTests(ApiTestCase):
    """One after another."""

    def make(self, key: str, by=ALICE, **changes: Any) -> Reply:
        """Ask for a server."""
        body = {"name": "w", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
        return self.call(
            "POST",
            SERVERS,
            {"server": body | changes},
            by=by,
            headers={"X-Idempotency-Key": key},
        )

    def count(self) -> int:
        """Return how many servers there are."""
        [(count,)] = self.sql("SELECT count(*) FROM server")
        return count

    def test_repeated(self) -> None:
        """The same request makes one server and gets the same answer."""
        first = self.make("k", metadata={"a": "1", "b": "2"})
        again = self.make("k", metadata={"b": "2", "a": "1"})
        self.assertEqual((202, 202), (first.code, again.code), again.text)
        self.assertEqual(first.json, again.json)
        self.assertEqual(first.header("Location"), again.header("Location"))
        self.assertEqual(1, self.count())
        self.assertEqual([(1,)], self.sql("SELECT count(*) FROM orders"))

    def test_deleted_meanwhile(self) -> None:
        """Also when the server has been deleted since."""
        first = self.make("k")
        self.call("DELETE", f"{SERVERS}/{first.json['server']['id']}", by=ALICE)
        self.assertEqual(first.json, self.make("k").json)
        self.assertEqual(1, self.count())

    def test_several(self) -> None:
        """Of several that were asked for together as well."""
        wish = {"max_count": 2, "return_reservation_id": True}
        first, again = self.make("k", **wish), self.make("k", **wish)
        self.assertEqual(first.json, again.json)
        self.assertIsNone(again.header("Location"))
        self.assertEqual(2, self.count())

    def test_another_body(self) -> None:
        """The same key with another body is a 409."""
        self.make("k")
        reply = self.make("k", name="other")
        self.assertEqual(409, reply.code)
        self.assertIn("X-Idempotency-Key", reply.message)
        self.assertEqual(1, self.count())

    def test_other_keys(self) -> None:
        """Other keys, no key, and other projects' keys are other requests."""
        for by, key in ((ALICE, "k"), (ALICE, "K"), (BOB, "k")):
            self.assertEqual(202, self.make(key, by).code)
        self.server()
        self.server()
        self.assertEqual(5, self.count())

    def test_refused(self) -> None:
        """What was refused may be repeated, also with another body."""
        self.sql("UPDATE cluster SET drained = true")
        self.assertEqual(503, self.make("k").code)
        self.sql("UPDATE cluster SET drained = false")
        self.assertEqual(202, self.make("k", name="other").code)

    def test_old(self) -> None:
        """After 24 hours a key is free; others that old are removed."""
        self.make("k")
        self.make("l")
        self.sql("UPDATE idempotent_request SET created = now() - interval '23 hours'")
        self.assertEqual(409, self.make("k", name="x").code)
        self.sql("UPDATE idempotent_request SET created = now() - interval '25 hours'")
        self.assertEqual(202, self.make("k", name="x").code)
        self.assertEqual(3, self.count())
        self.assertEqual([("k",)], self.sql("SELECT key FROM idempotent_request"))

    def test_no_key(self) -> None:
        """What cannot be a key is a 400."""
        for key in ("", " ", "a b", "k" * 256, "\xe9"):
            reply = self.make(key)
            self.assertEqual(400, reply.code, key)
        self.assertEqual(0, self.count())
        self.assertEqual(202, self.make("~" * 255).code)


class RaceTests(TestCase):
    """Several at once, on connections of their own."""

    timeout = 60

    def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        connection = connect(self.dsn, None)
        with connection, connection.cursor() as txn:
            world.make(txn)
        connection.close()

    def work(self, number: int, digest: bytes) -> Any:
        """Do a request's work, unless another has; return what is answered."""
        connection = connect(self.dsn, None)
        try:
            with connection, connection.cursor() as txn:
                before = repeats.begin(txn, PROJECT_A.id, "k", digest)
                if before is None:
                    txn.execute("SELECT pg_sleep(0.05)")
                    repeats.end(txn, PROJECT_A.id, "k", {"number": number})
                    before = {"number": number}
                return json.dumps(before)
        except Conflict:
            return "conflict"
        finally:
            connection.close()

    async def test_same(self) -> None:
        """One does the work, and all tell what it has told."""
        told = await gatherResults(
            [deferToThread(self.work, number, b"d") for number in range(8)]
        )
        self.assertEqual(1, len(set(told)), told)

    async def test_different(self) -> None:
        """Of two that ask for different things one is told so."""
        told = await gatherResults(
            [
                deferToThread(self.work, n, digest)
                for n, digest in enumerate((b"a", b"b"))
            ]
        )
        self.assertEqual(1, told.count("conflict"), told)
