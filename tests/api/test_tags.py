"""``/servers/{id}/tags`` and the filters by tags."""

from typing import Any
from urllib.parse import quote

from snf.testing.world import ALICE, BOB, READER
from tests.api.case import ROOT, SERVERS, ApiTestCase, Reply


class TagTestCase(ApiTestCase):
    """A test with a server."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server()

    def ask(self, method, path="", body: Any = None, by=ALICE, version="2.26") -> Reply:
        """Ask for something below the server's tags."""
        url = f"{SERVERS}/{self.mine}/tags{path}"
        return self.call(method, url, body, by=by, version=version)

    def put(self, *tags: str, server: str = "") -> None:
        """Set the tags of a server."""
        url = f"{SERVERS}/{server or self.mine}/tags"
        reply = self.call("PUT", url, {"tags": tags}, by=ALICE, version="2.26")
        self.assertEqual(200, reply.code, reply.text)

    def has(self) -> list[str]:
        """Return the tags that there are."""
        return self.ask("GET").json["tags"]


class TagTests(TagTestCase):
    """All verbs."""

    def test_all(self) -> None:
        """They are set and removed together."""
        reply = self.ask("PUT", body={"tags": ["b", "a", "b", "ετικέτα", "c d"]})
        self.assertEqual(200, reply.code, reply.text)
        self.assertEqual({"tags": ["a", "b", "c d", "ετικέτα"]}, reply.json)
        self.put("x")
        self.assertEqual(["x"], self.has())
        self.assertEqual(204, self.ask("DELETE").code)
        self.assertEqual([], self.has())

    def test_one(self) -> None:
        """One is added, looked for and removed."""
        self.assertEqual(404, self.ask("GET", "/a").code)
        reply = self.ask("PUT", "/a")
        self.assertEqual(201, reply.code)
        place = f"{ROOT}{SERVERS}/{self.mine}/tags/a"
        self.assertEqual(place, reply.header("Location"))
        self.assertEqual(204, self.ask("PUT", "/a").code)
        self.assertEqual(204, self.ask("GET", "/a").code)
        self.assertEqual(204, self.ask("DELETE", "/a").code)
        self.assertEqual(404, self.ask("DELETE", "/a").code)

    def test_odd(self) -> None:
        """What cannot be a tag is a 400 to add, and not there otherwise."""
        for tag in (",", "a,b", "\0", "x" * 61, "a\n"):
            path = "/" + quote(tag, safe="")
            for method, code in (("PUT", 400), ("GET", 404), ("DELETE", 404)):
                self.assertEqual(code, self.ask(method, path).code, (tag, method))
        odd = "%ä'; --"
        self.assertEqual(201, self.ask("PUT", "/" + quote(odd)).code)
        self.assertEqual([odd], self.has())

    def test_too_many(self) -> None:
        """A server has 50 at most."""
        self.put(*(f"t{number}" for number in range(50)))
        reply = self.ask("PUT", "/more")
        self.assertEqual((400, 50), (reply.code, len(self.has())))
        self.assertIn("50", reply.message)
        self.assertEqual(204, self.ask("PUT", "/t0").code)
        body = {"tags": [f"t{number}" for number in range(51)]}
        self.assertEqual(400, self.ask("PUT", body=body).code)

    def test_refused(self) -> None:
        """What is no list of tags is a 400."""
        for body in (
            {},
            [],
            {"tags": None},
            {"tags": "a"},
            {"tags": [1]},
            {"tags": [""]},
            {"tags": ["a,b"]},
            {"tags": ["a/b"]},
            {"tags": ["x" * 61]},
            {"tags": [], "x": 1},
        ):
            self.assertEqual(400, self.ask("PUT", body=body).code, body)

    def test_versions(self) -> None:
        """There are none before 2.26, and servers do not show them."""
        for method, path in (("GET", ""), ("PUT", "/a"), ("DELETE", "/a")):
            self.assertEqual(404, self.ask(method, path, version="2.25").code)
        for version, shown in (("2.25", False), ("2.26", True), ("2.96", True)):
            url = f"{SERVERS}/{self.mine}"
            server = self.call("GET", url, by=ALICE, version=version).json["server"]
            self.assertEqual(shown, "tags" in server)

    def test_others(self) -> None:
        """Others' servers are not there; a reader only reads."""
        self.put("a")
        for method, path in (("GET", ""), ("PUT", "/b"), ("DELETE", "/a")):
            self.assertEqual(404, self.ask(method, path, by=BOB).code)
        self.assertEqual(204, self.ask("GET", "/a", by=READER).code)
        self.assertEqual(403, self.ask("DELETE", "/a", by=READER).code)

    def test_updated(self) -> None:
        """Each change is one of the server's."""
        self.sql("UPDATE server SET updated = '2020-01-01Z'")
        self.ask("PUT", "/a")
        self.assertNotIn("2020", self.shown(self.mine)["updated"])


class FilterTests(TagTestCase):
    """``tags``, ``tags-any``, ``not-tags`` and ``not-tags-any``."""

    def setUp(self) -> None:
        super().setUp()
        self.put("a", "b")
        self.put("a", server=self.server(name="second"))
        self.server(name="none")

    def names(self, query: str, version: str = "2.26") -> set[str]:
        """Return the names that are found."""
        reply = self.call("GET", f"{SERVERS}?{query}", by=ALICE, version=version)
        self.assertEqual(200, reply.code, reply.text)
        return {server["name"] for server in reply.json["servers"]}

    def test_filters(self) -> None:
        """With all, with any, not with all, with none."""
        for query, found in (
            ("tags=a", {"web", "second"}),
            ("tags=a,b", {"web"}),
            ("tags=b,x", set()),
            ("tags-any=b,x", {"web"}),
            ("not-tags=a,b", {"second", "none"}),
            ("not-tags-any=a,b", {"none"}),
            ("tags=a&not-tags=b", {"second"}),
            ("tags=%27", set()),
            ("tags=", {"web", "second", "none"}),
        ):
            self.assertEqual(found, self.names(query), query)

    def test_before(self) -> None:
        """Before 2.26 they narrow nothing."""
        self.assertEqual(3, len(self.names("tags=b", "2.25")))
