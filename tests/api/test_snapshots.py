"""``createImage`` and ``createBackup``: servers' disks become images."""

import hashlib
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve

from snf.core.node_keys import NodeKeys
from snf.core.order import Order, Snapshot, State
from snf.core.quota import Resource
from snf.core.server import Life, Observed
from snf.core.signing import SNAPSHOT_PATH
from snf.storage import images, lives, orders, quotas
from snf.testing.qcow2 import empty
from snf.testing.world import ALICE, BOB, PROJECT_A, READER
from tests.api.case import KEYS, NOW, SERVERS, Reply
from tests.api.images import IMAGES, Client, DataTestCase
from tests.api.test_guests import DATA as SOURCE

COMPUTE_IMAGES = "/compute/v2.1/images"
QCOW2 = empty(2**30)


class SnapshotTestCase(DataTestCase):
    """A test with a server that runs, and a node."""

    max_body_bytes = 2**20

    def setUp(self) -> None:
        super().setUp()
        properties = {"os": "linux", "os_distro": "debian", "min_disk": "99"}
        source = evolve(SOURCE, properties=properties, min_ram_mib=64)
        self.run_in(images.add, source)
        self.web = self.server(imageRef=str(SOURCE.id))
        self.live(self.web, Life(Observed.UP, launched=1.0))

    def make_image(
        self, by: Any = ALICE, version: str = "2.1", action: str = "createImage", **more
    ) -> Reply:
        body = {action: {"name": "mine", **more}}
        path = f"{SERVERS}/{self.web}/action"
        return self.call("POST", path, body, by=by, version=version)

    def made(self, **more: Any) -> str:
        """Return the id of an image that is being made, for which its node has begun."""
        reply = self.make_image(version="2.45", **more)
        self.assertEqual(202, reply.code, reply.text)
        self.submitted()
        return reply.json["image_id"]

    def stored(self) -> Order:
        """Return the server's newest order."""
        [row] = self.sql(
            f"SELECT {orders.COLUMNS} FROM orders o JOIN server s ON s.id = o.server_id"
            " WHERE s.uuid = %s ORDER BY o.number DESC LIMIT 1",
            UUID(self.web),
        )
        return orders.from_row(row)

    def submitted(self) -> None:
        """Have Ganeti have taken the order."""

        order, now = self.stored(), self.now

        def change(txn: Any) -> None:
            before = lives.load(txn, [order.server])
            life = before[order.server]
            taken = evolve(life, orders=tuple(one.submitted(7) for one in life.orders))
            lives.save(txn, before, {order.server: taken})
            txn.execute("UPDATE orders SET claimed = %s", (now,))

        self.run_in(change)

    @property
    def now(self) -> Any:
        [[now]] = self.sql("SELECT to_timestamp(%s)", self.clock.seconds())
        return now

    def url(self, keys: NodeKeys = KEYS, method: str = "PUT") -> str:
        """Return what the node is given."""
        path = SNAPSHOT_PATH.format(self.stored().id)
        expires = int(self.clock.seconds()) + 60
        return f"{path}?{keys.signer.query(method, path, expires)}"

    def report(self, **told: Any) -> Reply:
        return self.call("POST", self.url(), told)

    def bring(self, data: bytes = QCOW2) -> Reply:
        return self.call("PUT", self.url(), data=data)

    def task(self) -> str | None:
        return self.shown(self.web)["OS-EXT-STS:task_state"]

    def fault(self) -> tuple[str, str | None]:
        """Return how the newest action went, and why it failed."""
        path = f"{SERVERS}/{self.web}/os-instance-actions"
        newest = self.call("GET", path, by=ALICE).json["instanceActions"][0]
        one = f"{path}/{newest['request_id']}"
        whole = self.call("GET", one, by=ALICE, version="2.84")
        [event] = whole.json["instanceAction"]["events"]
        return newest["action"], event["details"] or event["result"]

    def assert_gone(self, image: str) -> None:
        """There is nothing of an image, nor anything under way with the server."""
        self.assertEqual(404, self.show(image).code)
        self.assertIsNone(self.task())
        self.assertIs(State.FAILED, self.stored().state)
        self.assertEqual(0, self.used())
        self.tidy()
        self.assertEqual([], self.files())


class CreateImageTests(SnapshotTestCase):
    """``createImage``, and what follows."""

    def test_ordered(self) -> None:
        """There is an image at once, which is of the server and its own image."""
        reply = self.make_image(metadata={"k": "v", "os": "mine"})
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual(b"", reply.text)
        location = reply.header("Location") or ""
        image = location.rpartition("/images/")[2]
        self.assertIn("/compute/", location)
        shown = self.show(image).json
        self.assertEqual(
            {
                "name": "mine",
                "status": "saving",
                "visibility": "private",
                "owner": str(PROJECT_A.id),
                "disk_format": "qcow2",
                "container_format": "bare",
                "min_ram": 64,
                "size": None,
                "k": "v",
                "os": "mine",
                "os_distro": "debian",
                "image_type": "snapshot",
                "instance_uuid": self.web,
                "base_image_ref": str(SOURCE.id),
            },
            {
                name: shown[name]
                for name in (
                    *("name", "status", "visibility", "owner", "disk_format"),
                    *("container_format", "min_ram", "size", "k", "os", "os_distro"),
                    *("image_type", "instance_uuid", "base_image_ref"),
                )
            },
        )
        self.assertGreater(shown["min_disk"], 0)
        self.assertEqual("image_snapshot", self.task())
        self.assertEqual("ACTIVE", self.shown(self.web)["status"])
        self.assertEqual(Snapshot(UUID(image)), self.stored().snapshot)

    def test_life(self) -> None:
        """It is saving, says how far it is, and is active then; the server is free."""
        image = self.made()
        self.assertEqual("image_pending_upload", self.task())
        self.assertEqual(204, self.report(percent=37).code)
        compute = self.call("GET", f"{COMPUTE_IMAGES}/{image}", by=ALICE).json["image"]
        self.assertEqual(("SAVING", 37), (compute["status"], compute["progress"]))
        self.assertEqual(self.web, compute["server"]["id"])
        listed = self.call("GET", f"{COMPUTE_IMAGES}/detail", by=ALICE).json["images"]
        self.assertIn(("SAVING", 37), [(i["status"], i["progress"]) for i in listed])
        self.report(percent=12)  # nothing goes back
        compute = self.call("GET", f"{COMPUTE_IMAGES}/{image}", by=ALICE).json["image"]
        self.assertEqual(37, compute["progress"])
        reply = self.bring()
        self.assertEqual(204, reply.code, reply.text)
        shown = self.show(image).json
        self.assertEqual(
            ("active", len(QCOW2), 2**30),
            (shown["status"], shown["size"], shown["virtual_size"]),
        )
        self.assertEqual([hashlib.sha256(QCOW2).hexdigest()], self.files())
        self.assertEqual(len(QCOW2), self.used())
        self.assertIsNone(self.task())
        self.assertIs(State.DONE, self.stored().state)
        self.assertEqual(("createImage", "Success"), self.fault())
        again = self.server(imageRef=image, name="clone")
        self.assertEqual("BUILD", self.shown(again)["status"])

    def test_uploading(self) -> None:
        """While its data comes the server says so; nothing else may be done to it."""
        image = self.made()
        client = self.coming()
        client.write(QCOW2[:1000])
        self.assertEqual("image_uploading", self.task())
        self.assertEqual("saving", self.show(image).json["status"])
        self.assertEqual(409, self.act(self.web, {"os-stop": None}).code)
        self.assertEqual(409, self.make_image().code)
        client.write(QCOW2[1000:])
        self.assertIn(b"204", client.read.splitlines()[0])
        self.assertEqual("active", self.show(image).json["status"])

    def coming(self) -> Client:
        """Return a node that has begun to send."""
        client = Client(self.site)
        length = f"Content-Length: {len(QCOW2)}"
        head = [f"PUT {self.url()} HTTP/1.1", "Host: cloud.test", length, "", ""]
        client.write("\r\n".join(head).encode())
        return client

    def test_cut_off(self) -> None:
        """A node that was cut off sends again; what has come before is no more."""
        image = self.made()
        client = self.coming()
        client.write(QCOW2[:5000])
        client.hang_up()
        self.assertEqual("saving", self.show(image).json["status"])
        self.assertEqual("image_uploading", self.task())
        self.assertEqual(204, self.bring().code)
        self.assertEqual("active", self.show(image).json["status"])
        self.assertEqual(len(QCOW2), self.used())
        self.tidy()
        self.assertEqual(1, len(self.files()))

    def test_twice_at_once(self) -> None:
        """Of two that send at once the last one counts."""
        image = self.made()
        first = self.coming()
        first.write(QCOW2[:5000])
        self.assertEqual(204, self.bring().code)
        first.write(QCOW2[5000:])
        self.assertIn(b"410", first.read.splitlines()[0])
        self.assertEqual("active", self.show(image).json["status"])
        self.assertEqual(len(QCOW2), self.used())

    def test_node_fails(self) -> None:
        """What the node says of its failure is the action's error; no image is left."""
        image = self.made()
        self.assertEqual(204, self.report(error="there is no room on the node").code)
        self.assert_gone(image)
        self.assertIn("no room on the node", str(self.fault()))
        self.assertEqual(410, self.report(percent=50).code)
        self.assertEqual(410, self.bring().code)

    def test_no_image(self) -> None:
        """Data that is no image is refused for good."""
        image = self.made()
        self.assertEqual(400, self.bring(b"no image at all" * 99).code)
        self.assert_gone(image)

    def test_silent(self) -> None:
        """A node that is not heard of for minutes has failed."""
        image = self.made()
        self.tidy()
        self.assertEqual("saving", self.show(image).json["status"])
        self.clock.advance(240)
        self.report(percent=3)
        self.clock.advance(240)
        self.tidy()
        self.assertEqual("saving", self.show(image).json["status"])
        self.clock.advance(301)
        self.tidy()
        self.assert_gone(image)
        self.assertIn("Nothing was heard", str(self.fault()))

    def test_waits(self) -> None:
        """An order that Ganeti has not taken yet waits, however long."""
        reply = self.make_image(version="2.45")
        self.clock.advance(900)
        self.tidy()
        self.assertEqual("saving", self.show(reply.json["image_id"]).json["status"])

    def test_image_deleted(self) -> None:
        """Whoever deletes the image ends it all; the node finds out."""
        image = self.made()
        client = self.coming()
        client.write(QCOW2[:5000])
        reply = self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
        self.assertEqual(204, reply.code, reply.text)
        client.write(QCOW2[5000:])
        self.assertIn(b"410", client.read.splitlines()[0])
        self.assert_gone(image)
        self.assertEqual("ACTIVE", self.shown(self.web)["status"])

    def test_server_deleted(self) -> None:
        """Whoever deletes the server ends it too."""
        image = self.made()
        self.assertEqual(
            204, self.call("DELETE", f"{SERVERS}/{self.web}", by=ALICE).code
        )
        self.assertEqual(404, self.show(image).code)
        self.assertEqual("deleting", self.task())
        [[state, error]] = self.sql(
            "SELECT state, error FROM orders WHERE kind = 'image'"
        )
        self.assertEqual("failed", state)
        self.assertIn("deleted", error)

    def test_quota(self) -> None:
        """A project that has what it may have gets no image; nor one that has less room."""
        self.run_in(quotas.set_limits, PROJECT_A.id, {Resource.IMAGE_BYTES: 1000})
        image = self.made()
        self.assertEqual(403, self.bring().code)
        self.assert_gone(image)
        self.assertIn("image_bytes", str(self.fault()))
        self.run_in(quotas.set_limits, PROJECT_A.id, {Resource.IMAGE_BYTES: 0})
        self.assertEqual(403, self.make_image().code)


class RefusedTests(SnapshotTestCase):
    """What is refused."""

    def test_states(self) -> None:
        """Only a server that runs, or is off, has a disk that is good for it."""
        self.live(self.web, Life(Observed.DOWN))
        self.assertEqual(202, self.make_image().code)
        self.live(self.web, Life(Observed.UNKNOWN))
        reply = self.make_image()
        self.assertEqual(409, reply.code)
        self.assertIn("createImage", reply.message)

    def test_body(self) -> None:
        """What is wrong is named."""
        for more, word in (
            ({"name": ""}, "name"),
            ({"name": "x" * 256}, "name"),
            ({"metadata": {"k": 1}}, "metadata"),
            ({"metadata": {"k" * 256: "v"}}, "metadata"),
            ({"metadata": {"k": "v" * 256}}, "metadata"),
            ({"metadata": {"min_disk": "7"}}, "min_disk"),
            ({"metadata": {str(n): "v" for n in range(129)}}, "metadata"),
            ({"other": 1}, "other"),
        ):
            reply = self.make_image(**more)
            self.assertEqual(400, reply.code, reply.text)
            self.assertIn(word, reply.message)

    def test_read_only(self) -> None:
        """What follows from an image's data is not for metadata to say."""
        self.assertEqual(403, self.make_image(metadata={"checksum": "x"}).code)

    def test_not_theirs(self) -> None:
        """Neither strangers nor readers make one."""
        self.assertEqual(404, self.make_image(by=BOB).code)
        self.assertEqual(403, self.make_image(by=READER).code)

    def test_signature(self) -> None:
        """Without the right signature nobody is told anything."""
        self.made()
        path = SNAPSHOT_PATH.format(self.stored().id)
        for url in (
            path,
            self.url(NodeKeys.of("b" * 32)),
            self.url(method="GET"),
            f"{SNAPSHOT_PATH.format(uuid4())}?{self.url().partition('?')[2]}",
            f"{path}?expires={int(NOW) - 1}&signature={'0' * 64}",
        ):
            for method in ("POST", "PUT"):
                body: Any = {"percent": 1} if method == "POST" else None
                data = QCOW2 if method == "PUT" else None
                reply = self.call(method, url, body, data=data)
                self.assertEqual(403, reply.code, (method, url, reply.text))

    def test_report(self) -> None:
        """A node's word is checked like anybody's."""
        self.made()
        for told in (
            {"percent": 101},
            {"percent": -1},
            {"error": "x" * 2000},
            {"a": 1},
        ):
            self.assertEqual(400, self.report(**told).code, told)


class CreateBackupTests(SnapshotTestCase):
    """``createBackup``."""

    def back_up(self, name: str, rotation: int, kind: str = "daily") -> str:
        self.clock.advance(1)
        reply = self.make_image(
            version="2.45",
            action="createBackup",
            name=name,
            backup_type=kind,
            rotation=rotation,
        )
        self.assertEqual(202, reply.code, reply.text)
        self.submitted()
        self.assertEqual(204, self.bring().code)
        return reply.json["image_id"]

    def backups(self) -> list[str]:
        names = self.found("image_type=backup")
        return sorted(names)

    def test_rotation(self) -> None:
        """As many of one type are kept as the newest one says."""
        for name in ("a", "b", "c"):
            self.back_up(name, 2)
        self.back_up("w", 1, "weekly")
        self.assertEqual(["b", "c", "w"], self.backups())
        self.back_up("d", 1)
        self.assertEqual(["d", "w"], self.backups())
        self.assertEqual(2 * len(QCOW2), self.used())

    def test_none(self) -> None:
        """With a rotation of 0 there are none afterwards, and no new one."""
        self.back_up("a", 2)
        reply = self.make_image(
            action="createBackup", backup_type="daily", rotation=0, name="z"
        )
        self.assertEqual(202, reply.code, reply.text)
        self.assertEqual([], self.backups())
        self.assertIsNone(self.task())

    def test_body(self) -> None:
        """What is wrong is named."""
        for more, word in (
            ({"rotation": -1, "backup_type": "daily"}, "rotation"),
            ({"backup_type": "daily"}, "rotation"),
            ({"rotation": 1}, "backup_type"),
        ):
            reply = self.make_image(action="createBackup", **more)
            self.assertEqual(400, reply.code)
            self.assertIn(word, reply.message)
