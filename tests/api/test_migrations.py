"""``/os-migrations`` and ``/servers/{id}/migrations``."""

from typing import Any
from uuid import uuid4

from snf.core.order import MOVES, State
from snf.core.server import Life, Observed
from snf.storage.moves import STATUSES
from snf.testing.world import ADMIN, ALICE, CLUSTER, PROJECT_ADMIN
from tests.api.case import ROOT, SERVERS, ApiTestCase, Reply
from tests.api.test_moves import LIVE_25

URL = "/compute/v2.1/os-migrations"


class MigrationTestCase(ApiTestCase):
    """Three servers: one migrated, one evacuated, one being migrated live."""

    page_size = 2

    def setUp(self) -> None:
        super().setUp()
        self.cold, self.dead, self.running = (self.server() for _ in range(3))
        self.move(self.cold, {"migrate": {"host": "node2"}}, Life(Observed.UP), "done")
        self.move(self.dead, {"evacuate": {}}, Life(Observed.UNKNOWN), "failed")
        self.move(self.running, {"os-migrateLive": LIVE_25}, Life(Observed.UP))

    def move(self, server: str, body: Any, life: Life, state: str = "submitted"):
        self.live(server, life)
        url = f"{SERVERS}/{server}/action"
        reply = self.call("POST", url, body, by=ADMIN, version="2.96")
        self.assertIn(reply.code, (200, 202), reply.text)
        self.sql(
            "UPDATE orders o SET state = %s FROM server s WHERE s.id = o.server_id"
            " AND s.uuid = %s AND o.kind <> 'create'",
            state,
            server,
        )

    def ask(self, query: str = "", version: str = "2.96", by=ADMIN) -> Reply:
        return self.call("GET", URL + query, by=by, version=version)

    def found(self, query: str = "", version: str = "2.58") -> list[dict[str, Any]]:
        reply = self.ask(query, version)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["migrations"]


class ListTests(MigrationTestCase):
    """All migrations."""

    page_size = 1000

    def test_oldest(self) -> None:
        """The newest is first; each tells from where to where, and how far it is."""
        shown = self.found(version="2.22")
        self.assertEqual(
            [self.running, self.dead, self.cold],
            [one["instance_uuid"] for one in shown],
        )
        self.assertEqual(
            ["running", "failed", "confirmed"], [one["status"] for one in shown]
        )
        last = shown[-1]
        for name in ("created_at", "updated_at"):
            self.assertRegex(last.pop(name), r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}$")
        self.assertIsInstance(last.pop("id"), int)
        self.assertEqual(
            {
                "instance_uuid": self.cold,
                "status": "confirmed",
                "source_compute": CLUSTER.name,
                "source_node": CLUSTER.name,
                "dest_compute": CLUSTER.name,
                "dest_node": "node2",
                "dest_host": None,
                "old_instance_type_id": None,
                "new_instance_type_id": None,
            },
            last,
        )

    def test_versions(self) -> None:
        """From 2.23 on with the type, from 2.59 with a UUID, from 2.80 with whose."""
        oldest = set(self.found(version="2.1")[-1])
        for version, more in (
            ("2.22", set()),
            ("2.23", {"migration_type"}),
            ("2.58", {"migration_type"}),
            ("2.59", {"migration_type", "uuid"}),
            ("2.79", {"migration_type", "uuid"}),
            ("2.80", {"migration_type", "uuid", "user_id", "project_id"}),
        ):
            newest, dead, cold = self.found(version=version)
            self.assertEqual(oldest | more, set(cold), version)
            self.assertEqual(set(cold), set(dead))
            linked = {"links"} if more else set()
            self.assertEqual(set(cold) | linked, set(newest))
        self.assertEqual(
            ["live-migration", "evacuation", "migration"],
            [one["migration_type"] for one in self.found(version="2.80")],
        )
        whose = (str(ADMIN.id), str(PROJECT_ADMIN.id))
        self.assertEqual(whose, (cold["user_id"], cold["project_id"]))

    def test_filters(self) -> None:
        """Each parameter narrows it."""
        for query, version, servers in (
            (f"instance_uuid={self.cold}", "2.1", [self.cold]),
            ("instance_uuid=x", "2.1", []),
            (f"host={CLUSTER.name}&status=failed", "2.1", [self.dead]),
            ("host=x", "2.1", []),
            ("source_compute=x", "2.59", []),
            ("migration_type=migration", "2.59", [self.cold]),
            ("migration_type=resize", "2.59", []),
            ("status=x", "2.96", []),
            ("hidden=0&migration_type=evacuation", "2.96", [self.dead]),
            (f"user_id={ALICE.id}", "2.80", []),
            (f"user_id={ADMIN.id}&limit=1", "2.80", [self.running]),
            (f"project_id={uuid4()}", "2.80", []),
            ("project_id=x", "2.80", []),
            ("changes-since=2999-01-01", "2.59", []),
            ("changes-before=2020-01-01", "2.66", []),
            ("changes-since=2020-01-01&limit=1", "2.59", [self.running]),
        ):
            found = [one["instance_uuid"] for one in self.found(f"?{query}", version)]
            self.assertEqual(servers, found, query)

    def test_refused(self) -> None:
        """From 2.59 on what makes no sense is a 400; before, it is passed over."""
        for query, version in (
            ("nonsense=1", "2.59"),
            ("changes-before=2020-01-01", "2.65"),
            ("user_id=x", "2.79"),
            ("limit=x", "2.59"),
            ("marker=x", "2.59"),
            (f"marker={uuid4()}", "2.59"),
            ("changes-since=x", "2.59"),
            ("changes-since=2021-01-01&changes-before=2020-01-01", "2.66"),
        ):
            self.assertEqual(400, self.ask(f"?{query}", version).code, query)
            self.assertEqual(3, len(self.found(f"?{query}", "2.58")), query)

    def test_words(self) -> None:
        """Every kind has a word for every state."""
        self.assertEqual(MOVES, STATUSES.keys())
        for words in STATUSES.values():
            self.assertEqual(set(State), words.keys())

    def test_admins_only(self) -> None:
        """Nobody else sees it."""
        self.assertEqual(403, self.ask(by=ALICE).code)


class PageTests(MigrationTestCase):
    """Lists longer than a page."""

    def test_pages(self) -> None:
        """A page leads to the next one, with the same filters, until the end."""
        path, seen = f"{URL}?host={CLUSTER.name}", []
        while path:
            reply = self.call("GET", path, by=ADMIN, version="2.59").json
            seen += [one["instance_uuid"] for one in reply["migrations"]]
            [link] = reply.get("migrations_links", [{"href": ROOT}])
            path = link["href"].removeprefix(ROOT)
        self.assertEqual([self.running, self.dead, self.cold], seen)

    def test_unpaged(self) -> None:
        """Versions that know no pages have one, without a link."""
        reply = self.ask(version="2.58").json
        self.assertEqual(2, len(reply.pop("migrations")))
        self.assertEqual({}, reply)


class ServerTests(MigrationTestCase):
    """The live migrations of a server that are under way."""

    def of(self, server: str, path: str = "", version="2.96", by=ADMIN) -> Reply:
        url = f"{SERVERS}/{server}/migrations{path}"
        return self.call("GET", url, by=by, version=version)

    def test_listed(self) -> None:
        """It is listed and shown until it has ended."""
        [listed] = self.of(self.running).json["migrations"]
        path = f"/{listed['id']}"
        self.assertEqual(listed, self.of(self.running, path).json["migration"])
        self.assertEqual(
            ("running", self.running, None),
            tuple(
                listed[name] for name in ("status", "server_uuid", "memory_total_bytes")
            ),
        )
        self.sql("UPDATE orders SET state = 'done' WHERE kind = 'live-migration'")
        self.assertEqual([], self.of(self.running).json["migrations"])
        self.assertEqual(404, self.of(self.running, path).code)

    def test_linked(self) -> None:
        """The list of all leads there."""
        [newest, *_] = self.found()
        href = newest["links"][0]["href"].removeprefix(ROOT)
        reply = self.call("GET", href, by=ADMIN, version="2.23")
        self.assertEqual(newest["id"], reply.json["migration"]["id"])

    def test_versions(self) -> None:
        """It is there from 2.23 on; with a UUID from 2.59, with whose from 2.80."""
        self.assertEqual(404, self.of(self.running, version="2.22").code)
        sets = [
            set(self.of(self.running, version=version).json["migrations"][0])
            for version in ("2.23", "2.59", "2.80")
        ]
        self.assertEqual({"uuid"}, sets[1] - sets[0])
        self.assertEqual({"user_id", "project_id"}, sets[2] - sets[1])

    def test_others(self) -> None:
        """Those that are not live are not there, nor those of other servers."""
        for server in (self.cold, self.dead):
            self.assertEqual([], self.of(server).json["migrations"])
        [listed] = self.of(self.running).json["migrations"]
        for server, number in (
            (self.cold, listed["id"]),
            (self.running, 999_999_999_999_999_999),
            (self.running, "9" * 30),
            (self.running, "x"),
            (self.running, "-1"),
            (self.running, listed["uuid"]),
        ):
            self.assertEqual(404, self.of(server, f"/{number}").code, number)
        self.assertEqual(404, self.of(str(uuid4())).code)
        self.assertEqual(403, self.of(self.running, by=ALICE).code)

    def test_changes_nothing(self) -> None:
        """It can neither be aborted nor forced to end."""
        [listed] = self.of(self.running).json["migrations"]
        url = f"{SERVERS}/{self.running}/migrations/{listed['id']}"
        for method, path, body, code in (
            ("DELETE", "", None, 405),
            ("POST", "/action", {"force_complete": None}, 404),
        ):
            reply = self.call(method, url + path, body, by=ADMIN, version="2.96")
            self.assertEqual(code, reply.code)
        self.assertEqual([listed], self.of(self.running).json["migrations"])
