"""What nodes ask for their guests, and what they pass on from them."""

from typing import Any

from attrs import evolve

from snf.core.guest_metadata import PASSWORD_AT_MOST
from snf.core.node_keys import NodeKeys
from snf.core.server import Life, Observed
from snf.core.signing import METADATA_PATH, PASSWORD_PATH, Signer
from snf.testing.world import ADMIN, ALICE
from tests.api.case import KEYS, NOW, SERVERS, Reply
from tests.api.situations import PUBLIC_KEY
from tests.api.test_guests import DATA, USER_DATA, GuestTestCase

MISSING = 999_999


class MetadataTestCase(GuestTestCase):
    """A server without a config drive, and a node that asks of it."""

    def setUp(self) -> None:
        super().setUp()
        self.builder = evolve(self.builder, force_drive=False)
        self.site = self.new_site()
        self.id = self.server(
            imageRef=str(DATA.id),
            config_drive=False,
            key_name="mine",
            user_data=USER_DATA,
            metadata={"k": "v"},
        )
        [(self.number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", self.id)

    def ask(
        self,
        number: Any,
        method: str = "GET",
        body: Any = None,
        path: str = METADATA_PATH,
        **signed: Any,
    ) -> Reply:
        """Ask as a node does, whose signature may be of something else."""
        whole = path.format(number)
        signer: Signer = signed.get("signer", KEYS.shared)
        query = signer.query(
            signed.get("signed_method", method),
            signed.get("signed_path", whole),
            signed.get("expires", int(NOW) + 60),
        )
        return self.call(method, f"{whole}?{query}", body)

    def tell(self, password: Any, **signed: Any) -> Reply:
        """Tell a password as a node does."""
        number = signed.pop("number", self.number)
        body = {"password": password}
        return self.ask(number, "POST", body, PASSWORD_PATH, **signed)


class ShowTests(MetadataTestCase):
    """``GET /node/v1/metadata/{server}``."""

    def test_told(self) -> None:
        """A node is told what the guest may know, however long it has been running."""
        self.live(self.id, Life(Observed.UP))
        told = self.ask(self.number).json
        self.assertEqual((self.id, "web"), (told["uuid"], told["name"]))
        self.assertEqual({"k": "v"}, told["metadata"])
        self.assertEqual([PUBLIC_KEY], [key["public_key"] for key in told["keys"]])
        self.assertEqual(USER_DATA, told["user_data"])
        self.assertEqual(str(DATA.id), told["image_id"])
        self.assertEqual(
            (["default"], "small"), (told["security_groups"], told["flavor"])
        )
        [nic] = told["interfaces"]
        self.assertEqual("192.0.2.1", nic["ips"][0]["gateway"])
        self.assertEqual(("", []), (told["password"], told["floating_ips"]))

    def test_no_secret(self) -> None:
        """Its password and files are told by the drive alone, and once."""
        file = {"path": "/x", "contents": "aHVudGVyMg=="}
        made = self.create(imageRef=str(DATA.id), personality=[file])
        server = made.json["server"]
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", server["id"])
        reply = self.ask(number)
        self.assertEqual(200, reply.code)
        text = reply.text.decode()
        self.assertNotIn(server["adminPass"], text)
        self.assertNotIn("aHVudGVyMg", text)

    def test_changes(self) -> None:
        """What the owner changes later is told from then on."""
        body = {"metadata": {"k": "w", "more": "1"}}
        self.call("POST", f"{SERVERS}/{self.id}/metadata", body, by=ALICE)
        self.assertEqual(body["metadata"], self.ask(self.number).json["metadata"])

    def test_plain(self) -> None:
        """A server that was told nothing has a name and addresses still."""
        server = self.server()
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", server)
        told = self.ask(number).json
        self.assertEqual(
            (server, [], None), (told["uuid"], told["keys"], told["user_data"])
        )

    def test_refused(self) -> None:
        """Without a node's signature for just this nothing is said, not even what there is."""
        bare = self.call("GET", METADATA_PATH.format(self.number))
        other = NodeKeys.of("b" * 32)
        for reply in (
            bare,
            self.ask(self.number, signer=other.shared),
            self.ask(self.number, signer=KEYS.signer),
            self.ask(self.number, signed_method="POST"),
            self.ask(self.number, signed_path=METADATA_PATH.format(1)),
            self.ask(self.number, expires=int(NOW)),
            self.ask(MISSING, signer=other.shared),
        ):
            self.assertEqual((403, bare.text), (reply.code, reply.text))

    def test_missing(self) -> None:
        """Of no server, or one that is gone, nothing is known."""
        for number in (MISSING, "x", "1" * 30, "-1"):
            self.assertEqual(404, self.ask(number).code, number)
        self.live(self.id, Life(Observed.GONE, deletion_asked=True))
        self.assertEqual(404, self.ask(self.number).code)

    def test_another_key(self) -> None:
        """User data that cannot be opened are a conflict of this server's alone."""
        self.sql("UPDATE guest SET user_data = 'spoiled'")
        reply = self.ask(self.number)
        self.assertEqual(409, reply.code)
        self.assertIn("key_file", reply.message)


class PasswordTests(MetadataTestCase):
    """``POST /node/v1/metadata/{server}/password``, and what the owner sees."""

    def shown_password(self, method: str = "GET") -> Reply:
        """Ask as the owner does."""
        return self.call(method, f"{SERVERS}/{self.id}/os-server-password", by=ALICE)

    def test_once(self) -> None:
        """The first password is kept for the owner; it can be told anew when he clears it."""
        self.assertEqual({"password": ""}, self.shown_password().json)
        self.assertEqual(204, self.tell("c2VjcmV0").code)
        self.assertEqual({"password": "c2VjcmV0"}, self.shown_password().json)
        self.assertEqual("c2VjcmV0", self.ask(self.number).json["password"])
        self.assertEqual(409, self.tell("other").code)
        self.assertEqual({"password": "c2VjcmV0"}, self.shown_password().json)
        self.assertEqual(204, self.shown_password("DELETE").code)
        self.assertEqual(204, self.tell("other").code)
        self.assertEqual({"password": "other"}, self.shown_password().json)

    def test_told_nothing_else(self) -> None:
        """So can the guest of a server that was told nothing."""
        self.id = self.server()
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", self.id)
        self.assertEqual(204, self.tell("c2VjcmV0", number=number).code)
        self.assertEqual({"password": "c2VjcmV0"}, self.shown_password().json)
        self.assertEqual(409, self.tell("c2VjcmV0", number=number).code)

    def test_refused(self) -> None:
        """What is too long or no text is a 400, and a guest that there is not a 404."""
        for password in ("", "x" * (PASSWORD_AT_MOST + 1), "\u00e9", 7):
            self.assertEqual(400, self.tell(password).code, password)
        self.assertEqual(204, self.tell("x" * PASSWORD_AT_MOST).code)
        self.assertEqual(404, self.tell("x", number=MISSING).code)
        wrong = Signer(b"x" * 32)
        self.assertEqual(403, self.tell("x", signer=wrong).code)
        self.assertEqual(403, self.tell("x", signed_method="GET").code)


class WithoutDriveTests(MetadataTestCase):
    """``config_drive: false``."""

    def test_order(self) -> None:
        """There is no second disk, and no password that could not be told."""
        _, arguments = self.order(self.id)
        self.assertFalse(arguments["build"]["drive"])
        shown = self.shown(self.id)
        self.assertEqual(("", "mine"), (shown["config_drive"], shown["key_name"]))
        self.assertEqual([], self.sql("SELECT * FROM guest_secret"))
        reply = self.create(imageRef=str(DATA.id), config_drive=False)
        self.assertNotIn("adminPass", reply.json["server"])

    def test_forced(self) -> None:
        """Where the operator wants a drive for all, clients that want none change nothing."""
        self.builder = evolve(self.builder, force_drive=True)
        self.site = self.new_site()
        reply = self.create(imageRef=str(DATA.id), config_drive=False, key_name="mine")
        self.assertIn("adminPass", reply.json["server"])
        server = reply.json["server"]["id"]
        self.assertEqual("True", self.shown(server)["config_drive"])
        self.assertNotIn("adminPass", self.create(config_drive=False).json["server"])

    def test_user_data(self) -> None:
        """Admins see its user data, as with a drive."""
        headers = {"OpenStack-API-Version": "compute 2.3"}
        reply = self.call("GET", f"{SERVERS}/{self.id}", by=ADMIN, headers=headers)
        shown = reply.json["server"]
        self.assertEqual(USER_DATA, shown["OS-EXT-SRV-ATTR:user_data"])

    def test_any_image(self) -> None:
        """The guest of any image may ask: no OS definition has to tell it anything."""
        server = self.server(config_drive="False", key_name="mine")
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", server)
        [key] = self.ask(number).json["keys"]
        self.assertEqual(PUBLIC_KEY, key["public_key"])

    def test_refused(self) -> None:
        """What only the drive tells is refused by name."""
        file = {"path": "/x", "contents": "aHVudGVyMg=="}
        for name, value in (("adminPass", "pw"), ("personality", [file])):
            reply = self.create(
                imageRef=str(DATA.id), config_drive=False, **{name: value}
            )
            self.assertEqual(400, reply.code)
            self.assertIn(f"server.{name}", reply.message)

    def test_rebuild(self) -> None:
        """A rebuild keeps what is told, or changes it; there is still no password."""
        self.live(self.id, Life(Observed.UP))
        body = {"rebuild": {"imageRef": str(DATA.id)}}
        reply = self.act(self.id, body)
        self.assertEqual(202, reply.code, reply.text)
        self.assertNotIn("adminPass", reply.json["server"])
        self.assertEqual(USER_DATA, self.ask(self.number).json["user_data"])
        self.live(self.id, Life(Observed.UP))
        refused = {"rebuild": {"imageRef": str(DATA.id), "adminPass": "pw"}}
        self.assertEqual(400, self.act(self.id, refused).code)
        wanted = {"imageRef": str(DATA.id), "user_data": None, "key_name": None}
        headers = {"OpenStack-API-Version": "compute 2.57"}
        reply = self.call(
            "POST",
            f"{SERVERS}/{self.id}/action",
            {"rebuild": wanted},
            by=ALICE,
            headers=headers,
        )
        self.assertEqual(202, reply.code, reply.text)
        told = self.ask(self.number).json
        self.assertEqual(([], None), (told["keys"], told["user_data"]))
