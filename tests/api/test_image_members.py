"""``/image/v2/images/{id}/members``, and ``/compute/*/images/{id}/metadata``."""

from uuid import uuid4

from snf.testing.world import (
    ALICE,
    BOB,
    PROJECT_B,
)
from tests.api.images import IMAGES, GlanceTestCase


class MemberTests(GlanceTestCase):
    """``members``."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.make()
        self.members = f"{IMAGES}/{self.made['id']}/members"
        self.bobs = f"{self.members}/{PROJECT_B.id}"

    def share(self) -> None:
        """Share it with Bob's project."""
        reply = self.call("POST", self.members, {"member": str(PROJECT_B.id)}, by=ALICE)
        self.assertEqual(200, reply.code, reply.text)
        self.assertEqual(
            ("pending", str(PROJECT_B.id), self.made["id"], "/v2/schemas/member"),
            tuple(
                reply.json[name]
                for name in ("status", "member_id", "image_id", "schema")
            ),
        )

    def test_journey(self) -> None:
        """It is shared, accepted, rejected, and shared no more; each sees what it may."""
        self.assertEqual(404, self.show(self.made["id"], BOB).code)
        self.share()
        self.assertEqual(200, self.show(self.made["id"], BOB).code)
        self.assertEqual(["tiny"], self.found(by=BOB))
        self.assertEqual(
            ["mine"], self.found("member_status=pending&visibility=shared", BOB)
        )
        reply = self.call("PUT", self.bobs, {"status": "accepted"}, by=BOB)
        self.assertEqual("accepted", reply.json["status"])
        self.assertEqual({"mine", "tiny"}, {*self.found(by=BOB)})
        self.assertEqual([], self.found("visibility=private", BOB))
        listed = self.call("GET", self.members, by=ALICE).json
        self.assertEqual([reply.json], listed["members"])
        self.assertEqual(reply.json, self.call("GET", self.bobs, by=BOB).json)
        self.call("PUT", self.bobs, {"status": "rejected"}, by=BOB)
        self.assertEqual(["tiny"], self.found(by=BOB))
        self.assertEqual(
            ["mine"], self.found("visibility=shared&member_status=all", BOB)
        )
        self.assertEqual(204, self.call("DELETE", self.bobs, by=ALICE).code)
        self.assertEqual(404, self.show(self.made["id"], BOB).code)
        self.assertEqual(404, self.call("DELETE", self.bobs, by=ALICE).code)

    def test_whose_word(self) -> None:
        """Only a member says what it thinks, only the owner with whom it is shared."""
        self.share()
        for method, path, body, by in (
            ("PUT", self.bobs, {"status": "accepted"}, ALICE),
            ("POST", self.members, {"member": str(uuid4())}, BOB),
            ("DELETE", self.bobs, None, BOB),
        ):
            self.assertEqual(403, self.call(method, path, body, by=by).code, method)
        again = self.call("POST", self.members, {"member": str(PROJECT_B.id)}, by=ALICE)
        self.assertEqual(409, again.code)

    def test_members_are_not_told_of_each_other(self) -> None:
        """A member sees itself in the list, and no other."""
        self.share()
        other = str(uuid4())
        self.call("POST", self.members, {"member": other}, by=ALICE)
        listed = self.call("GET", self.members, by=BOB).json["members"]
        self.assertEqual([str(PROJECT_B.id)], [one["member_id"] for one in listed])
        self.assertEqual(404, self.call("GET", f"{self.members}/{other}", by=BOB).code)

    def test_only_shared(self) -> None:
        """An image that is not of the visibility shared has no members."""
        self.patch_it(self.made["id"], ("replace", "/visibility", "private"))
        body = {"member": str(PROJECT_B.id)}
        self.assertEqual(403, self.call("POST", self.members, body, by=ALICE).code)

    def test_not_shared_while_private(self) -> None:
        """Members of an image that becomes private see it no more."""
        self.share()
        self.patch_it(self.made["id"], ("replace", "/visibility", "private"))
        self.assertEqual(404, self.show(self.made["id"], BOB).code)


class ComputeMetadataTests(GlanceTestCase):
    """The compute API's ``/images/{id}/metadata`` and ``/meta``."""

    def test_verbs(self) -> None:
        """Properties are set, replaced and removed by key; their case is kept."""
        made = self.make(OSFAMILY="linux")
        for kind, code in (("metadata", 200), ("meta", 201)):
            url = f"/compute/v2/images/{made['id']}/{kind}"
            reply = self.call("POST", url, {"metadata": {"USERS": "root"}}, by=ALICE)
            self.assertEqual(code, reply.code, reply.text)
            self.assertEqual(
                {"OSFAMILY": "linux", "USERS": "root"}, reply.json["metadata"]
            )
            reply = self.call("PUT", f"{url}/GUI", {"meta": {"GUI": "no"}}, by=ALICE)
            self.assertEqual((code, {"meta": {"GUI": "no"}}), (reply.code, reply.json))
            shown = self.call("GET", f"{url}/GUI", by=ALICE).json
            self.assertEqual({"meta": {"GUI": "no"}}, shown)
            for name in ("GUI", "USERS"):
                self.assertEqual(
                    204, self.call("DELETE", f"{url}/{name}", by=ALICE).code
                )
            self.assertEqual(404, self.call("GET", f"{url}/GUI", by=ALICE).code)
            self.assertEqual(
                {"metadata": {"OSFAMILY": "linux"}},
                self.call("GET", url, by=ALICE).json,
            )
        self.assertEqual("linux", self.show(made["id"]).json["OSFAMILY"])

    def test_refused(self) -> None:
        """What every image has is not set in this way, nor what is others'."""
        made = self.make(visibility="community")
        url = f"/compute/v2.1/images/{made['id']}/metadata"
        for body, by, code in (
            ({"status": "active"}, ALICE, 403),
            ({"name": "x"}, ALICE, 403),
            ({"k": "v"}, BOB, 403),
        ):
            reply = self.call("PUT", url, {"metadata": body}, by=by)
            self.assertEqual(code, reply.code, reply.text)
        for version, code in (("2.38", 200), ("2.39", 404)):
            reply = self.call("GET", url, by=ALICE, version=version)
            self.assertEqual(code, reply.code)

    def test_delete(self) -> None:
        """The compute API deletes images as well."""
        made = self.make()
        url = f"/compute/v2.1/images/{made['id']}"
        self.assertEqual(204, self.call("DELETE", url, by=ALICE).code)
        self.assertEqual(404, self.show(made["id"]).code)

    def test_detail(self) -> None:
        """The list of the compute API has one's own, with their properties."""
        made = self.make(OS="debian")
        listed = self.call("GET", "/compute/v2.1/images/detail", by=ALICE).json
        [mine] = [one for one in listed["images"] if one["id"] == made["id"]]
        self.assertEqual(
            ("SAVING", 25, {"OS": "debian"}),
            (mine["status"], mine["progress"], mine["metadata"]),
        )
        self.assertEqual(
            ["tiny"],
            [
                one["name"]
                for one in self.call("GET", "/compute/v2.1/images", by=BOB).json[
                    "images"
                ]
            ],
        )
