"""Whatever is wrong with a request, the refusal says what; it is never our bug."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from attrs import define, field

from snf.api import given
from snf.core.identity import Role, User
from snf.testing.world import ADMIN, ALICE
from tests.api.belongings import SituationTestCase
from tests.api.case import Reply
from tests.api.routes import Served, served
from tests.api.situations import MISSING, asked, version
from tests.api.spoil import Spoiled, spoiled

_NEWEST = "2.96"


def routes() -> list[Served]:
    """Return all routes, those of compute in one of its versions: v2.1 if it is there."""
    known = sorted(served(), key=lambda one: one.path.startswith("/compute/v2.1/"))
    return [*{(one.method, one.everywhere): one for one in known}.values()]


def readers() -> list[Served]:
    """Return those that read a body."""
    return [one for one in routes() if one.route.body is not None]


class BadInputTestCase(SituationTestCase):
    """A test that sends nonsense."""

    maxDiff = None
    max_body_bytes = 20_000

    def setUp(self) -> None:
        super().setUp()
        for user in (ALICE, ADMIN):
            self.token(user)

    def try_it(
        self,
        one: Served,
        data: bytes | None = None,
        query: str = "",
        newest: bool = False,
        **headers: str,
    ) -> Reply:
        """Return the answer to what is then undone, in the oldest version unless told."""
        user = self.caller(one)
        with self.database.rehearsal():
            return self.call(
                one.method,
                self.path(one, self.owned[user.name]) + query,
                data=data,
                by=None if one.rule.role is None else user,
                headers={"Content-Type": one.route.content_type, **headers},
                version=_NEWEST if newest else version(one),
            )

    def caller(self, one: Served) -> User:
        """Return who may call a route."""
        return ADMIN if one.rule.role is Role.ADMIN else ALICE


class FieldTests(BadInputTestCase):
    """A body in which one thing is wrong."""

    def test_fields(self) -> None:
        """It is never a bug; what is against the type is a 400 that names the field."""
        wrong = []
        for one, bad in self.all():
            reply = self.try_it(one, json.dumps(bad.body).encode())
            if fault := self.fault(bad, reply):
                body = json.dumps(bad.body)[:200]
                wrong.append(f"{one.method} {one.path} {body}: {fault}")
        self.assertEqual([], wrong)

    def test_keys(self) -> None:
        """Of an object with any keys the one that is wrong is named, not the others."""
        [create] = [
            one
            for one in readers()
            if (one.method, one.path) == ("POST", "/compute/v2.1/servers")
        ]
        for metadata, named in (
            ({"good": "v", "bad": 5}, "server.metadata.bad: Expected str, got int"),
            ({"good": "v", "bad\n": "v"}, "server.metadata.bad\n: Expected text"),
            ({"good": "v", "": "v"}, "server.metadata.: Expected str of length >= 1"),
            ({"good": "v", "bad": "v" * 256}, "server.metadata.bad: Expected str of"),
        ):
            body = {"server": asked(create).body["server"] | {"metadata": metadata}}
            reply = self.try_it(create, json.dumps(body).encode())
            self.assertEqual(400, reply.code)
            self.assertTrue(reply.message.startswith(named), reply.message)

    def all(self) -> Iterator[tuple[Served, Spoiled]]:
        """Return each route with each of the bodies."""
        for one in readers():
            for good in (asked(one).body, *asked(one).also):
                for bad in spoiled(one.route.body, good):
                    yield one, bad

    def fault(self, bad: Spoiled, reply: Reply) -> str | None:
        """Return what is not as it should be."""
        if reply.code >= 500:
            return f"{reply.code}: {reply.text!r}"
        if bad.sure and reply.code != 400:
            return f"{reply.code}, not 400"
        if reply.code == 400 and not any(name in reply.message for name in bad.names):
            return f"{reply.message!r} names none of {sorted(bad.names)}"
        return None


# What no route takes for JSON in UTF-8.
NOT_JSON = (
    b"",
    b"{",
    b"nonsense",
    b"{'a': 1}",
    b'{"a": NaN}',
    b'{"a": 1} {"a": 1}',
    b'{"a": 01}',
    b'{"a": "\xff"}',
    b'{"a": "\\ud800"}',
    b'\xef\xbb\xbf{"a": 1}',
    '{"a": 1}'.encode("utf-16"),
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
)

# What is JSON, and nothing that any route reads.
NO_OBJECTS = (b"null", b"true", b"0", b'""', b"[]", b"1e400", b"9" * 400)


class BodyTests(BadInputTestCase):
    """Bodies that are wrong as a whole."""

    def test_not_json(self) -> None:
        """They are a 400 that says so."""
        for one in readers():
            for data in NOT_JSON:
                reply = self.try_it(one, data)
                self.assertEqual(400, reply.code, (one, data[:40], reply.text))
                self.assertIn("JSON", reply.message)

    def test_no_objects(self) -> None:
        """Every route wants an object."""
        for one in readers():
            for data in NO_OBJECTS:
                reply = self.try_it(one, data)
                self.assertEqual(400, reply.code, (one, data[:40], reply.text))
                self.assertIn("body", reply.message)

    def test_types(self) -> None:
        """Another type of content is a 400 that names the header."""
        for one in readers():
            good = json.dumps(asked(one).body).encode()
            for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
                reply = self.try_it(one, good, **{"Content-Type": kind})
                self.assertEqual(400, reply.code, (one, kind, reply.text))
                self.assertIn("Content-Type", reply.message)

    def test_large(self) -> None:
        """A body beyond the limit is a 413 that names the limit, up to it is not."""
        for one in readers():
            good = json.dumps(asked(one).body).encode()
            for more, codes in ((0, (asked(one).code or one.code,)), (1, (413,))):
                data = good.ljust(self.max_body_bytes + more)
                reply = self.try_it(one, data)
                self.assertIn(reply.code, codes, (one, reply.text))
            self.assertIn(str(self.max_body_bytes), reply.message)

    def test_duplicates(self) -> None:
        """Of a key that is there twice one is read, never a mixture of both."""
        for one in readers():
            good = json.dumps(asked(one).body)
            reply = self.try_it(one, f"{good[:-1]}, {good[1:]}".encode())
            self.assertEqual(asked(one).code or one.code, reply.code, reply.text)


@define
class Noted(dict):
    """A query that notes what it is asked for."""

    names: set[str] = field(factory=set)

    def get(self, name: Any, default: Any = None) -> Any:
        """Return what it says."""
        self.names.add(name)
        return super().get(name, default)


VALUES = (
    "",
    " ",
    "-1",
    "0",
    "1.5",
    "9" * 30,
    "nonsense",
    "\n",
    "'; --",
    "(",
    "é" * 300,
    "x" * 5000,
    "2026-99-99",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    MISSING,
    MISSING.replace("-", ""),
)


class QueryTests(BadInputTestCase):
    """What is wrong in a query."""

    def caller(self, one: Served) -> User:
        """Return one who may ask for everything."""
        return ADMIN

    def test_never(self) -> None:
        """What is no text is a 400, whatever route it is sent to."""
        for one in routes():
            for value in ("%00", "%FF", "%ED%A0%80"):
                reply = self.try_it(one, query=f"?nonsense={value}")
                self.assertEqual(400, reply.code, (one, value, reply.text))
                self.assertIn("The query", reply.message)

    def test_parameters(self) -> None:
        """No value of what a route reads is a bug, and a refusal names the parameter."""
        wrong = []
        for one, newest in self.all():
            for name in sorted(self.read_by(one, newest)):
                for value in VALUES:
                    query = f"?{name}={quote(value)}"
                    reply = self.try_it(one, query=query, newest=newest)
                    unnamed = reply.code == 400 and name not in reply.message
                    if reply.code >= 500 or unnamed:
                        wrong.append(f"{one.method} {one.path}{query}: {reply.text!r}")
        self.assertEqual([], wrong)

    def all(self) -> Iterator[tuple[Served, bool]]:
        """Return the routes that read no body, compute's in its newest version, too."""
        for one in routes():
            if one.route.body is None:
                yield one, False
                if one.path.startswith("/compute/v2.1/"):
                    yield one, True

    def read_by(self, one: Served, newest: bool) -> set[str]:
        """Return the parameters that a route looks for."""
        noted = Noted()
        patch = self.patch(given, "arguments", lambda request: noted)
        try:
            self.try_it(one, newest=newest)
        finally:
            patch.restore()
        return noted.names
