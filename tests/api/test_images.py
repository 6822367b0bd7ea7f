"""``/compute/*/images`` and ``/image/v2/images``: the same images, in two shapes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve

from snf.core.catalog import Image
from snf.storage import images
from snf.testing.world import ALICE, BOB, PROJECT_A, PROJECT_B, TINY
from tests.api.case import ROOT, ApiTestCase

COMPUTE = "/compute/v2.1/images"
GLANCE = "/image/v2/images"


class ImageTestCase(ApiTestCase):
    """A test about images."""

    def add(self, **changes) -> Image:
        """Store another image."""
        image = evolve(TINY, id=uuid4(), **changes)
        self.run_in(images.add, image)
        return image

    def ids(self, path: str, by=ALICE) -> list[UUID]:
        """Return the ids that a list has."""
        reply = self.call("GET", path, by=by)
        self.assertEqual(200, reply.code, (path, reply.text))
        return [UUID(image["id"]) for image in reply.json["images"]]


class ComputeTests(ImageTestCase):
    """The compute API's."""

    def test_detail(self) -> None:
        """An image has all that clients look for."""
        [image] = self.call("GET", f"{COMPUTE}/detail", by=ALICE).json["images"]
        links = [
            {"rel": "self", "href": f"{ROOT}{COMPUTE}/{TINY.id}"},
            {"rel": "bookmark", "href": f"{ROOT}/compute/images/{TINY.id}"},
        ]
        self.assertEqual(
            {
                "id": str(TINY.id),
                "name": "tiny",
                "links": links,
                "status": "ACTIVE",
                "progress": 100,
                "created": "2026-11-01T00:00:00Z",
                "updated": "2026-11-01T00:00:00Z",
                "minDisk": 0,
                "minRam": 0,
                "metadata": {"os": "linux"},
                "OS-EXT-IMG-SIZE:size": 0,
            },
            image,
        )
        shown = self.call("GET", f"{COMPUTE}/{TINY.id}", by=ALICE)
        self.assertEqual({"image": image}, shown.json)

    def test_brief(self) -> None:
        """The plain list has ids, names and links."""
        [image] = self.call("GET", COMPUTE, by=ALICE).json["images"]
        self.assertEqual({"id", "name", "links"}, set(image))

    def test_changed(self) -> None:
        """Those changed since a time; where none has, Synnefo's versions say 304."""
        new = self.add(updated=datetime.now(UTC))
        for since, found in (
            (timedelta(days=-1), [new.id]),
            (timedelta(days=-20_000), [new.id, TINY.id]),
            (timedelta(days=1), []),
        ):
            moment = datetime.now(UTC) + since
            query = f"changes-since={moment:%Y-%m-%dT%H:%M:%SZ}"
            for detail in ("", "/detail"):
                self.assertEqual({*found}, {*self.ids(f"{COMPUTE}{detail}?{query}")})
                for version in ("v1.1", "v2"):
                    path = f"/compute/{version}/images{detail}?{query}"
                    if found:
                        self.assertEqual({*found}, {*self.ids(path)})
                        continue
                    reply = self.call("GET", path, by=ALICE)
                    self.assertEqual((304, b""), (reply.code, reply.text))
        for text in ("yesterday", ""):
            reply = self.call("GET", f"{COMPUTE}?changes-since={text}", by=ALICE)
            self.assertEqual(400, reply.code, reply.text)
            self.assertIn("changes-since", reply.message)

    def test_status(self) -> None:
        """Glance's states are shown as Nova's."""
        for status, shown in (
            ("queued", "SAVING"),
            ("killed", "ERROR"),
            ("x", "UNKNOWN"),
        ):
            image = self.add(status=status)
            reply = self.call("GET", f"{COMPUTE}/{image.id}", by=ALICE)
            self.assertEqual(shown, reply.json["image"]["status"])

    def test_missing(self) -> None:
        """What is not there is Nova's 404."""
        for text in ("tiny", str(uuid4()), "%00"):
            reply = self.call("GET", f"{COMPUTE}/{text}", by=ALICE)
            self.assertEqual(404, reply.code)
            self.assertIn("itemNotFound", reply.json)


class GlanceTests(ImageTestCase):
    """The image API's."""

    def test_list(self) -> None:
        """An image has all that clients look for, its properties beside the rest."""
        reply = self.call("GET", GLANCE, by=ALICE).json
        self.assertEqual({"images", "first", "schema"}, set(reply))
        [image] = reply["images"]
        self.assertEqual(
            {
                "os": "linux",
                "id": str(TINY.id),
                "name": "tiny",
                "status": "active",
                "visibility": "public",
                "owner": None,
                "disk_format": "raw",
                "container_format": "bare",
                "min_disk": 0,
                "min_ram": 0,
                "size": 0,
                "virtual_size": None,
                "checksum": None,
                "protected": False,
                "os_hidden": False,
                "os_hash_algo": None,
                "os_hash_value": None,
                "tags": [],
                "created_at": "2026-11-01T00:00:00Z",
                "updated_at": "2026-11-01T00:00:00Z",
                "self": f"/v2/images/{TINY.id}",
                "file": f"/v2/images/{TINY.id}/file",
                "schema": "/v2/schemas/image",
            },
            image,
        )
        shown = self.call("GET", f"{GLANCE}/{TINY.id}", by=ALICE)
        self.assertEqual(image, shown.json)

    def test_properties(self) -> None:
        """A property cannot pass for what the image really is."""
        image = self.add(properties={"id": "x", "status": "evil", "λ": "μ"})
        shown = self.call("GET", f"{GLANCE}/{image.id}", by=ALICE).json
        self.assertEqual(
            (str(image.id), "active", "μ"), (shown["id"], shown["status"], shown["λ"])
        )

    def test_filters(self) -> None:
        """Images are found by name, id, several ids, status and visibility."""
        other = self.add(name="other one", status="queued")
        for query, found in (
            ("name=tiny", {TINY.id}),
            ("name=other%20one", {other.id}),
            ("name=", set()),
            (f"id={TINY.id}", {TINY.id}),
            (f"id=in:{TINY.id},{other.id}", {TINY.id, other.id}),
            (f"id=in:%22{TINY.id}%22,{uuid4()}", {TINY.id}),
            ("id=in:", set()),
            ("id=x", set()),
            ("status=queued", {other.id}),
            ("visibility=public", {TINY.id, other.id}),
            ("visibility=private", set()),
            ("sort=name:asc&os_hidden=false", {TINY.id, other.id}),
        ):
            self.assertEqual(found, set(self.ids(f"{GLANCE}?{query}")), query)

    def test_with_compute_headers(self) -> None:
        """novaclient sends its microversion here too: it does not matter."""
        headers = {"OpenStack-API-Version": "compute 2.999", "X-Auth-Token": ""}
        headers["X-Auth-Token"] = self.token(ALICE)
        reply = self.call("GET", f"{GLANCE}?name=tiny", headers=headers)
        self.assertEqual(200, reply.code)

    def test_missing(self) -> None:
        """What is not there is Glance's 404."""
        for text in ("tiny", str(uuid4())):
            reply = self.call("GET", f"{GLANCE}/{text}", by=ALICE)
            self.assertEqual(404, reply.code)
            self.assertEqual(
                {
                    "message": f"No image found with ID {text}",
                    "code": "404 Not Found",
                    "title": "Not Found",
                },
                reply.json,
            )


class BothTests(ImageTestCase):
    """What holds in both shapes."""

    page_size = 4

    def test_visible(self) -> None:
        """Private images are for their project only."""
        private = self.add(visibility="private", project=PROJECT_B.id)
        for path in (COMPUTE, GLANCE):
            self.assertEqual([TINY.id], self.ids(path))
            self.assertEqual({TINY.id, private.id}, set(self.ids(path, BOB)))
            mine = self.call("GET", f"{path}/{private.id}", by=BOB)
            theirs = self.call("GET", f"{path}/{private.id}", by=ALICE)
            self.assertEqual((200, 404), (mine.code, theirs.code))

    def test_pages(self) -> None:
        """A walk through the pages meets every image once, the newest first."""
        made = [
            self.add(created=TINY.created + timedelta(days=n // 2)) for n in range(8)
        ]
        for path in (COMPUTE, GLANCE):
            for limit in ("", "1", "3", "4"):
                met = self.walk(f"{path}?limit={limit}")
                self.assertEqual({TINY.id} | {image.id for image in made}, set(met))
                self.assertEqual(9, len(met))

    def walk(self, path: str) -> list[UUID]:
        """Return the ids met by following the links."""
        met: list[UUID] = []
        while path:
            page = self.call("GET", path, by=ALICE).json
            met += [UUID(image["id"]) for image in page["images"]]
            [link] = page.get("images_links", [{"href": ROOT}])
            following = page.get("next")
            path = f"/image{following}" if following else link["href"][len(ROOT) :]
        return met

    def test_filters_stay(self) -> None:
        """The link to the next page has the filters of this one."""
        for number in range(5):
            self.add(name="a b&c" if number % 2 else "other")
        for path in (COMPUTE, GLANCE):
            self.assertEqual(2, len(self.walk(f"{path}?limit=1&name=a%20b%26c")))

    def test_bad_pages(self) -> None:
        """A marker that is not there, or another's image, and a bad limit are a 400."""
        private = self.add(visibility="private", project=PROJECT_B.id)
        for path in (COMPUTE, GLANCE):
            for query in (
                f"marker={uuid4()}",
                f"marker={private.id}",
                "marker=x",
                "limit=-1",
                "limit=x",
            ):
                reply = self.call("GET", f"{path}?{query}", by=ALICE)
                self.assertEqual(400, reply.code, query)


class SchemaTests(ImageTestCase):
    """``/image/v2/schemas``."""

    def schema(self, name: str) -> Any:
        """Return one."""
        reply = self.call("GET", f"/image/v2/schemas/{name}", by=ALICE)
        self.assertEqual(200, reply.code, reply.text)
        return reply.json

    def test_describes(self) -> None:
        """Every field of an image has a type in the schema that it has in JSON, too."""
        image = self.add(project=PROJECT_A.id, visibility="private", size_bytes=7)
        fields = self.schema("image")["properties"]
        for shown in (TINY, image):
            reply = self.call("GET", f"{GLANCE}/{shown.id}", by=ALICE)
            self.assertEqual({"stores"}, set(fields) - set(reply.json))
            for name, value in reply.json.items():
                kinds = fields.get(name, {"type": "string"})["type"]
                self.assertIn(JSON_TYPES[type(value)], kinds, name)

    def test_of_lists(self) -> None:
        """The schema of lists is made of that of images."""
        items = self.schema("images")["properties"]["images"]["items"]
        self.assertEqual(self.schema("image"), items)

    def test_missing(self) -> None:
        """There are no others."""
        reply = self.call("GET", "/image/v2/schemas/metadefs", by=ALICE)
        self.assertEqual(404, reply.code)


JSON_TYPES = {
    bool: "boolean",
    int: "integer",
    list: "array",
    str: "string",
    type(None): "null",
}
