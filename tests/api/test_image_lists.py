"""``/image/v2/images``: which images a list has, and what else is told."""

from uuid import UUID, uuid4

from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    PROJECT_A,
    TINY,
)
from tests.api.images import IMAGES, GlanceTestCase


class ListTests(GlanceTestCase):
    """``GET``: which ones, and in which order."""

    def setUp(self) -> None:
        super().setUp()
        for name, size, fields in (
            ("a", 30, {"disk_format": "qcow2", "OS": "debian"}),
            ("b", 10, {"min_disk": 2, "protected": True}),
            ("c", 20, {"visibility": "community", "tags": ["t"]}),
            ("d", 40, {"os_hidden": True}),
        ):
            self.clock.advance(60)
            made = self.make(name=name, **fields)
            self.sql(
                "UPDATE image SET size_bytes = %s, status = 'active' WHERE id = %s",
                size,
                UUID(made["id"]),
            )

    def test_filters(self) -> None:
        """Each filter finds what it says, and several narrow each other."""
        mine = str(PROJECT_A.id)
        for query, names in (
            ("", "c b a tiny"),
            ("name=a", "a"),
            ("name=in:a,b", "b a"),
            ("status=active", "c b a tiny"),
            ("status=in:queued,saving", ""),
            ("visibility=community", "c"),
            ("visibility=shared", "b a"),
            ("visibility=public", "tiny"),
            ("visibility=private", ""),
            ("visibility=all", "c b a tiny"),
            (f"owner={mine}", "c b a"),
            ("owner=nobody", ""),
            ("tag=t", "c"),
            ("os_hidden=true", "d"),
            ("os_hidden=false", "c b a tiny"),
            ("size_min=20", "c a"),
            ("size_max=20", "c b tiny"),
            ("size_min=20&size_max=20", "c"),
            ("disk_format=qcow2", "a"),
            ("disk_format=in:qcow2,raw", "a tiny"),
            ("container_format=bare", "tiny"),
            ("protected=true", "b"),
            ("protected=False", "c a tiny"),
            ("min_disk=2", "b"),
            ("OS=debian", "a"),
            ("os=linux", "tiny"),
            ("OS=debian&name=b", ""),
            ("created_at=gt:2027-01-01T00:00:00Z", "c b a"),
            ("created_at=lt:2027-01-01T00:00:00Z", "tiny"),
            ("created_at=gte:2026-11-01T00:00:00Z", "c b a tiny"),
            ("updated_at=lte:2026-11-01T00:00:00Z", "tiny"),
            ("created_at=neq:2026-11-01T00:00:00Z", "c b a"),
            ("created_at=2026-11-01T00:00:00Z", "tiny"),
        ):
            self.assertEqual(names.split(), self.found(query), query)

    def test_others(self) -> None:
        """Others' images are not there; community ones are, for who asks for them."""
        for query, names in (
            ("", ["tiny"]),
            ("visibility=community", ["c"]),
            ("visibility=shared", []),
            ("visibility=all", ["c", "tiny"]),
            (f"owner={PROJECT_A.id}", []),
        ):
            self.assertEqual(names, self.found(query, BOB), query)
        self.assertEqual(["b", "a", "tiny"], self.found(by=ADMIN))

    def test_order(self) -> None:
        """They come as is asked for."""
        for query, names in (
            ("sort=name:asc", "a b c tiny"),
            ("sort=name:desc", "tiny c b a"),
            ("sort=size:asc,name", "tiny b c a"),
            ("sort_key=size&sort_dir=asc", "tiny b c a"),
            ("sort_key=size", "a c b tiny"),
            ("sort_key=status&sort_key=name&sort_dir=asc&sort_dir=desc", "tiny c b a"),
            ("sort_dir=asc", "tiny a b c"),
            ("sort=disk_format:asc,size:desc", "c b a tiny"),
        ):
            self.assertEqual(names.split(), self.found(query), query)

    def test_pages(self) -> None:
        """A walk meets each once, in any order, and keeps the filters."""
        for query in (
            "sort=name:asc",
            "sort=size:desc",
            "sort=status:asc,size:desc",
            "visibility=all",
        ):
            whole = self.found(query)
            for limit in (1, 2, 3):
                met, path = [], f"/v2/images?{query}&limit={limit}"
                while path:
                    page = self.call("GET", f"/image{path}", by=ALICE).json
                    self.assertIn("sort" if "sort" in query else "vis", page["first"])
                    met += [image["name"] for image in page["images"]]
                    path = page.get("next")
                self.assertEqual(whole, met, (query, limit))

    def test_refused(self) -> None:
        """A filter that makes no sense is a 400 that names it."""
        for query, named in (
            ("visibility=x", "visibility"),
            ("member_status=x", "member_status"),
            ("os_hidden=x", "os_hidden"),
            ("size_min=x", "size_min"),
            ("size_max=-1", "size_max"),
            ("protected=x", "protected"),
            ("created_at=yesterday", "created_at"),
            ("updated_at=gt:x", "updated_at"),
            ("sort=x", "sort"),
            ("sort=name:up", "sort"),
            ("sort_key=x", "sort_key"),
            ("sort_key=name&sort_dir=x", "sort_dir"),
            ("sort_key=name&sort_dir=asc&sort_dir=asc", "sort_dir"),
            ("sort=name&sort_key=name", "sort"),
            (f"marker={uuid4()}", "marker"),
        ):
            reply = self.call("GET", f"{IMAGES}?{query}", by=ALICE)
            self.assertEqual(400, reply.code, query)
            self.assertIn(named, reply.message)

    def test_one_query(self) -> None:
        """A list is one query, however long."""
        self.found()
        self.database.queries.clear()
        self.found()
        lists = [one for one in self.database.queries if "FROM image i" in str(one)]
        self.assertEqual(1, len(lists))


class InfoTests(GlanceTestCase):
    """``info`` and ``tasks``."""

    def test_info(self) -> None:
        """Clients learn by which methods images are imported, and where they are kept."""
        reply = self.call("GET", "/image/v2/info/import", by=ALICE).json
        self.assertEqual(["glance-direct"], reply["import-methods"]["value"])
        stores = self.call("GET", "/image/v2/info/stores", by=ALICE).json["stores"]
        self.assertEqual(["true"], [one["default"] for one in stores])
        usage = self.call("GET", "/image/v2/info/usage", by=ALICE).json["usage"]
        self.assertEqual({"limit": -1, "usage": 0}, usage["image_size_total"])

    def test_tasks(self) -> None:
        """There are none yet."""
        reply = self.call("GET", "/image/v2/tasks", by=ADMIN).json
        self.assertEqual([], reply["tasks"])
        made = self.make()
        reply = self.call("GET", f"{IMAGES}/{made['id']}/tasks", by=ALICE)
        self.assertEqual({"tasks": []}, reply.json)


class StateTests(GlanceTestCase):
    """``actions`` and ``tags``."""

    def test_deactivate(self) -> None:
        """An image that is deactivated makes no servers, until it is reactivated."""
        image = f"{IMAGES}/{TINY.id}/actions"
        self.assertEqual(403, self.call("POST", f"{image}/deactivate", by=ALICE).code)
        for action, status, code in (
            ("deactivate", "deactivated", 400),
            ("deactivate", "deactivated", 400),
            ("reactivate", "active", 202),
            ("reactivate", "active", 202),
        ):
            reply = self.call("POST", f"{image}/{action}", by=ADMIN)
            self.assertEqual(204, reply.code, reply.text)
            self.assertEqual(status, self.show(str(TINY.id)).json["status"])
            self.assertEqual(code, self.create().code)
        queued = self.make()["id"]
        reply = self.call("POST", f"{IMAGES}/{queued}/actions/deactivate", by=ALICE)
        self.assertEqual(403, reply.code)

    def test_tags(self) -> None:
        """A tag is put on and taken off, and images are found by all of several."""
        made = self.make(tags=["a"])
        url = f"{IMAGES}/{made['id']}/tags"
        for _ in range(2):
            self.assertEqual(204, self.call("PUT", f"{url}/b%20c", by=ALICE).code)
        self.assertEqual(["a", "b c"], self.show(made["id"]).json["tags"])
        self.assertEqual(["mine"], self.found("tag=a&tag=b%20c"))
        self.assertEqual([], self.found("tag=a&tag=x"))
        self.assertEqual(204, self.call("DELETE", f"{url}/a", by=ALICE).code)
        self.assertEqual(404, self.call("DELETE", f"{url}/a", by=ALICE).code)
        long = self.call("PUT", f"{url}/{'x' * 256}", by=ALICE)
        self.assertEqual(400, long.code)
        self.assertIn("tag", long.message)
