"""What nodes fetch by signed URLs."""

import hashlib
from uuid import uuid4

from snf.core.node_keys import NodeKeys
from snf.core.server import Life, Observed
from snf.core.signing import GUEST_PATH, IMAGE_PATH
from tests.api.case import KEYS, NOW, Reply
from tests.api.test_guests import DATA, USER_DATA, GuestTestCase

CONTENT = b"an image's data" * 1000


class NodeTestCase(GuestTestCase):
    """A test that asks as a node does."""

    def fetch(
        self,
        path: str,
        signed: str = "",
        keys: NodeKeys = KEYS,
        expires: int = int(NOW) + 60,
        **headers: str,
    ) -> Reply:
        query = keys.signer.query("GET", signed or path, expires)
        return self.call("GET", f"{path}?{query}", headers=headers)

    def refused(self, path: str) -> None:
        """Ask in all the ways that are wrong."""
        bare = self.call("GET", path)
        other = NodeKeys.of("b" * 32)
        for reply in (
            bare,
            self.fetch(path, keys=other),
            self.fetch(path, signed=f"{path}x"),
            self.fetch(path, expires=int(NOW)),
            self.fetch(path, expires=int(NOW) + 10**8),
            self.call("GET", f"{path}?expires=x&signature=%C3%A9"),
            self.call("GET", f"{path}?expires={int(NOW) + 60}"),
        ):
            self.assertEqual((403, bare.text), (reply.code, reply.text))
        self.assertEqual("Forbidden", bare.message)


class GuestTests(NodeTestCase):
    """``/node/v1/guest``."""

    def setUp(self) -> None:
        super().setUp()
        reply = self.create(imageRef=str(DATA.id), user_data=USER_DATA)
        self.id = reply.json["server"]["id"]
        self.password = reply.json["server"]["adminPass"]
        self.path = GUEST_PATH.format(self.order(self.id)[0])

    def test_told(self) -> None:
        """While the order is open a node is told all, however often it asks."""
        for _ in range(2):
            reply = self.fetch(self.path)
            self.assertEqual(200, reply.code)
            self.assertEqual(self.password, reply.json["admin_pass"])
            self.assertEqual(USER_DATA, reply.json["user_data"])
            self.assertEqual(1, reply.json["version"])

    def test_over(self) -> None:
        """Afterwards nobody is told anything."""
        self.live(self.id, Life(Observed.UP))
        self.assertEqual(403, self.fetch(self.path).code)

    def test_refused(self) -> None:
        """A URL that is not good is refused without a word."""
        self.refused(self.path)
        self.assertEqual(403, self.fetch(GUEST_PATH.format(uuid4())).code)
        self.assertEqual(403, self.fetch(GUEST_PATH.format("nonsense")).code)

    def test_another_key(self) -> None:
        """What was sealed with another key is no different."""
        self.sql("UPDATE guest_secret SET sealed = 'spoiled'")
        self.assertEqual(403, self.fetch(self.path).code)


class ImageTests(NodeTestCase):
    """``/node/v1/images``."""

    def setUp(self) -> None:
        super().setUp()
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        place = self.store.place(sha256)
        place.parent.mkdir(parents=True)
        place.write_bytes(CONTENT)
        self.path = IMAGE_PATH.format(sha256)

    def test_whole(self) -> None:
        """A node gets all of it."""
        reply = self.fetch(self.path)
        self.assertEqual((200, CONTENT), (reply.code, reply.text))
        self.assertEqual("application/octet-stream", reply.header("Content-Type"))

    def test_part(self) -> None:
        """Or the part that it lacks."""
        reply = self.fetch(self.path, Range="bytes=14990-")
        self.assertEqual((206, CONTENT[14_990:]), (reply.code, reply.text))
        self.assertEqual("bytes 14990-14999/15000", reply.header("Content-Range"))
        self.assertEqual(416, self.fetch(self.path, Range="bytes=15000-").code)

    def test_refused(self) -> None:
        """A URL that is not good is refused without a word."""
        self.refused(self.path)
        for name in ("0" * 64, "x", "..%2f..%2fetc%2fpasswd", "A" * 64):
            self.assertIn(self.fetch(IMAGE_PATH.format(name)).code, (403, 404))
