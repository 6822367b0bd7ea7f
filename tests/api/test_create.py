"""``POST /servers``: what is taken, and what comes of it."""

from uuid import UUID, uuid4

from attrs import evolve

from snf.core.identity import User
from snf.core.order import Kind
from snf.storage import flavors, images, orders
from snf.testing.world import (
    ALICE,
    BOB,
    LARGE,
    NETWORK,
    PROJECT_B,
    SMALL,
    TINY,
)
from tests.api.case import ROOT, SERVERS, ApiTestCase


class AcceptedTests(ApiTestCase):
    """A server that is accepted."""

    def test_answer(self) -> None:
        """It is accepted, named in Location, and building."""
        reply = self.create()
        self.assertEqual(202, reply.code, reply.text)
        server = reply.json["server"]["id"]
        self.assertEqual(
            {
                "server": {
                    "id": str(UUID(server)),
                    "links": [
                        {"rel": "self", "href": f"{ROOT}{SERVERS}/{server}"},
                        {"rel": "bookmark", "href": f"{ROOT}/compute/servers/{server}"},
                    ],
                    "OS-DCF:diskConfig": "MANUAL",
                    "security_groups": [{"name": "default"}],
                }
            },
            reply.json,
        )
        self.assertEqual(f"{ROOT}{SERVERS}/{server}", reply.header("Location"))
        shown = self.shown(server)
        self.assertEqual("BUILD", shown["status"])
        self.assertEqual("spawning", shown["OS-EXT-STS:task_state"])

    def test_order(self) -> None:
        """The order says all that Ganeti needs to know."""
        self.server()
        [(number,)] = self.sql("SELECT id FROM server")
        [order] = self.run_in(orders.of_servers, [number])[number]
        self.assertIs(Kind.CREATE, order.kind)
        assert order.build is not None
        self.assertEqual((1, 128, 1), _size(order.build))
        self.assertEqual("file", order.build.disk_template)
        self.assertEqual("cyclades+default", order.build.os)
        [nic] = order.build.nics
        [(port, mac)] = self.sql("SELECT id, mac::text FROM port")
        self.assertEqual((f"snf-nic-{port}", mac), (nic.name, nic.mac))
        self.assertEqual("192.0.2.10", nic.ip)
        # Mode and link are the network's, at Ganeti too.
        self.assertEqual((NETWORK.id, None, None), (nic.network, nic.mode, nic.link))

    def test_request_id(self) -> None:
        """The order and the audit trail carry the id of the request."""
        reply = self.create()
        request_id = reply.header("x-openstack-request-id")
        self.assertEqual([(request_id,)], self.sql("SELECT request_id FROM orders"))
        self.assertEqual(
            [("server create", UUID(reply.json["server"]["id"]), request_id)],
            self.sql(
                "SELECT action, object, request_id FROM activity"
                " WHERE action LIKE 'server%%'"
            ),
        )

    def test_names(self) -> None:
        """A name has 1 to 255 characters of any script, trimmed of blanks around it."""
        for name, kept in (
            ("x", "x"),
            ("x" * 255, "x" * 255),
            (
                "\N{GREEK SMALL LETTER ALPHA}" * 255,
                "\N{GREEK SMALL LETTER ALPHA}" * 255,
            ),
            ("διακομιστής 1 🐇", "διακομιστής 1 🐇"),
            ("  web  ", "web"),
            ("'; DROP TABLE server; --", "'; DROP TABLE server; --"),
            ("%s %(x)s {0} <b>", "%s %(x)s {0} <b>"),
        ):
            self.assertEqual(kept, self.shown(self.server(name=name))["name"])

    def test_same_name(self) -> None:
        """Names need not be unique."""
        self.assertNotEqual(self.server(name="web"), self.server(name="web"))

    def test_references_are_urls(self) -> None:
        """Flavor and image may be named by their URLs."""
        server = self.server(
            flavorRef=f"{ROOT}/compute/v2/flavors/{SMALL.id}",
            imageRef=f"{ROOT}/compute/v2/images/{TINY.id}/",
        )
        shown = self.shown(server)
        self.assertEqual(str(SMALL.id), shown["flavor"]["id"])
        self.assertEqual(str(TINY.id), shown["image"]["id"])

    def test_metadata(self) -> None:
        """Up to 128 items, with keys of 255 characters and values of 0 to 255."""
        metadata = {f"key {number}": "" for number in range(126)}
        metadata |= {"k" * 255: "v" * 255, "κλειδί": "τιμή\n2"}
        server = self.server(metadata=metadata)
        self.assertEqual(metadata, self.shown(server)["metadata"])


class ClientTests(ApiTestCase):
    """The bodies that real clients send."""

    def test_openstackclient(self) -> None:
        """``openstack server create --network``, with the image as a block device."""
        self.server(
            min_count=1,
            max_count=1,
            networks=[{"uuid": str(NETWORK.id)}],
            block_device_mapping_v2=[
                {
                    "uuid": str(TINY.id),
                    "boot_index": 0,
                    "source_type": "image",
                    "destination_type": "local",
                    "delete_on_termination": True,
                }
            ],
        )

    def test_without_image_reference(self) -> None:
        """The block device alone names the image."""
        device = {"uuid": str(TINY.id), "boot_index": "0"}
        server = self.server(imageRef="", block_device_mapping_v2=[device])
        self.assertEqual(str(TINY.id), self.shown(server)["image"]["id"])

    def test_novaclient(self) -> None:
        """``nova boot``: counts, and networks left to us."""
        for networks_wanted in ("auto", None):
            self.server(min_count=1, max_count=1, networks=networks_wanted)

    def test_libcloud(self) -> None:
        """libcloud adds empty metadata."""
        self.server(metadata={})

    def test_openstacksdk(self) -> None:
        """The cloud layer and Ansible send empty security groups."""
        self.server(security_groups=[], min_count=1, max_count=1)

    def test_packer(self) -> None:
        """packer sends empty user data and no drive for it."""
        self.server(
            user_data="", config_drive=False, availability_zone="", key_name=None
        )

    def test_every_version(self) -> None:
        """Every version of the API takes it, and names itself in Location."""
        for version in ("v1.1", "v2", "v2.1"):
            url = f"/compute/{version}/servers"
            body = {"name": "w", "flavorRef": str(SMALL.id), "imageRef": str(TINY.id)}
            reply = self.call("POST", url, {"server": body}, by=ALICE)
            self.assertEqual(202, reply.code, reply.text)
            location = reply.header("Location") or ""
            self.assertTrue(location.startswith(ROOT + url), location)
            shown = self.call("GET", location.removeprefix(ROOT), by=ALICE)
            self.assertEqual(200, shown.code)


class SourceTests(ApiTestCase):
    """Flavors and images that a server may not be made of."""

    def assert_bad(self, named: str, by: User = ALICE, **changes) -> None:
        """It is a 400 that says so."""
        reply = self.create(by, **changes)
        self.assertEqual(400, reply.code, (changes, reply.text))
        self.assertIn(named, reply.message)
        self.assertEqual([], self.sql("SELECT id FROM server"))

    def test_flavor(self) -> None:
        """A flavor that is not there, is deleted, or not public."""
        for reference in (str(uuid4()), "x", "", "/", str(TINY.id)):
            self.assert_bad("flavorRef", flavorRef=reference)
        private = evolve(SMALL, id=uuid4(), name="private", public=False)
        self.run_in(flavors.add, private)
        self.assert_bad("flavorRef", flavorRef=str(private.id))
        self.sql("UPDATE flavor SET deleted = true WHERE id = %s", LARGE.id)
        self.assert_bad("flavorRef", flavorRef=str(LARGE.id))

    def test_image(self) -> None:
        """An image that is not there, or not given."""
        for reference in (str(uuid4()), "x", "", "//", str(SMALL.id)):
            self.assert_bad("image", imageRef=reference)

    def test_flavor_and_image(self) -> None:
        """Where neither is there, the flavor is what is said."""
        self.assert_bad("flavorRef", flavorRef=str(uuid4()), imageRef=str(uuid4()))

    def test_image_of_others(self) -> None:
        """A private image is for its own project only."""
        private = evolve(TINY, id=uuid4(), project=PROJECT_B.id, visibility="private")
        self.run_in(images.add, private)
        self.assert_bad("image", imageRef=str(private.id))
        self.server(BOB, imageRef=str(private.id))

    def test_image_not_active(self) -> None:
        """An image must be complete."""
        queued = evolve(TINY, id=uuid4(), status="queued")
        self.run_in(images.add, queued)
        self.assert_bad("is not active", imageRef=str(queued.id))

    def test_too_small(self) -> None:
        """The flavor must have the disk and the memory that the image needs."""
        for needs, named in (
            ({"min_disk_gib": 2}, "disk"),
            ({"min_ram_mib": 129}, "memory"),
        ):
            image = evolve(TINY, id=uuid4(), **needs)
            self.run_in(images.add, image)
            self.assert_bad(named, imageRef=str(image.id))

    def test_two_images(self) -> None:
        """The block device and the reference must name the same image."""
        device = {"uuid": str(uuid4())}
        self.assert_bad("block_device_mapping_v2", block_device_mapping_v2=[device])

    def test_no_cluster(self) -> None:
        """Where no cluster takes servers it is a 503."""
        for change in (
            "UPDATE cluster SET drained = true",
            "UPDATE cluster SET drained = false, offline = true",
            "UPDATE cluster SET offline = false, disk_templates = '{drbd}'",
            "DELETE FROM cluster",
        ):
            self.sql(change)
            reply = self.create()
            self.assertEqual(503, reply.code, (change, reply.text))
            self.assertIn("serviceUnavailable", reply.json)


def _size(build) -> tuple[int, int, int]:
    return build.vcpus, build.ram_mib, build.disk_gib
