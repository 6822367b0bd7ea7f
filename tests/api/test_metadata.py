"""``/servers/{id}/metadata``, ``/meta`` and ``/ips``."""

from urllib.parse import quote
from uuid import uuid4

from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import SERVERS, ApiTestCase, Reply


class MetadataTestCase(ApiTestCase):
    """A test with a server that has ``{"a": "1"}``."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server(metadata={"a": "1"})

    def ask(self, method, path="", body=None, by=ALICE, under="metadata") -> Reply:
        """Ask for something below the server's metadata."""
        url = f"{SERVERS}/{self.mine}/{under}{path}"
        return self.call(method, url, body, by=by)

    def has(self) -> dict[str, str]:
        """Return what the server has."""
        return self.shown(self.mine)["metadata"]


class MetadataTests(MetadataTestCase):
    """All verbs."""

    def test_list(self) -> None:
        """What the server shows is listed."""
        self.assertEqual({"metadata": {"a": "1"}}, self.ask("GET").json)
        self.assertEqual({"meta": {"a": "1"}}, self.ask("GET", "/a").json)

    def test_merge(self) -> None:
        """POST sets some, leaves others, and answers with all."""
        reply = self.ask("POST", body={"metadata": {"a": "2", "κλειδί": "τιμή"}})
        self.assertEqual(200, reply.code, reply.text)
        both = {"a": "2", "κλειδί": "τιμή"}
        self.assertEqual({"metadata": both}, reply.json)
        self.assertEqual(both, self.has())
        self.ask("POST", body={"metadata": {}})
        self.assertEqual(both, self.has())

    def test_replace(self) -> None:
        """PUT sets all."""
        reply = self.ask("PUT", body={"metadata": {"b": ""}})
        self.assertEqual((200, {"metadata": {"b": ""}}), (reply.code, reply.json))
        self.assertEqual({"b": ""}, self.has())
        self.ask("PUT", body={"metadata": {}})
        self.assertEqual({}, self.has())

    def test_one(self) -> None:
        """One is set, set anew and removed by its key."""
        for value in ("x", "y"):
            reply = self.ask("PUT", "/b", {"meta": {"b": value}})
            self.assertEqual((200, {"meta": {"b": value}}), (reply.code, reply.json))
        self.assertEqual({"a": "1", "b": "y"}, self.has())
        self.assertEqual(204, self.ask("DELETE", "/a").code)
        self.assertEqual(404, self.ask("DELETE", "/a").code)
        self.assertEqual(404, self.ask("GET", "/a").code)
        self.assertEqual({"b": "y"}, self.has())

    def test_odd_keys(self) -> None:
        """A key is what the URL says, also when it looks odd."""
        for key in ("a b", "%", "metadata", "ä", "a.b-c:d", "'"):
            path = "/" + quote(key, safe="")
            reply = self.ask("PUT", path, {"meta": {key: "x"}})
            self.assertEqual(200, reply.code, (key, reply.text))
            self.assertEqual({"meta": {key: "x"}}, self.ask("GET", path).json)
            self.assertEqual(204, self.ask("DELETE", path).code)
        for path in ("/%00", "/%0a", "/" + "x" * 5000):
            self.assertEqual(404, self.ask("GET", path).code)
            self.assertEqual(404, self.ask("DELETE", path).code)

    def test_updated(self) -> None:
        """Each change is one of the server's: clients that poll see it."""
        for method, path, body in (
            ("POST", "", {"metadata": {"b": "2"}}),
            ("PUT", "", {"metadata": {"b": "3"}}),
            ("PUT", "/b", {"meta": {"b": "4"}}),
            ("DELETE", "/b", None),
        ):
            self.sql("UPDATE server SET updated = '2020-01-01Z'")
            self.ask(method, path, body)
            self.assertNotIn("2020", self.shown(self.mine)["updated"], method)

    def test_too_many(self) -> None:
        """A server has 128 at most, in one go or bit by bit; nothing is kept then."""
        many = {f"k{number}": "" for number in range(127)}
        self.assertEqual(200, self.ask("POST", body={"metadata": many}).code)
        for method, path, body in (
            ("POST", "", {"metadata": {"z": ""}}),
            ("PUT", "/z", {"meta": {"z": ""}}),
        ):
            reply = self.ask(method, path, body)
            self.assertEqual(403, reply.code)
            self.assertIn("128", reply.message)
        self.assertEqual({"a": "1", **many}, self.has())
        self.assertEqual(200, self.ask("POST", body={"metadata": {"a": "2"}}).code)
        more = {f"k{number}": "" for number in range(129)}
        self.assertEqual(400, self.ask("PUT", body={"metadata": more}).code)

    def test_refused(self) -> None:
        """What makes no sense is a 400 and changes nothing."""
        for body in (
            {},
            [],
            {"metadata": None},
            {"metadata": []},
            {"metadata": {"a": 1}},
            {"metadata": {"a": None}},
            {"metadata": {"": "x"}},
            {"metadata": {"\0": "x"}},
            {"metadata": {"x": "\0"}},
            {"metadata": {"x" * 256: "x"}},
            {"metadata": {"x": "x" * 256}},
            {"metadata": {}, "x": 1},
            {"meta": {"a": "2"}},
        ):
            for method in ("POST", "PUT"):
                reply = self.ask(method, "", body)
                self.assertEqual(400, reply.code, (body, reply.text))
        for body in (
            {"meta": {}},
            {"meta": {"b": "2"}},
            {"meta": {"a": "2", "b": "2"}},
            {"meta": {"a": 2}},
            {"metadata": {"a": "2"}},
        ):
            self.assertEqual(400, self.ask("PUT", "/a", body).code, body)
        self.assertEqual({"a": "1"}, self.has())

    def test_others(self) -> None:
        """Others' servers are not there; a reader only reads; an admin may all."""
        changes = (
            ("POST", "", {"metadata": {"b": "2"}}),
            ("PUT", "", {"metadata": {"b": "2"}}),
            ("PUT", "/b", {"meta": {"b": "2"}}),
            ("DELETE", "/a", None),
        )
        for method, path, body in (("GET", "", None), ("GET", "/a", None), *changes):
            self.assertEqual(404, self.ask(method, path, body, BOB).code)
        self.assertEqual(200, self.ask("GET", by=READER).code)
        for method, path, body in changes:
            self.assertEqual(403, self.ask(method, path, body, READER).code)
        self.assertEqual({"a": "1"}, self.has())
        self.assertEqual(204, self.ask("DELETE", "/a", None, ADMIN).code)

    def test_missing(self) -> None:
        """A server that is not there has none; deeper there is nothing."""
        for server in (str(uuid4()), "x"):
            reply = self.call("GET", f"{SERVERS}/{server}/metadata", by=ALICE)
            self.assertEqual(404, reply.code)
        self.assertEqual(404, self.ask("GET", "/a/b").code)
        self.assertEqual(405, self.ask("DELETE").code)


class MetaTests(MetadataTestCase):
    """The same, by Synnefo's name and with its codes."""

    def test_verbs(self) -> None:
        """All verbs but the one that sets all."""
        for method, path, body, code, answer in (
            ("GET", "", None, 200, {"metadata": {"a": "1"}}),
            (
                "POST",
                "",
                {"metadata": {"b": "2"}},
                201,
                {"metadata": {"a": "1", "b": "2"}},
            ),
            ("PUT", "/b", {"meta": {"b": "3"}}, 201, {"meta": {"b": "3"}}),
            ("GET", "/b", None, 200, {"meta": {"b": "3"}}),
        ):
            reply = self.ask(method, path, body, under="meta")
            self.assertEqual((code, answer), (reply.code, reply.json))
        self.assertEqual(204, self.ask("DELETE", "/b", under="meta").code)
        self.assertEqual({"a": "1"}, self.has())


class AddressTests(MetadataTestCase):
    """``/servers/{id}/ips``."""

    def test_list(self) -> None:
        """Addresses by network, all and those of one."""
        addresses = {"default": [{"version": 4, "addr": "192.0.2.10"}]}
        self.assertEqual({"addresses": addresses}, self.ask("GET", under="ips").json)
        self.assertEqual(addresses, self.ask("GET", "/default", under="ips").json)

    def test_missing(self) -> None:
        """A network that the server is not on, or another's server, is a 404."""
        self.assertEqual(404, self.ask("GET", "/nope", under="ips").code)
        self.assertEqual(404, self.ask("GET", by=BOB, under="ips").code)
