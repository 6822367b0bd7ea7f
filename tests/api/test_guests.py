"""What is asked for guests when servers are made, and where it goes."""

import base64
from typing import Any
from uuid import UUID

from attrs import evolve

from snf.api.compute.build import Builder
from snf.core.guest import FILE_BYTES_AT_MOST
from snf.core.quota import NO_LIMITS
from snf.core.server import Life, Observed
from snf.storage import flavors, guests, images
from snf.testing.world import ADMIN, ALICE, SMALL, TINY
from tests.api.case import KEYS, SERVERS, ApiTestCase, Reply
from tests.api.situations import PUBLIC_KEY

SHA256 = "5e" * 32
DATA = evolve(
    TINY,
    id=UUID(int=0x1B, version=4),
    name="debian",
    sha256=SHA256,
    disk_format="qcow2",
    size_bytes=12_345,
    virtual_size_bytes=2**30,
)
USER_DATA = base64.b64encode(b"#!/bin/sh\necho very-secret\n").decode()
FILE = {"path": "/etc/motd", "contents": "aHVudGVyMg==", "mode": 420}


class GuestTestCase(ApiTestCase):
    """A test with an image that has data, and a key pair."""

    max_body_bytes = 2**20

    def setUp(self) -> None:
        super().setUp()
        self.run_in(images.add, DATA)
        body = {"keypair": {"name": "mine", "public_key": PUBLIC_KEY}}
        self.call("POST", "/compute/v2.1/os-keypairs", body, by=ALICE)

    def order(self, server: str) -> tuple[UUID, dict[str, Any]]:
        """Return the newest order of a server, and what is stored of it."""
        [row] = self.sql(
            "SELECT o.id, o.arguments FROM orders o JOIN server s ON s.id = o.server_id"
            " WHERE s.uuid = %s ORDER BY o.number DESC LIMIT 1",
            server,
        )
        return row

    def told(self, server: str) -> Any:
        return self.run_in(guests.told, KEYS.seal, self.order(server)[0])

    def everything(self) -> str:
        """Return all that the database has, as text."""
        tables = ("orders", "server", "guest", "guest_secret", "activity")
        found = [self.sql(f"SELECT t::text FROM {name} t") for name in tables]
        return str(found) + str(
            self.sql("SELECT convert_from(sealed, 'utf8') FROM guest_secret")
        )


class CreateTests(GuestTestCase):
    """``POST /servers``."""

    def test_all_of_it(self) -> None:
        """The guest is told all that was asked for; the password is answered once."""
        reply = self.create(
            imageRef=str(DATA.id),
            key_name="mine",
            user_data=USER_DATA,
            personality=[FILE],
            adminPass="Correct-Horse-1",
            metadata={"k": "v"},
        )
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual("Correct-Horse-1", reply.json["server"]["adminPass"])
        server = reply.json["server"]["id"]
        guest = self.told(server)
        self.assertEqual("Correct-Horse-1", guest.secret.admin_pass)
        self.assertEqual(USER_DATA, guest.user_data)
        self.assertEqual([PUBLIC_KEY], [key.public_key for key in guest.keys])
        self.assertEqual({"k": "v"}, guest.metadata)
        self.assertEqual({"os": "linux"}, guest.properties)
        [file] = guest.secret.files
        self.assertEqual(("/etc/motd", "root", 420), (file.path, file.owner, file.mode))
        [nic] = guest.interfaces
        [address] = nic.addresses
        self.assertEqual(("192.0.2.1", 24), (address.gateway, address.prefix))
        shown = self.shown(server)
        self.assertEqual("mine", shown["key_name"])
        self.assertEqual("True", shown["config_drive"])
        self.assertNotIn("adminPass", shown)

    def test_order(self) -> None:
        """The order has the image's data and the drive, and nothing of the guest."""
        server = self.server(imageRef=str(DATA.id), user_data=USER_DATA, adminPass="pw")
        _, arguments = self.order(server)
        build = arguments["build"]
        self.assertTrue(build["drive"])
        self.assertEqual(
            {
                "image": str(DATA.id),
                "sha256": SHA256,
                "size": 12_345,
                "format": "qcow2",
            },
            build["source"],
        )
        self.assertEqual({}, build["os_parameters"])

    def test_sealed(self) -> None:
        """Nothing that is secret can be read in the database."""
        made = self.create(
            imageRef=str(DATA.id), user_data=USER_DATA, personality=[FILE]
        )
        password = made.json["server"]["adminPass"]
        self.assertGreaterEqual(len(password), 12)
        stored = self.everything()
        for secret in (password, USER_DATA, "very-secret", "aHVudGVyMg", "hunter2"):
            self.assertNotIn(secret, stored)

    def test_forgotten(self) -> None:
        """Password and files go with the order's end, all else with the server."""
        server = self.server(imageRef=str(DATA.id), user_data=USER_DATA)
        self.live(server, Life(Observed.UP))
        self.assertEqual([], self.sql("SELECT * FROM guest_secret"))
        self.assertEqual(1, len(self.sql("SELECT * FROM guest")))
        self.live(server, Life(Observed.GONE, deletion_asked=True))
        self.assertEqual([], self.sql("SELECT * FROM guest"))

    def test_nothing_asked(self) -> None:
        """A server of an image without data has no drive unless it needs one."""
        reply = self.create()
        self.assertNotIn("adminPass", reply.json["server"])
        self.assertEqual("", self.shown(reply.json["server"]["id"])["config_drive"])
        for asked in (
            {"config_drive": True},
            {"key_name": "mine"},
            {"user_data": USER_DATA},
            {"personality": [FILE]},
            {"adminPass": "p"},
        ):
            reply = self.create(**asked)
            self.assertIn("adminPass", reply.json["server"], asked)
        for asked in ({"config_drive": False}, {"personality": []}, {"key_name": ""}):
            self.assertNotIn("adminPass", self.create(**asked).json["server"])

    def test_together(self) -> None:
        """Servers that are asked for together have one password."""
        reply = self.create(imageRef=str(DATA.id), min_count=2, max_count=2)
        password = reply.json["server"]["adminPass"]
        orders = self.sql("SELECT id FROM orders")
        told = [self.run_in(guests.told, KEYS.seal, order) for (order,) in orders]
        self.assertEqual([password] * 2, [guest.secret.admin_pass for guest in told])

    def test_repeated(self) -> None:
        """An answer that is given again has no password, nor has the database."""
        headers = {"X-Idempotency-Key": "k"}
        body = {
            "server": {
                "name": "web",
                "flavorRef": str(SMALL.id),
                "imageRef": str(DATA.id),
            }
        }
        first, again = (
            self.call("POST", SERVERS, body, by=ALICE, headers=headers)
            for _ in range(2)
        )
        told = first.json
        password = told["server"].pop("adminPass")
        self.assertEqual(told, again.json)
        self.assertNotIn(
            password, str(self.sql("SELECT r::text FROM idempotent_request r"))
        )

    def test_refused(self) -> None:
        """What cannot be told is refused, with the field, and nothing is stored."""
        for code, part, asked in (
            (400, "key_name", {"key_name": "nobody's"}),
            (400, "user_data", {"user_data": "not base64!"}),
            (400, "user_data", {"user_data": "A" * 65_536}),
            (400, "contents", {"personality": [{"path": "/x", "contents": "?"}]}),
            (400, "contents", {"personality": [{"path": "/x"}]}),
            (400, "nonsense", {"personality": [{**FILE, "nonsense": 1}]}),
            (400, "mode", {"personality": [{**FILE, "mode": 8192}]}),
            (403, "files", {"personality": [FILE] * 6}),
            (403, "path", {"personality": [{**FILE, "path": "/" + "x" * 255}]}),
            (403, "contents", {"personality": [{**FILE, "contents": _LARGE}]}),
            (400, "adminPass", {"adminPass": "a\nb"}),
        ):
            reply = self.create(imageRef=str(DATA.id), **asked)
            self.assertEqual(code, reply.code, (asked, reply.text))
            self.assertIn(part, reply.message)
        self.assertEqual([], self.sql("SELECT * FROM server"))

    def test_no_files_any_more(self) -> None:
        """From 2.57 on there is no personality."""
        body = {
            "server": {
                "name": "web",
                "flavorRef": str(SMALL.id),
                "imageRef": str(DATA.id),
                "networks": "auto",
                "personality": [FILE],
            }
        }
        for version, code in (("2.56", 202), ("2.57", 400)):
            reply = self.call("POST", SERVERS, body, by=ALICE, version=version)
            self.assertEqual(code, reply.code, reply.text)

    def test_does_not_fit(self) -> None:
        """An image whose disk is larger than the flavor's is a 400; so is none."""
        large = evolve(DATA, id=UUID(int=0x1C, version=4), virtual_size_bytes=2**30 + 1)
        other = evolve(DATA, id=UUID(int=0x1D, version=4), os="noop")
        diskless = evolve(SMALL, id=UUID(int=0xF9, version=4), name="d", disk_gib=0)
        for image in (large, other):
            self.run_in(images.add, image)
        self.run_in(flavors.add, diskless)
        for asked in (
            {"imageRef": str(large.id)},
            {"imageRef": str(other.id)},
            {"flavorRef": str(diskless.id), "key_name": "mine"},
        ):
            self.assertEqual(400, self.create(**asked).code, asked)

    def test_without_a_key(self) -> None:
        """Where the operator has set no key, guests can be told nothing."""
        self.builder = Builder(limits=NO_LIMITS)
        self.site = self.new_site()
        reply = self.create(imageRef=str(DATA.id))
        self.assertEqual(501, reply.code)
        self.assertIn("key_file", reply.message)
        self.assertEqual(202, self.create().code)


_LARGE = base64.b64encode(b"x" * (FILE_BYTES_AT_MOST + 1)).decode()


class ShownTests(GuestTestCase):
    """What is shown, and searched for."""

    def admins(self, server: str, by: Any, version: str = "2.3") -> Reply:
        return self.call("GET", f"{SERVERS}/{server}", by=by, version=version)

    def test_user_data(self) -> None:
        """Only admins see it, from 2.3 on."""
        server = self.server(imageRef=str(DATA.id), user_data=USER_DATA)
        name = "OS-EXT-SRV-ATTR:user_data"
        shown = self.admins(server, ADMIN).json["server"]
        self.assertEqual(USER_DATA, shown[name])
        self.assertNotIn(name, self.admins(server, ALICE).json["server"])
        self.assertNotIn(name, self.admins(server, ADMIN, "2.1").json["server"])

    def test_filters(self) -> None:
        """Lists are narrowed by key and drive, for owners from 2.83 on."""
        plain = self.server()
        server = self.server(key_name="mine")
        for query, found in (
            ("key_name=mine", [server]),
            ("key_name=", [plain]),
            ("config_drive=true", [server]),
            ("config_drive=false", [plain]),
            ("sort_key=key_name&sort_dir=asc", [plain, server]),
        ):
            reply = self.call("GET", f"{SERVERS}?{query}", by=ALICE, version="2.83")
            self.assertEqual(found, [one["id"] for one in reply.json["servers"]], query)

    def test_server_password(self) -> None:
        """It is empty until the guest has made one up, and can be forgotten."""
        server = self.server(key_name="mine")
        path = f"{SERVERS}/{server}/os-server-password"
        self.assertEqual({"password": ""}, self.call("GET", path, by=ALICE).json)
        self.sql("UPDATE guest SET password = 'AbC='")
        self.assertEqual({"password": "AbC="}, self.call("GET", path, by=ALICE).json)
        self.assertEqual(204, self.call("DELETE", path, by=ALICE).code)
        self.assertEqual({"password": ""}, self.call("GET", path, by=ALICE).json)

    def test_change_password(self) -> None:
        """It says clearly that there is nobody who could be told."""
        server = self.server()
        self.live(server, Life(Observed.UP))
        reply = self.act(server, {"changePassword": {"adminPass": "very-secret"}})
        self.assertEqual(409, reply.code)
        self.assertIn("no agent", reply.message)
        self.assertNotIn("very-secret", reply.message)
        self.assertEqual(400, self.act(server, {"changePassword": {}}).code)
