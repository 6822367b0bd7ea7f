"""``GET /servers`` and ``/servers/detail``: filters and pages."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from snf.core.identity import User
from snf.core.server import Life, Observed
from snf.storage.database import connect
from snf.storage.search import _PLACES
from snf.testing.world import ADMIN, ALICE, BOB
from tests.api.case import ROOT, SERVERS, ApiTestCase, Reply


class ListTestCase(ApiTestCase):
    """A test that lists servers."""

    def listing(self, query: str = "", detail: bool = True, by=ALICE) -> Reply:
        """Ask for a list."""
        path = f"{SERVERS}/detail" if detail else SERVERS
        return self.call("GET", f"{path}?{query}", by=by)

    def names(self, query: str = "", by=ALICE) -> list[str]:
        """Return the names of the servers that a list has."""
        reply = self.listing(query, by=by)
        self.assertEqual(200, reply.code, reply.text)
        return [server["name"] for server in reply.json["servers"]]

    def assert_bad(self, query: str, named: str) -> None:
        """The list is refused, and the refusal says why."""
        for detail in (True, False):
            reply = self.listing(query, detail)
            self.assertEqual(400, reply.code, (query, reply.text))
            self.assertIn(named, reply.json["badRequest"]["message"])


class ShapeTests(ListTestCase):
    """What a list has."""

    def test_empty(self) -> None:
        """A list of nothing has no links."""
        for detail in (True, False):
            self.assertEqual({"servers": []}, self.listing(detail=detail).json)

    def test_brief(self) -> None:
        """The plain list has ids, names and links; the newest is first."""
        first, second = self.server(name="a"), self.server(name="b")
        found = self.listing(detail=False).json["servers"]
        self.assertEqual([second, first], [server["id"] for server in found])
        for server in found:
            self.assertEqual({"id", "name", "links"}, set(server))

    def test_detail(self) -> None:
        """The detailed list shows each server as it shows itself."""
        server = self.server(metadata={"a": "b"})
        self.assertEqual([self.shown(server)], self.listing().json["servers"])

    def test_changed(self) -> None:
        """What changes, of a server or of what it is made of, shows in the next list."""
        server = self.server(metadata={"a": "b"})
        other = self.server(by=BOB)
        for change in (
            "UPDATE server SET name = 'other', description = '\u00e4\n\"\\'",
            "UPDATE server SET updated = updated + interval '1.5 s'",
            "UPDATE server SET launched = now() - interval '1 day'",
            "UPDATE server SET locked_by = 'owner', lock_reason = 'so'",
            "UPDATE server SET hostname = 'host', pinned_zone = 'nova'",
            "UPDATE server SET observed = 'up', status = 'ACTIVE', task = NULL",
            "UPDATE server SET status = 'ERROR',"
            """ fault = '{"message": "no", "time": 1790000000.25, "code": 500}'""",
            "UPDATE server SET suspended = true, reservation = 'r-other'",
            "UPDATE server_metadata SET value = 'c'",
            "INSERT INTO server_tag (server_id, tag) SELECT id, 't' FROM server",
            "UPDATE flavor SET name = name || '2', vcpus = 7",
            "INSERT INTO flavor_extra_spec (flavor_id, key, value)"
            " SELECT id, 'k', 'v' FROM flavor",
            """UPDATE image SET properties = '{"os": "new"}'""",
            "UPDATE cluster SET name = 'elsewhere'",
            "UPDATE cluster SET offline = true",
            "UPDATE network SET name = name || '2'",
            "UPDATE address SET address = address + 100",
            "UPDATE security_group SET name = name || '2'",
            "UPDATE port SET grouped = true",
        ):
            self.sql(change)
            for version in ("2.1", "latest"):
                for _ in range(2):
                    self.assert_as_shown(server, ALICE, "", version)
                self.assert_as_shown(other, ADMIN, "all_tenants=1", version)

    def assert_as_shown(self, server: str, by: User, query: str, version: str) -> None:
        """A list has a server as it is shown, but for what is only shown."""
        path = f"{SERVERS}/detail?{query}"
        listed = self.call("GET", path, by=by, version=version).json["servers"]
        [found] = [one for one in listed if one["id"] == server]
        path = f"{SERVERS}/{server}"
        shown = self.call("GET", path, by=by, version=version).json["server"]
        shown.pop("server_groups", None)
        self.assertEqual(shown, found)

    def test_deleted_not_listed(self) -> None:
        """A deleted server is not listed, except for admins who ask for just those."""
        self.server()
        server = self.server()
        self.call("DELETE", f"{SERVERS}/{server}", by=ALICE)
        self.assertEqual(1, len(self.names()))
        self.assertEqual(1, len(self.names("deleted=True")))
        everything = "all_tenants=1&deleted=True"
        [shown] = self.listing(everything, by=ADMIN).json["servers"]
        self.assertEqual((server, "DELETED"), (shown["id"], shown["status"]))
        self.assertIsNotNone(shown["OS-SRV-USG:terminated_at"])

    def test_one_query(self) -> None:
        """A list takes as many queries as a list of fifty."""
        counts = []
        for more in (1, 49):
            for _ in range(more):
                self.server(metadata={"a": "b"})
            self.token(ALICE)
            self.database.queries.clear()
            self.names()
            counts.append(len(self.database.queries))
        # The token's, and the list's.
        self.assertEqual([2, 2], counts)


class PageTests(ListTestCase):
    """Lists in pages."""

    page_size = 5

    def walk(self, query: str, by=ALICE) -> tuple[list[str], int]:
        """Return the names met by following the links, and how many pages they took."""
        names, pages = [], 0
        path = f"{SERVERS}/detail?{query}"
        while path:
            reply = self.call("GET", path, by=by)
            self.assertEqual(200, reply.code, reply.text)
            names += [server["name"] for server in reply.json["servers"]]
            pages += 1
            [link] = reply.json.get("servers_links", [{"rel": "next", "href": ROOT}])
            self.assertEqual("next", link["rel"])
            path = link["href"].removeprefix(ROOT)
        return names, pages

    def test_every_size(self) -> None:
        """Whatever the size of its pages, a walk meets every server once."""
        made = [f"s{number}" for number in range(11)]
        for name in made:
            self.server(name=name)
        # All of one moment, as when many are made at once.
        self.sql("UPDATE server SET created = now() WHERE name < 's5'")
        for limit, pages in (("", 3), (0, 3), (1, 12), (2, 6), (4, 3), (5, 3), (99, 3)):
            names, took = self.walk(f"limit={limit}")
            self.assertEqual(sorted(made), sorted(names), limit)
            self.assertEqual(pages, took, limit)

    def test_filters_stay(self) -> None:
        """The link to the next page has the filters of this one."""
        for number in range(6):
            self.server(name=f"web {number}")
            self.server(BOB, name=f"db {number}")
        names, _ = self.walk("limit=2&all_tenants=True&name=%5Eweb%20%5B0-3%5D", ADMIN)
        self.assertEqual(["web 3", "web 2", "web 1", "web 0"], names)
        names, _ = self.walk("limit=2&all_tenants=True&status=build", ADMIN)
        self.assertEqual(12, len(names))

    def test_marker_goes(self) -> None:
        """A walk goes on when the server at the end of a page is deleted meanwhile."""
        for number in range(4):
            self.server(name=f"s{number}")
        page = self.listing("limit=2").json
        self.call("DELETE", f"{SERVERS}/{page['servers'][-1]['id']}", by=ALICE)
        path = page["servers_links"][0]["href"].removeprefix(ROOT)
        rest = self.call("GET", path, by=ALICE).json["servers"]
        self.assertEqual(["s1", "s0"], [server["name"] for server in rest])

    def test_unknown_marker(self) -> None:
        """A marker that is not there, no id, or another's server, is a 400."""
        others = self.server(BOB)
        missing = "00000000-0000-4000-8000-000000000000"
        for marker in (missing, "x", "", "%F0%9F%90%87", others):
            self.assert_bad(f"marker={marker}", "marker")

    def test_bad_limit(self) -> None:
        """A limit is a whole number that is not negative."""
        for limit in ("-1", "x", "1.5", "0x10", "1e3", "%D9%A1", "+1", "9" * 30):
            self.assert_bad(f"limit={limit}", "limit")

    def test_huge_limit(self) -> None:
        """A huge limit is cut to the size of a page."""
        for _ in range(6):
            self.server()
        self.assertEqual(5, len(self.names(f"limit={10**17}")))


_SLOW = r"(.+)(.+)(.+)(.+).*\4\3\2\1"


class NameTests(ListTestCase):
    """``?name=``: a regular expression, as with Nova."""

    def test_matches(self) -> None:
        """It is found anywhere in the name, in any case."""
        for name in ("web-1", "web-2", "db", "Ωmega"):
            self.server(name=name)
        for pattern, found in (
            ("web", ["web-2", "web-1"]),
            ("WEB", ["web-2", "web-1"]),
            ("^web-1$", ["web-1"]),
            ("[12]$", ["web-2", "web-1"]),
            ("ωMEGA", ["Ωmega"]),
            ("nothing", []),
            ("", ["Ωmega", "db", "web-2", "web-1"]),
        ):
            self.assertEqual(found, self.names(f"name={quote(pattern)}"), pattern)

    def test_quoting(self) -> None:
        """It is never taken for SQL."""
        self.server(name="it's 100%s; --")
        for pattern in ("it's", "100%s", "; --", "%(project)s"):
            self.assertLessEqual(len(self.names(f"name={quote(pattern)}")), 1)
        self.assertEqual(1, len(self.names(f"name={quote(chr(39))}")))

    def test_invalid(self) -> None:
        """What is not a regular expression is a 400."""
        for pattern in ("(", "[", "*", "a{9999}", "\\", "(?<x"):
            self.assert_bad(f"name={quote(pattern)}", "name")

    def test_takes_forever(self) -> None:
        """A regular expression that would take forever is cut short: a 400."""
        # No character twice, so that no guess at what repeats is right.
        self.server(name="".join(chr(0x4E00 + number) for number in range(255)))
        self.assert_bad(f"name={quote(_SLOW)}", "too long")
        self.assertEqual(1, len(self.names()))
        # What the search was allowed is not what others are.
        [(allowed,)] = self.sql("SHOW statement_timeout")
        self.assertEqual("30s", allowed)

    def test_many_that_take_forever(self) -> None:
        """Of searches that take long there are two at a time; others go on."""
        self.server(name="".join(chr(0x4E00 + number) for number in range(255)))
        slow = f"name={quote(_SLOW)}"
        others = connect(self.database.dsn, None)
        self.addCleanup(others.close)
        with others.cursor() as txn:
            txn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_PLACES,))
            self.assert_bad(slow, "too long")
            txn.execute("SELECT pg_advisory_xact_lock(%s, 1)", (_PLACES,))
            reply = self.listing(slow)
            self.assertEqual(503, reply.code, reply.text)
            self.assertIn("try again", reply.message)
            self.assertEqual("2", reply.header("Retry-After"))
            self.assertEqual(1, len(self.names("name=.")))
        others.rollback()
        for _ in range(3):
            self.assert_bad(slow, "too long")

    def test_huge(self) -> None:
        """One that takes too much memory is a 400 as well."""
        self.server(name="a")
        reply = self.listing(f"name={quote('((((a{0,200}){0,200}){0,200}){0,200})')}")
        self.assertEqual(400, reply.code, reply.text)


class FilterTests(ListTestCase):
    """The other filters."""

    def test_status(self) -> None:
        """A status in any case; nothing has one that there is not."""
        self.live(self.server(name="up"), Life(Observed.UP))
        self.live(self.server(name="down"), Life(Observed.DOWN))
        self.server(name="new")
        for status, found in (
            ("ACTIVE", ["up"]),
            ("active", ["up"]),
            ("SHUTOFF", ["down"]),
            ("BUILD", ["new"]),
            ("ERROR", []),
            ("DELETED", []),
            ("MIGRATING", []),
            ("", []),
            ("%27", []),
        ):
            self.assertEqual(found, self.names(f"status={status}"), status)

    def test_unknown_filters(self) -> None:
        """Filters that are not known narrow nothing."""
        self.server()
        for query in ("sort_key=created_at&sort_dir=desc", "x=y", "host=", "a", "&&&"):
            self.assertEqual(1, len(self.names(query)), query)

    def test_changes_since(self) -> None:
        """What has changed since a time, deleted servers among it."""
        old, new = self.server(name="old"), self.server(name="new")
        deleted = self.server(name="deleted")
        self.call("DELETE", f"{SERVERS}/{deleted}", by=ALICE)
        long_ago = datetime.now(UTC) - timedelta(days=2)
        self.sql("UPDATE server SET updated = %s WHERE uuid = %s", long_ago, old)
        yesterday = datetime.now(UTC) - timedelta(days=1)
        for text in (
            f"{yesterday:%Y-%m-%dT%H:%M:%SZ}",
            f"{yesterday:%Y-%m-%dT%H:%M:%S}",
            f"{yesterday:%Y-%m-%d %H:%M:%S.%f}",
            quote(yesterday.isoformat()),
        ):
            reply = self.listing(f"changes-since={quote(text, safe='%')}")
            found = {shown["id"]: shown["status"] for shown in reply.json["servers"]}
            self.assertEqual({new: "BUILD", deleted: "DELETED"}, found)

    def test_nothing_changed(self) -> None:
        """Where nothing has changed the list is empty; Synnefo's are 304s."""
        self.server()
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        query = f"changes-since={tomorrow:%Y-%m-%dT%H:%M:%SZ}"
        for detail in (True, False):
            reply = self.listing(query, detail)
            self.assertEqual((200, {"servers": []}), (reply.code, reply.json))
        for path in ("v1.1", "v2"):
            for name in ("servers", "servers/detail"):
                reply = self.call("GET", f"/compute/{path}/{name}?{query}", by=ALICE)
                self.assertEqual((304, b""), (reply.code, reply.text))

    def test_bad_time(self) -> None:
        """What is no time is a 400."""
        for text in ("yesterday", "", "2027-13-01", "2027-01-01T25:00", "12", "%00"):
            query = f"changes-since={text}"
            reply = self.listing(query)
            self.assertEqual(400, reply.code, (query, reply.text))

    def test_far_times(self) -> None:
        """Times and zones at the edge of the calendar are times, or a 400."""
        for text in (
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2027-01-01T00:00:00+23:59",
            "2027-01-01T00:00:00-23:59:59.999999",
        ):
            reply = self.listing(f"changes-since={quote(text)}")
            self.assertIn(reply.code, (200, 304, 400), (text, reply.text))

    def test_flags(self) -> None:
        """Flags are yes or no in the ways that clients write it."""
        self.server()
        for word in ("False", "false", "0", "no", "None", ""):
            self.assertEqual(1, len(self.names(f"deleted={word}&all_tenants={word}")))
        self.assert_bad("deleted=perhaps", "deleted")
        self.assert_bad("all_tenants=perhaps", "all_tenants")
