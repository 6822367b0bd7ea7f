"""``GET /servers``: what servers can be looked for by, and sorted by."""

from ipaddress import ip_address
from urllib.parse import quote
from uuid import uuid4

from attrs import evolve

from snf.core.subnet import Pool, Subnet
from snf.storage import images, subnets
from snf.storage.search import KEYS
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    CLUSTER,
    LARGE,
    PROJECT_A,
    PROJECT_B,
    SMALL,
    SUBNET,
    TINY,
)
from tests.api.case import ROOT, SERVERS, Reply
from tests.api.test_lists import ListTestCase


class FindTests(ListTestCase):
    """Filters that owners and admins of all versions have."""

    def test_uuid(self) -> None:
        """By its id, in any spelling."""
        server = self.server(name="a")
        self.server(name="b")
        for text in (server, server.upper(), server.replace("-", "")):
            self.assertEqual(["a"], self.names(f"uuid={text}"))
        for text in (uuid4(), "x", "", "%27"):
            self.assertEqual([], self.names(f"uuid={text}"))

    def test_flavor(self) -> None:
        """By its flavor."""
        self.server(name="s")
        self.server(name="l", flavorRef=str(LARGE.id))
        self.assertEqual(["s"], self.names(f"flavor={SMALL.id}"))
        self.assertEqual(["l"], self.names(f"flavor={LARGE.id}"))
        for text in (uuid4(), "1", ""):
            self.assertEqual([], self.names(f"flavor={text}"))

    def test_image(self) -> None:
        """By its image."""
        other = evolve(TINY, id=uuid4(), name="other")
        self.run_in(images.add, other)
        self.server(name="t")
        self.server(name="o", imageRef=str(other.id))
        self.assertEqual(["t"], self.names(f"image={TINY.id}"))
        self.assertEqual(["o"], self.names(f"image={other.id}"))
        self.assertEqual([], self.names("image=x"))

    def test_ip(self) -> None:
        """By a regular expression found in one of its IPv4 addresses."""
        for name in ("a", "b"):
            self.server(name=name)
        for pattern, found in (
            ("192.0.2.10", ["a"]),
            ("192", ["b", "a"]),
            ("^192.*1$", ["b"]),
            ("^10\\.", []),
            ("2001:", []),
        ):
            self.assertEqual(found, self.names(f"ip={quote(pattern)}"), pattern)
        self.assert_bad("ip=%28", "ip")

    def test_ip6(self) -> None:
        """By IPv6 addresses: in this version for admins, others get all."""
        subnet: Subnet = evolve(
            SUBNET,
            id=uuid4(),
            cidr="2001:db8::/64",
            pools=(Pool(ip_address("2001:db8::10"), ip_address("2001:db8::ffff")),),
            gateway=ip_address("2001:db8::1"),
        )
        self.server(name="a")
        self.run_in(subnets.add, subnet)
        self.server(name="b")
        query = f"ip6={quote('^2001:db8::')}"
        self.assertEqual(["b"], self.names(f"{query}&all_tenants=1", ADMIN))
        self.assertEqual(["b", "a"], self.names(query))
        self.assertEqual([], self.names("ip=2001"))

    def test_of_a_project(self) -> None:
        """Admins look into a project; for others there is only their own."""
        self.server(name="a")
        self.server(BOB, name="b")
        for name in ("project_id", "tenant_id"):
            for project, found in ((PROJECT_A, ["a"]), (PROJECT_B, ["b"])):
                query = f"{name}={project.id}"
                self.assertEqual(found, self.names(query, ADMIN))
                both = f"{query}&all_tenants=True"
                self.assertEqual(found, self.names(both, ADMIN))
                self.assertEqual(["a"], self.names(query))
        self.assertEqual([], self.names("project_id=x", ADMIN))

    def test_of_a_user(self) -> None:
        """Admins look for what a user has made."""
        self.server(name="a")
        self.server(BOB, name="b")
        query = f"all_tenants=1&user_id={BOB.id}"
        self.assertEqual(["b"], self.names(query, ADMIN))
        self.assertEqual(["a"], self.names(f"user_id={BOB.id}"))

    def test_host(self) -> None:
        """Admins look for what is on a cluster."""
        self.server(name="a")
        self.assertEqual(["a"], self.names(f"all_tenants=1&host={CLUSTER.name}", ADMIN))
        self.assertEqual([], self.names("all_tenants=1&host=other", ADMIN))
        self.assertEqual(["a"], self.names("host=other"))

    def test_several(self) -> None:
        """Filters that are given together must all hold."""
        server = self.server(name="a")
        self.server(name="b")
        query = f"flavor={SMALL.id}&ip=192&name=a&status=BUILD&uuid={server}"
        self.assertEqual(["a"], self.names(query))
        self.assertEqual([], self.names(f"{query}&image={uuid4()}"))

    def test_one_query(self) -> None:
        """With all filters and sort keys it is one query all the same."""
        for _ in range(20):
            self.server(metadata={"a": "b"})
        self.token(ALICE)
        self.database.queries.clear()
        self.assertEqual(
            20, len(self.names(f"image={TINY.id}&sort_key=uuid&sort_key=vm_state"))
        )
        self.assertEqual(2, len(self.database.queries))


class SortTests(ListTestCase):
    """``sort_key`` and ``sort_dir``."""

    def setUp(self) -> None:
        super().setUp()
        for name, flavor in (("b", SMALL), ("a", LARGE), ("c", SMALL), ("B", LARGE)):
            self.server(name=name, flavorRef=str(flavor.id))

    def walk(self, query: str) -> list[str]:
        """Return the names met by following the links, one by one."""
        names, path = [], f"{SERVERS}/detail?limit=1&{query}"
        while path:
            reply: Reply = self.call("GET", path, by=ALICE)
            self.assertEqual(200, reply.code, reply.text)
            names += [server["name"] for server in reply.json["servers"]]
            [link] = reply.json.get("servers_links", [{"href": ROOT}])
            path = link["href"].removeprefix(ROOT)
        return names

    def test_orders(self) -> None:
        """By one key or several, each its own way; pages never miss or repeat one."""
        for query, found in (
            ("", "Bcab"),
            ("sort_key=created_at", "Bcab"),
            ("sort_key=created_at&sort_dir=asc", "bacB"),
            ("sort_key=display_name&sort_dir=asc", None),
            ("sort_key=instance_type_id&sort_dir=asc", "bcaB"),
            (
                "sort_key=instance_type_id&sort_dir=desc"
                "&sort_key=created_at&sort_dir=asc",
                "aBbc",
            ),
            (
                "sort_key=instance_type_id&sort_dir=asc"
                "&sort_key=created_at&sort_dir=desc",
                "cbBa",
            ),
            ("sort_key=launched_at&sort_key=task_state&sort_dir=asc", "bacB"),
            ("sort_key=key_name", "Bcab"),
        ):
            whole = self.names(query)
            if found is not None:
                self.assertEqual([*found], whole, query)
            self.assertEqual(whole, self.walk(query), query)

    def test_every_key(self) -> None:
        """A walk by any key in any direction meets each server once."""
        self.sql("UPDATE server SET created = now()")
        for key in sorted(KEYS.keys() - {"host", "node", "locked"}):
            for way in ("asc", "desc"):
                for more in ("", "&sort_key=uuid&sort_dir=asc"):
                    found = self.walk(f"sort_key={key}&sort_dir={way}{more}")
                    self.assertEqual(["B", "a", "b", "c"], sorted(found), key)

    def test_admins(self) -> None:
        """Only admins sort by what only they see."""
        reply = self.listing("sort_key=host")
        self.assertEqual(403, reply.code)
        names = self.names("all_tenants=1&sort_key=host", ADMIN)
        self.assertEqual([*"Bcab"], names)

    def test_refused(self) -> None:
        """Other keys and directions are a 400."""
        for query, named in (
            ("sort_key=x", "sort_key"),
            ("sort_key=", "sort_key"),
            ("sort_key=uuid;--", "sort_key"),
            ("sort_key=locked", "sort_key"),
            ("sort_key=uuid&sort_dir=up", "sort_dir"),
            ("sort_key=uuid&sort_dir=asc&sort_dir=asc", "sort_dir"),
            ("sort_dir=asc", "sort_dir"),
            ("sort_key=uuid&" * 17, "sort"),
        ):
            self.assert_bad(query, named)

    def test_unknown_marker(self) -> None:
        """The marker must be one that the list could have."""
        others = self.server(BOB)
        for marker in (uuid4(), others):
            self.assert_bad(f"sort_key=display_name&marker={marker}", "marker")
