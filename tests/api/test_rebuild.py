"""Servers whose disks are made anew."""

import base64
from typing import Any
from uuid import UUID

from attrs import evolve

from snf.core.order import Order, Reinstall, Source
from snf.core.report import ProgressReport
from snf.core.server import Fault, Life, Observed
from snf.logic.dispatcher import fold
from snf.storage import guests, images, orders
from snf.testing.world import ADMIN, ALICE, BOB, TINY
from tests.api.case import KEYS, SERVERS, Reply
from tests.api.situations import PUBLIC_KEY
from tests.api.test_guests import DATA, FILE, SHA256, USER_DATA, GuestTestCase

OTHER = evolve(DATA, id=UUID(int=0x1E, version=4), name="other", properties={"o": "p"})
NEW_DATA = base64.b64encode(b"new").decode()


class RebuildTests(GuestTestCase):
    """``rebuild``."""

    def setUp(self) -> None:
        super().setUp()
        self.run_in(images.add, OTHER)
        self.id = self.server(
            imageRef=str(DATA.id), key_name="mine", user_data=USER_DATA
        )
        self.live(self.id, Life(Observed.UP, launched=1.0))

    def rebuild(self, by: Any = ALICE, version: str = "2.1", **more: Any) -> Reply:
        body = {"rebuild": {"imageRef": str(OTHER.id), **more}}
        path = f"{SERVERS}/{self.id}/action"
        return self.call("POST", path, body, by=by, version=version)

    def stored(self) -> Order:
        number, _ = self.order(self.id)
        [row] = self.sql(f"SELECT {orders.COLUMNS} FROM orders o WHERE id = %s", number)
        return orders.from_row(row)

    def test_ordered(self) -> None:
        """It is in REBUILD, and the order says with what."""
        reply = self.rebuild(name="again", metadata={"a": "b"})
        self.assertEqual(202, reply.code, reply.text)
        server = reply.json["server"]
        self.assertEqual(("REBUILD", "again"), (server["status"], server["name"]))
        self.assertEqual(str(OTHER.id), server["image"]["id"])
        self.assertEqual({"a": "b"}, server["metadata"])
        self.assertGreaterEqual(len(server["adminPass"]), 12)
        self.assertEqual(0, server["progress"])
        self.assertTrue((reply.header("Location") or "").endswith(self.id))
        self.assertEqual(
            Reinstall(
                image=OTHER.id,
                os="cyclades+default",
                source=Source(OTHER.id, SHA256, 12_345, "qcow2"),
                drive=True,
                start=True,
            ),
            self.stored().reinstall,
        )
        shown = self.shown(self.id)
        self.assertEqual("rebuilding", shown["OS-EXT-STS:task_state"])
        # Its disk is still the old one.
        self.assertEqual(str(DATA.id), shown["image"]["id"])
        actions = self.call("GET", f"{SERVERS}/{self.id}/os-instance-actions", by=ALICE)
        newest = actions.json["instanceActions"][0]
        self.assertEqual("rebuild", newest["action"])

    def test_progress(self) -> None:
        """How far the new disk is begins at 0 again, and is shown."""
        [[number]] = self.sql("SELECT id FROM server WHERE uuid = %s", self.id)
        report = ProgressReport(number, 100)
        self.run_in(fold, [report])
        self.rebuild()
        self.assertEqual(0, self.shown(self.id)["progress"])
        for percent in (30, 20, 60):
            self.run_in(fold, [ProgressReport(number, percent)])
        self.assertEqual(60, self.shown(self.id)["progress"])

    def test_told(self) -> None:
        """The guest is told what is given, and else what it was told before."""
        password = self.rebuild().json["server"]["adminPass"]
        guest = self.told(self.id)
        self.assertEqual(password, guest.secret.admin_pass)
        self.assertEqual(USER_DATA, guest.user_data)
        self.assertEqual([PUBLIC_KEY], [key.public_key for key in guest.keys])
        self.assertEqual({"o": "p"}, guest.properties)
        self.assertNotIn(password, self.everything())

    def test_told_otherwise(self) -> None:
        """Key, user data, files and password can be others, by version."""
        self.rebuild(personality=[FILE], adminPass="Given-1")
        guest = self.told(self.id)
        self.assertEqual("Given-1", guest.secret.admin_pass)
        self.assertEqual(["/etc/motd"], [file.path for file in guest.secret.files])
        self.live(self.id, Life(Observed.UP, launched=1.0))
        reply = self.rebuild(version="2.57", user_data=NEW_DATA, key_name=None)
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual(NEW_DATA, reply.json["server"]["user_data"])
        self.assertIsNone(reply.json["server"]["key_name"])
        guest = self.told(self.id)
        self.assertEqual((NEW_DATA, ()), (guest.user_data, guest.keys))
        self.live(self.id, Life(Observed.UP, launched=1.0))
        self.rebuild(version="2.57", user_data=None, key_name="mine")
        guest = self.told(self.id)
        self.assertEqual((None, 1), (guest.user_data, len(guest.keys)))

    def test_versions(self) -> None:
        """Fields are there from their versions on, and files no longer."""
        for version, field, value in (
            ("2.18", "description", "d"),
            ("2.53", "key_name", "mine"),
            ("2.56", "user_data", NEW_DATA),
            ("2.57", "personality", [FILE]),
            ("2.89", "hostname", "h"),
            ("2.100", "nonsense", 1),
        ):
            reply = self.rebuild(version=version, **{field: value})
            self.assertEqual(400, reply.code, field)
            self.assertIn(field, reply.message)
        reply = self.rebuild(version="2.90", hostname="h", description="d")
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual("h", self.told(self.id).hostname)

    def test_start(self) -> None:
        """One that was off stays so; one that had failed is to run."""
        for life, start in (
            (Life(Observed.DOWN), False),
            (Life(Observed.DOWN, fault=Fault("no", 1.0)), True),
            (Life(Observed.UP), True),
        ):
            self.live(self.id, life)
            self.assertEqual(202, self.rebuild().code)
            reinstall = self.stored().reinstall
            self.assertEqual(start, reinstall is not None and reinstall.start)

    def test_refused(self) -> None:
        """What cannot be is refused, and nothing has changed."""
        large = evolve(DATA, id=UUID(int=0x1C, version=4), virtual_size_bytes=2**31)
        queued = evolve(DATA, id=UUID(int=0x1D, version=4), status="queued")
        for image in (large, queued):
            self.run_in(images.add, image)
        for more in (
            {"imageRef": str(large.id)},
            {"imageRef": str(queued.id)},
            {"imageRef": "00000000-0000-4000-8000-00000000dead"},
            {"imageRef": None},
            {"adminPass": ""},
        ):
            self.assertEqual(400, self.rebuild(**more).code, more)
        self.assertEqual(404, self.rebuild(by=BOB).code)
        self.assertIsNone(self.stored().reinstall)

    def test_states(self) -> None:
        """Neither while something is under way, nor a locked one of one's own."""
        self.assertEqual(202, self.rebuild().code)
        self.assertEqual(409, self.rebuild().code)
        self.live(self.id, Life(Observed.UP))
        self.act(self.id, {"lock": None})
        self.assertEqual(409, self.rebuild().code)
        self.assertEqual(202, self.rebuild(by=ADMIN).code)

    def test_suspended(self) -> None:
        """Not one that an operator has taken away."""
        self.act(self.id, {"SNF:suspend": None}, by=ADMIN)
        self.assertEqual(403, self.rebuild().code)

    def test_without_a_drive(self) -> None:
        """One that has no drive can be rebuilt, but be told nothing."""
        self.id = self.server()
        self.live(self.id, Life(Observed.UP))
        for more in ({"adminPass": "p"}, {"personality": [FILE]}):
            self.assertEqual(400, self.rebuild(imageRef=str(TINY.id), **more).code)
        reply = self.rebuild(imageRef=str(TINY.id))
        self.assertEqual(202, reply.code, reply.text)
        self.assertNotIn("adminPass", reply.json["server"])
        self.assertEqual([], self.sql("SELECT * FROM guest_secret"))

    def test_forgotten(self) -> None:
        """Its secrets go with its order's end."""
        self.rebuild()
        self.assertEqual(1, len(self.sql("SELECT * FROM guest_secret")))
        self.live(self.id, Life(Observed.UP))
        self.assertEqual([], self.sql("SELECT * FROM guest_secret"))
        [(number,)] = self.sql("SELECT id FROM server WHERE uuid = %s", self.id)
        kept = self.run_in(guests.user_data, KEYS.seal, number)
        self.assertEqual(USER_DATA, kept)

    def test_another_key(self) -> None:
        """User data that cannot be read any more is not lost without a word."""
        self.sql("UPDATE guest SET user_data = 'spoiled'")
        self.assertEqual(503, self.rebuild().code)
        shown = self.call("GET", f"{SERVERS}/{self.id}", by=ADMIN, version="2.3")
        self.assertIsNone(shown.json["server"]["OS-EXT-SRV-ATTR:user_data"])
        self.assertEqual(202, self.rebuild(version="2.57", user_data=NEW_DATA).code)
