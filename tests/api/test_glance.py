"""``/image/v2/images``: making, changing and deleting images."""

from uuid import uuid4

from snf.api.image.images import PATCH
from snf.storage import images
from snf.testing.world import (
    ADMIN,
    ALICE,
    BOB,
    PROJECT_A,
    PROJECT_B,
    READER,
    TINY,
)
from tests.api.images import IMAGES, GlanceTestCase


class CreateTests(GlanceTestCase):
    """``POST``."""

    def test_least(self) -> None:
        """Nothing need be said: it waits for its data, and is the project's."""
        reply = self.call("POST", IMAGES, {}, by=ALICE)
        self.assertEqual(201, reply.code, reply.text)
        made = reply.json
        place = f"/image/v2/images/{made['id']}"
        self.assertTrue((reply.header("Location") or "").endswith(place))
        self.assertEqual(
            "glance-direct", reply.header("OpenStack-image-import-methods")
        )
        self.assertEqual(
            ("queued", "shared", str(PROJECT_A.id), None, None, None, None),
            (
                *(made["status"], made["visibility"], made["owner"], made["name"]),
                *(made["size"], made["disk_format"], made["checksum"]),
            ),
        )
        self.assertEqual(made, self.show(made["id"]).json)

    def test_all(self) -> None:
        """What is said is kept; properties keep the case of their names."""
        given = {
            "id": str(uuid4()),
            "name": "dëbian",
            "disk_format": "qcow2",
            "container_format": "bare",
            "visibility": "community",
            "protected": True,
            "os_hidden": True,
            "min_disk": 3,
            "min_ram": 512,
            "tags": ["b", "a", "b"],
            "OSFAMILY": "linux",
            "users": "root",
        }
        made = self.make(**given)
        kept = {name: made[name] for name in given}
        self.assertEqual(given | {"tags": ["a", "b"]}, kept)

    def test_refused(self) -> None:
        """What makes no sense is a 400 that names it; what is Glance's, a 403."""
        for fields, code, named in (
            ({"disk_format": "ploop"}, 400, "disk_format"),
            ({"disk_format": 5}, 400, "disk_format"),
            ({"container_format": "docker"}, 400, "container_format"),
            ({"visibility": "all"}, 400, "visibility"),
            ({"protected": "yes"}, 400, "protected"),
            ({"os_hidden": None}, 400, "os_hidden"),
            ({"min_disk": -1}, 400, "min_disk"),
            ({"min_ram": 2**31}, 400, "min_ram"),
            ({"min_ram": True}, 400, "min_ram"),
            ({"name": "x" * 256}, 400, "name"),
            ({"tags": "t"}, 400, "tags"),
            ({"tags": [""]}, 400, "tags"),
            ({"tags": [f"t{n}" for n in range(129)]}, 413, "tags"),
            ({"k": 5}, 400, "k"),
            ({"k": None}, 400, "k"),
            ({"a\nb": "v"}, 400, "a\nb"),
            ({f"k{n}": "v" for n in range(129)}, 413, "properties"),
            ({"k": "v" * 32_768}, 413, "32768"),
            ({"id": "x"}, 400, "id"),
            ({"owner": "x"}, 400, "owner"),
            ({"owner": str(PROJECT_B.id)}, 403, "owner"),
            ({"visibility": "public"}, 403, "publicize"),
            ({"status": "active"}, 403, "status"),
            ({"checksum": "x"}, 403, "checksum"),
            ({"locations": []}, 403, "locations"),
            ({"deleted": True}, 403, "deleted"),
            ({"os_glance_x": "v"}, 403, "os_glance_x"),
        ):
            reply = self.call("POST", IMAGES, fields, by=ALICE)
            self.assertEqual(code, reply.code, (fields, reply.text))
            self.assertIn(named, reply.message)
        self.assertEqual(["tiny"], self.found())

    def test_taken(self) -> None:
        """An id is given once, also when its image has gone."""
        made = self.make()
        for _ in range(2):
            reply = self.call("POST", IMAGES, {"id": made["id"]}, by=BOB)
            self.assertEqual(409, reply.code)
            self.call("DELETE", f"{IMAGES}/{made['id']}", by=ALICE)

    def test_admin(self) -> None:
        """Admins make images public, and for others."""
        made = self.make(ADMIN, visibility="public", owner=str(PROJECT_B.id))
        self.assertEqual(str(PROJECT_B.id), self.show(made["id"], BOB).json["owner"])
        self.assertEqual(200, self.show(made["id"]).code)
        reply = self.call("POST", IMAGES, {"owner": str(uuid4())}, by=ADMIN)
        self.assertEqual(400, reply.code)


class UpdateTests(GlanceTestCase):
    """``PATCH``."""

    def test_changes(self) -> None:
        """Each operation does what it says, and later ones see what earlier ones did."""
        made = self.make(k="v", gone="x")
        reply = self.patch_it(
            made["id"],
            ("replace", "/name", "other"),
            ("add", "/OS", "debian"),
            ("replace", "/OS", "ubuntu"),
            ("add", "/k", "w"),
            ("remove", "/gone"),
            ("replace", "/tags", ["t"]),
            ("replace", "/min_ram", 64),
            ("replace", "/disk_format", "raw"),
            ("add", "/a~0c", "x"),
        )
        self.assertEqual(200, reply.code, reply.text)
        changed = reply.json
        self.assertEqual(
            ("other", "ubuntu", "w", ["t"], 64, "raw", "x"),
            (
                *(changed["name"], changed["OS"], changed["k"], changed["tags"]),
                *(changed["min_ram"], changed["disk_format"], changed["a~c"]),
            ),
        )
        self.assertNotIn("gone", changed)
        self.assertEqual(changed, self.show(made["id"]).json)

    def test_refused(self) -> None:
        """A patch is done as a whole or not at all; the refusal says why."""
        made = self.make(k="v")
        for change, code, named in (
            (("replace", "/none", "x"), 409, "none"),
            (("remove", "/none"), 409, "none"),
            (("remove", "/name"), 403, "name"),
            (("replace", "/status", "active"), 403, "status"),
            (("add", "/size", 5), 403, "size"),
            (("replace", "/id", str(uuid4())), 403, "id"),
            (("add", "/location", "x"), 403, "location"),
            (("replace", "/visibility", "public"), 403, "publicize"),
            (("replace", "/owner", str(PROJECT_B.id)), 403, "owner"),
            (("replace", "/min_disk", "x"), 400, "min_disk"),
            (("replace", "/disk_format", "x"), 400, "disk_format"),
            (("move", "/k", "x"), 400, "op"),
            (("add", "k", "x"), 400, "path"),
            (("add", "/tags/-", "x"), 400, "path"),
        ):
            reply = self.patch_it(made["id"], ("add", "/new", "x"), change)
            self.assertEqual(code, reply.code, (change, reply.text))
            self.assertIn(named, reply.message)
        self.assertEqual(made, self.show(made["id"]).json)

    def test_others(self) -> None:
        """Who only sees an image may not change it; nor may readers."""
        made = self.make(visibility="community")
        change = ("replace", "/name", "x")
        self.assertEqual(403, self.patch_it(made["id"], change, by=BOB).code)
        self.assertEqual(403, self.patch_it(made["id"], change, by=READER).code)
        self.assertEqual(403, self.patch_it(str(TINY.id), change).code)
        self.assertEqual(200, self.patch_it(made["id"], change, by=ADMIN).code)

    def test_active(self) -> None:
        """The formats of an image that has data stay as they are."""
        reply = self.patch_it(
            str(TINY.id), ("replace", "/disk_format", "iso"), by=ADMIN
        )
        self.assertEqual(403, reply.code)

    def test_type(self) -> None:
        """A patch has a type of its own."""
        made = self.make()
        reply = self.call("PATCH", f"{IMAGES}/{made['id']}", [], by=ALICE)
        self.assertEqual(400, reply.code)
        self.assertIn(PATCH, reply.message)


class DeleteTests(GlanceTestCase):
    """``DELETE``."""

    def test_gone(self) -> None:
        """It is there no more, for nobody; a second time is a 404."""
        made = self.make()
        url = f"{IMAGES}/{made['id']}"
        self.assertEqual(204, self.call("DELETE", url, by=ALICE).code)
        for by in (ALICE, ADMIN):
            self.assertEqual(404, self.show(made["id"], by).code)
        self.assertEqual(404, self.call("DELETE", url, by=ALICE).code)
        self.assertEqual(["tiny"], self.found())

    def test_refused(self) -> None:
        """What is protected, or others', stays."""
        made = self.make(protected=True, visibility="community")
        url = f"{IMAGES}/{made['id']}"
        for by in (ALICE, BOB, ADMIN):
            self.assertEqual(403, self.call("DELETE", url, by=by).code)
        self.patch_it(made["id"], ("replace", "/protected", False))
        self.assertEqual(403, self.call("DELETE", url, by=BOB).code)
        self.assertEqual(204, self.call("DELETE", url, by=ALICE).code)

    def test_with_servers(self) -> None:
        """Servers go on without the image that they were made from."""
        server = self.server()
        reply = self.call("DELETE", f"{IMAGES}/{TINY.id}", by=ADMIN)
        self.assertEqual(204, reply.code, reply.text)
        self.assertEqual(str(TINY.id), self.shown(server)["image"]["id"])
        self.assertEqual(400, self.create().code)

    def test_project(self) -> None:
        """A project whose images are deleted can be deleted, too."""
        url = f"/identity/v3/projects/{PROJECT_B.id}"
        made = self.make(BOB)
        self.assertEqual(409, self.call("DELETE", url, by=ADMIN).code)
        self.call("DELETE", f"{IMAGES}/{made['id']}", by=BOB)
        self.assertEqual(204, self.call("DELETE", url, by=ADMIN).code)


class StorageTests(GlanceTestCase):
    """What is kept."""

    def test_round_trip(self) -> None:
        """An image that is stored and changed is the one that is read."""
        made = self.run_in(images.get, None, TINY.id)
        self.run_in(images.change, made)
        self.assertEqual(made, self.run_in(images.get, None, TINY.id))
