"""``lock`` and ``unlock``."""

from typing import Any

from snf.core.server import Life, Observed
from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import SERVERS, ApiTestCase, Reply


class LockTests(ApiTestCase):
    """What is locked is changed by nobody but admins."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.server(metadata={"a": "b"})
        self.live(self.mine, Life(Observed.UP))

    def ask(self, body: Any, by=ALICE, version="2.73") -> Reply:
        """Ask for an action."""
        url = f"{SERVERS}/{self.mine}/action"
        return self.call("POST", url, body, by=by, version=version)

    def lock(self) -> tuple[Any, Any]:
        """Return whether it is locked, and why."""
        url = f"{SERVERS}/{self.mine}"
        shown = self.call("GET", url, by=ALICE, version="2.73").json["server"]
        return shown["locked"], shown["locked_reason"]

    def changes(self, by=ALICE) -> list[int]:
        """Return the answers to all that changes a server."""
        url = f"{SERVERS}/{self.mine}"
        return [
            self.call(method, url + path, body, by=by).code
            for method, path, body in (
                ("POST", "/metadata", {"metadata": {"c": "d"}}),
                ("PUT", "/metadata", {"metadata": {"c": "d"}}),
                ("PUT", "/meta/c", {"meta": {"c": "d"}}),
                ("DELETE", "/metadata/c", None),
                ("POST", "/action", {"os-stop": None}),
                ("DELETE", "", None),
            )
        ]

    def test_locked(self) -> None:
        """Changes are a 409 that says so; names and tags can be changed."""
        self.assertEqual(202, self.ask({"lock": None}).code)
        self.assertEqual((True, None), self.lock())
        self.assertEqual([409] * 6, self.changes())
        reply = self.ask({"os-stop": None})
        self.assertIn("is locked", reply.json["conflictingRequest"]["message"])
        rename = {"server": {"name": "x"}}
        reply = self.call("PUT", f"{SERVERS}/{self.mine}", rename, by=ALICE)
        self.assertEqual(200, reply.code)
        self.assertEqual("ACTIVE", self.shown(self.mine)["status"])
        self.assertEqual(202, self.ask({"unlock": None}).code)
        self.assertEqual((False, None), self.lock())
        self.assertEqual([200, 200, 201, 204, 202, 204], self.changes())

    def test_admins(self) -> None:
        """A lock does not keep an admin off."""
        self.ask({"lock": None})
        self.assertEqual([200, 200, 201, 204, 202, 204], self.changes(ADMIN))

    def test_reason(self) -> None:
        """A reason can be given from 2.73 on; the owner's first one stays."""
        self.ask({"lock": {"locked_reason": "χρειάζεται"}})
        self.assertEqual((True, "χρειάζεται"), self.lock())
        self.ask({"lock": {"locked_reason": "other"}})
        self.assertEqual((True, "χρειάζεται"), self.lock())
        reply = self.ask({"lock": {"locked_reason": "x"}}, version="2.72")
        self.assertEqual(400, reply.code)

    def test_by_an_admin(self) -> None:
        """What an admin has locked its owner does not unlock."""
        self.assertEqual(202, self.ask({"lock": None}, ADMIN).code)
        self.assertEqual(403, self.ask({"unlock": None}).code)
        self.assertEqual(202, self.ask({"lock": None}).code)
        self.assertEqual(403, self.ask({"unlock": None}).code)
        self.assertEqual(202, self.ask({"unlock": None}, ADMIN).code)
        self.assertEqual((False, None), self.lock())

    def test_admin_unlocks(self) -> None:
        """An admin unlocks what the owner has locked."""
        self.ask({"lock": None})
        self.assertEqual(202, self.ask({"unlock": None}, ADMIN).code)
        self.assertEqual((False, None), self.lock())

    def test_found(self) -> None:
        """Locked servers are found, and sorted, from 2.73 on."""
        self.server(name="open")
        self.ask({"lock": None})
        for query, version, found in (
            ("locked=true", "2.73", ["web"]),
            ("locked=false", "2.73", ["open"]),
            ("locked=true", "2.72", ["open", "web"]),
            ("sort_key=locked", "2.73", ["web", "open"]),
            ("sort_key=locked&sort_dir=asc", "2.73", ["open", "web"]),
        ):
            url = f"{SERVERS}?{query}"
            listed = self.call("GET", url, by=ALICE, version=version).json["servers"]
            self.assertEqual(found, [one["name"] for one in listed], query)

    def test_refused(self) -> None:
        """Other arguments are a 400, and nothing is locked."""
        for body in (
            {"lock": 1},
            {"lock": []},
            {"lock": {}},
            {"lock": {"locked_reason": ""}},
            {"lock": {"locked_reason": None}},
            {"lock": {"locked_reason": 1}},
            {"lock": {"locked_reason": "a\0"}},
            {"lock": {"locked_reason": "x" * 256}},
            {"lock": {"locked_reason": "x", "y": 1}},
            {"lock": None, "unlock": None},
            {"unlock": {"locked_reason": "x"}},
        ):
            self.assertEqual(400, self.ask(body).code, body)
        self.assertEqual((False, None), self.lock())

    def test_others(self) -> None:
        """Others' servers are not there; a reader locks nothing."""
        for name in ("lock", "unlock"):
            self.assertEqual(404, self.ask({name: None}, BOB).code)
            self.assertEqual(403, self.ask({name: None}, READER).code)
