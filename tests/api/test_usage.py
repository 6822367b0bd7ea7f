"""``os-simple-tenant-usage``."""

from typing import Any
from uuid import UUID, uuid4

from snf.testing.world import ADMIN, ALICE, BOB, LARGE, PROJECT_A, PROJECT_B, READER
from tests.api.case import ApiTestCase, Reply

USAGE = "/compute/v2.1/os-simple-tenant-usage"
MINE = f"{USAGE}/{PROJECT_A.id}"
DAY = "start=2026-10-02&end=2026-10-03"


class UsageTests(ApiTestCase):
    """Servers of two projects, at given times."""

    page_size = 3

    def there(self, by: Any, launched: str, deleted: str | None, **changes: Any) -> str:
        """Have a server that was there from when to when."""
        server = self.server(by, **changes)
        self.sql(
            "UPDATE server SET launched = %s, deleted = %s, status ="
            " CASE WHEN %s IS NULL THEN 'ACTIVE' ELSE 'DELETED' END WHERE uuid = %s",
            launched,
            deleted,
            deleted,
            UUID(server),
        )
        return server

    def used(self, query: str = DAY, by: Any = ALICE) -> dict[str, Any]:
        """Return what alice's project has used."""
        reply = self.call("GET", f"{MINE}?{query}", by=by)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json["tenant_usage"]

    def test_hours(self) -> None:
        """What counts is how long servers were there within the period."""
        self.there(ALICE, "2026-10-01T12:00Z", "2026-10-02T06:00Z")
        whole = self.there(
            ALICE, "2026-10-01T00:00Z", "2026-10-04T00:00Z", flavorRef=str(LARGE.id)
        )
        self.there(ALICE, "2026-10-01T00:00Z", "2026-10-02T00:00Z")
        self.there(ALICE, "2026-10-03T00:00Z", None)
        self.there(BOB, "2026-10-02T00:00Z", "2026-10-02T01:00Z")
        self.server()
        used = self.used()
        self.assertEqual(
            (30.0, 6 + 24 * 4, 6 * 128 + 24 * 4096, 6 + 24 * 40),
            tuple(
                used[f"total_{key}"]
                for key in ("hours", "vcpus_usage", "memory_mb_usage", "local_gb_usage")
            ),
        )
        self.assertEqual(
            ("2026-10-02T00:00:00.000000", "2026-10-03T00:00:00.000000"),
            (used["start"], used["stop"]),
        )
        long, short = sorted(
            used["server_usages"], key=lambda one: one["hours"], reverse=True
        )
        self.assertEqual((24.0, 6.0), (long["hours"], short["hours"]))
        self.assertEqual(
            {
                "instance_id": whole,
                "tenant_id": str(PROJECT_A.id),
                "name": "web",
                "flavor": "large",
                "state": "terminated",
                "started_at": "2026-10-01T00:00:00.000000",
                "ended_at": "2026-10-04T00:00:00.000000",
                "hours": 24.0,
                "uptime": 3 * 86_400,
                "vcpus": 4,
                "memory_mb": 4096,
                "local_gb": 40,
            },
            long,
        )

    def test_still_there(self) -> None:
        """A server that is still there has no end, and counts to the period's."""
        self.there(ALICE, "2020-10-01T00:00Z", None)
        used = self.used("start=2020-10-02&end=2020-10-03T00:00:00.000000")
        self.assertEqual(24.0, used["total_hours"])
        [server] = used["server_usages"]
        self.assertEqual(("active", None), (server["state"], server["ended_at"]))

    def test_nothing(self) -> None:
        """A project that has used nothing is told so."""
        used = self.used()
        self.assertEqual((0.0, []), (used["total_hours"], used["server_usages"]))

    def test_everybody(self) -> None:
        """Admins see all projects; with ?detailed=1 their servers."""
        self.there(ALICE, "2026-10-02T00:00Z", "2026-10-02T01:00Z")
        self.there(BOB, "2026-10-02T00:00Z", "2026-10-02T02:00Z")
        for query, detailed in ((DAY, False), (f"{DAY}&detailed=1", True)):
            reply = self.call("GET", f"{USAGE}?{query}", by=ADMIN)
            found = {one["tenant_id"]: one for one in reply.json["tenant_usages"]}
            self.assertEqual(
                {str(PROJECT_A.id): 1.0, str(PROJECT_B.id): 2.0},
                {project: one["total_hours"] for project, one in found.items()},
            )
            for one in found.values():
                self.assertEqual(detailed, "server_usages" in one)

    def test_pages_end(self) -> None:
        """A client that asks for what is after the last server gets nothing more."""
        for _ in range(4):
            last = self.there(ALICE, "2026-10-02T00:00Z", "2026-10-02T01:00Z")
        used = self.used()
        self.assertEqual((4.0, 3), (used["total_hours"], len(used["server_usages"])))
        self.assertEqual({}, self.used(f"{DAY}&marker={last}"))
        reply = self.call("GET", f"{USAGE}?{DAY}&marker={last}", by=ADMIN)
        self.assertEqual([], reply.json["tenant_usages"])

    def refused(self, path: str, by: Any = ADMIN) -> Reply:
        return self.call("GET", path, by=by)

    def test_wrong_times(self) -> None:
        """A time that is none, and an end before the start, are a 400."""
        for query, word in (
            ("start=yesterday", "start"),
            ("end=2026-13-01", "end"),
            ("start=2026-10-02&end=2026-10-01", "start"),
            ("start=2026-10-02&end=2026-10-02", "start"),
            ("end=0001-01-01", "end"),
            ("start=0001-01-01T00:00:00%2B14:00", "start"),
        ):
            for path in (USAGE, MINE):
                reply = self.refused(f"{path}?{query}")
                self.assertEqual(400, reply.code, query)
                self.assertIn(word, reply.message)

    def test_far_away_times(self) -> None:
        """Years that are far away are no mistake."""
        self.there(ALICE, "2026-10-02T00:00Z", "2026-10-02T01:00Z")
        self.assertEqual(
            1.0, self.used("start=0001-01-01&end=9999-12-31")["total_hours"]
        )

    def test_others(self) -> None:
        """Another project's, and everybody's, are for admins."""
        for by in (BOB,):
            self.assertEqual(403, self.refused(MINE, by).code)
        for by in (ALICE, READER):
            self.assertEqual(403, self.refused(USAGE, by).code)
            self.assertEqual(200, self.refused(MINE, by).code)
        self.assertEqual(400, self.refused(f"{USAGE}/{uuid4()}").code)
