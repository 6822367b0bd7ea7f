"""The documents that tell clients which services and versions there are."""

from snf.testing.world import ALICE
from tests.api.case import ROOT, ApiTestCase


class DocumentTests(ApiTestCase):
    """Discovery, open to everybody."""

    def get(self, path: str, code: int = 200):
        """Return a document, which needs no token and no slash at its end."""
        reply = self.call("GET", path)
        self.assertEqual(code, reply.code, path)
        for other in (
            self.call("GET", f"{path}/"),
            self.call("GET", path, by=ALICE),
            self.call("GET", path, headers={"X-Auth-Token": "nonsense"}),
        ):
            self.assertEqual((code, reply.json), (other.code, other.json), path)
        head = self.call("HEAD", path)
        self.assertEqual((code, b""), (head.code, head.text))
        return reply.json

    def test_root(self) -> None:
        """A client given only the cloud's root finds the identity API."""
        document = self.call("GET", "/")
        self.assertEqual(300, document.code)
        [version] = document.json["versions"]["values"]
        self.assert_version(version, "v3.14", "/identity/v3/")

    def assert_version(self, version: dict, name: str, path: str) -> None:
        """It has what keystoneauth cannot do without."""
        self.assertEqual(name, version["id"])
        self.assertIn(version["status"], ("stable", "CURRENT", "SUPPORTED"))
        self.assertEqual({"rel": "self", "href": ROOT + path}, version["links"][0])

    def test_identity(self) -> None:
        """Identity has version 3."""
        [version] = self.get("/identity", 300)["versions"]["values"]
        self.assert_version(version, "v3.14", "/identity/v3/")
        place = self.call("GET", "/identity").header("Location")
        self.assertEqual(f"{ROOT}/identity/v3/", place)
        self.assertEqual({"version": version}, self.get("/identity/v3"))

    def test_compute(self) -> None:
        """Compute has three, the newest with the microversions that are served."""
        versions = self.get("/compute")["versions"]
        self.assertEqual(["v1.1", "v2.0", "v2.1"], [one["id"] for one in versions])
        for version, path in zip(versions, ("v1.1", "v2", "v2.1"), strict=True):
            self.assert_version(version, version["id"], f"/compute/{path}/")
            shown = self.get(f"/compute/{path}")["version"]
            self.assert_version(shown, version["id"], f"/compute/{path}/")
        current = self.get("/compute/v2.1")["version"]
        self.assertEqual(
            ("CURRENT", "2.1", "2.100"),
            (current["status"], current["min_version"], current["version"]),
        )
        self.assertEqual(
            {
                "id",
                "status",
                "version",
                "min_version",
                "updated",
                "links",
                "media-types",
            },
            set(current),
        )

    def test_image(self) -> None:
        """Image has version 2, in the steps that Glance names."""
        for path, code in (("/image", 300), ("/image/versions", 200)):
            versions = self.get(path, code)["versions"]
            self.assertEqual("CURRENT", versions[0]["status"])
            self.assert_version(versions[0], "v2.13", "/image/v2/")
            for version in versions:
                self.assertEqual({"id", "status", "links"}, set(version))

    def test_network(self) -> None:
        """Network has version 2.0, and says what is in it to those with a token."""
        [version] = self.get("/network")["versions"]
        self.assert_version(version, "v2.0", "/network/v2.0/")
        self.assertEqual(401, self.call("GET", "/network/v2.0").code)
        reply = self.call("GET", "/network/v2.0", headers=self.unscoped(ALICE))
        resources = reply.json["resources"]
        self.assertEqual(
            ["networks", "subnets", "ports"], [one["collection"] for one in resources]
        )

    def test_links_lead_somewhere(self) -> None:
        """Every link of every document answers."""
        for path in ("/", "/identity", "/compute", "/image", "/network"):
            document = self.call("GET", path).json
            versions = document["versions"]
            values = versions["values"] if isinstance(versions, dict) else versions
            for version in values:
                href = version["links"][0]["href"].removeprefix(ROOT)
                if href != "/image/v2/":  # as with Glance, only a prefix
                    self.assertEqual(200, self.call("GET", href, by=ALICE).code, href)

    def test_wrong_method(self) -> None:
        """A document can only be read."""
        for path in ("/", "/identity/v3", "/compute", "/compute/v2", "/image"):
            reply = self.call("POST", path, {})
            self.assertEqual(405, reply.code)
            self.assertEqual("GET, HEAD", reply.header("Allow"))
