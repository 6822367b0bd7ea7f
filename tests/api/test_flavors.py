"""``/compute/*/flavors``."""

from uuid import uuid4

from attrs import evolve

from snf.storage import flavors
from snf.testing.world import ALICE, LARGE, SMALL
from tests.api.case import ROOT, ApiTestCase

FLAVORS = "/compute/v2.1/flavors"


class FlavorTests(ApiTestCase):
    """Flavors are there to be read."""

    page_size = 3

    def ids(self, query: str = "") -> list[str]:
        """Return the ids that a list has."""
        reply = self.call("GET", f"{FLAVORS}/detail{query}", by=ALICE)
        self.assertEqual(200, reply.code, reply.text)
        return [flavor["id"] for flavor in reply.json["flavors"]]

    def test_detail(self) -> None:
        """A flavor has all that clients look for; the smallest is first."""
        reply = self.call("GET", f"{FLAVORS}/detail", by=ALICE)
        [small, large] = reply.json["flavors"]
        self.assertEqual("large", large["name"])
        links = [
            {"rel": "self", "href": f"{ROOT}{FLAVORS}/{SMALL.id}"},
            {"rel": "bookmark", "href": f"{ROOT}/compute/flavors/{SMALL.id}"},
        ]
        self.assertEqual(
            {
                "id": str(SMALL.id),
                "name": "small",
                "ram": 128,
                "disk": 1,
                "vcpus": 1,
                "swap": "",
                "OS-FLV-EXT-DATA:ephemeral": 0,
                "OS-FLV-DISABLED:disabled": False,
                "os-flavor-access:is_public": True,
                "rxtx_factor": 1.0,
                "links": links,
                "SNF:disk_template": "file",
            },
            small,
        )
        shown = self.call("GET", f"{FLAVORS}/{SMALL.id}", by=ALICE)
        self.assertEqual({"flavor": small}, shown.json)

    def test_brief(self) -> None:
        """The plain list has ids, names and links."""
        reply = self.call("GET", FLAVORS, by=ALICE)
        for flavor in reply.json["flavors"]:
            self.assertEqual({"id", "name", "links"}, set(flavor))

    def test_as_clients_ask(self) -> None:
        """Questions about what is public are understood, and change nothing."""
        for query in ("?is_public=True", "?is_public=None", "?is_public=False", "?x"):
            self.assertEqual(2, len(self.ids(query)), query)

    def test_hidden(self) -> None:
        """Deleted flavors and private ones are not listed."""
        self.run_in(flavors.add, evolve(SMALL, id=uuid4(), name="p", public=False))
        self.sql("UPDATE flavor SET deleted = true WHERE id = %s", LARGE.id)
        self.assertEqual([str(SMALL.id)], self.ids())

    def test_deleted_shown(self) -> None:
        """A deleted flavor is shown, since servers refer to it."""
        self.sql("UPDATE flavor SET deleted = true WHERE id = %s", SMALL.id)
        reply = self.call("GET", f"{FLAVORS}/{SMALL.id}", by=ALICE)
        self.assertEqual("small", reply.json["flavor"]["name"])

    def test_missing(self) -> None:
        """A name instead of an id is a 404, after which clients list."""
        for text in ("small", str(uuid4()), "%00", "m1.tiny"):
            for path in (f"{FLAVORS}/{text}", f"{FLAVORS}/{text}/os-extra_specs"):
                self.assertEqual(404, self.call("GET", path, by=ALICE).code, path)
        reply = self.call("GET", f"{FLAVORS}/small", by=ALICE)
        self.assertEqual("Flavor small could not be found.", reply.message)

    def test_extra_specs(self) -> None:
        """There are no extra specs, but the question is answered."""
        reply = self.call("GET", f"{FLAVORS}/{SMALL.id}/os-extra_specs", by=ALICE)
        self.assertEqual((200, {"extra_specs": {}}), (reply.code, reply.json))

    def test_pages(self) -> None:
        """A walk through the pages meets every flavor once."""
        for number in range(5):
            flavor = evolve(SMALL, id=uuid4(), name=f"f{number}", ram_mib=64)
            self.run_in(flavors.add, flavor)
        for limit in ("", "1", "2", "3", "99"):
            met: list[str] = []
            path = f"{FLAVORS}?limit={limit}"
            while path:
                page = self.call("GET", path, by=ALICE).json
                met += [flavor["id"] for flavor in page["flavors"]]
                [link] = page.get("flavors_links", [{"href": ROOT}])
                path = link["href"].removeprefix(ROOT)
            self.assertEqual((7, 7), (len(met), len(set(met))))

    def test_bad_pages(self) -> None:
        """A marker that is not there and a bad limit are a 400."""
        for query in (f"marker={uuid4()}", "marker=x", "limit=-1", "limit=x"):
            reply = self.call("GET", f"{FLAVORS}?{query}", by=ALICE)
            self.assertEqual(400, reply.code, query)
