"""``PUT /image/v2/images/{id}/file``: data comes, and what is refused of it."""

import hashlib
import struct

from snf.core.quota import NO_LIMITS, Resource
from snf.testing.world import ADMIN, ALICE, BOB, PROJECT_B, READER
from tests.api.images import DATA, IMAGES, Client, DataTestCase


class UploadTests(DataTestCase):
    """``PUT .../file``."""

    def test_life(self) -> None:
        """Data makes an image active, with its sizes and hashes; it can be had again."""
        image = self.full()
        shown = self.show(image).json
        self.assertEqual(
            {
                "status": "active",
                "size": len(DATA),
                "virtual_size": len(DATA),
                "checksum": hashlib.md5(DATA).hexdigest(),
                "os_hash_algo": "sha512",
                "os_hash_value": hashlib.sha512(DATA).hexdigest(),
                "stores": "files",
            },
            {
                name: shown[name]
                for name in (
                    *("status", "size", "virtual_size", "checksum", "stores"),
                    *("os_hash_algo", "os_hash_value"),
                )
            },
        )
        sha256 = hashlib.sha256(DATA).hexdigest()
        self.assertEqual(DATA, self.store.place(sha256).read_bytes())
        self.assertEqual([sha256], self.files())
        self.assertEqual(len(DATA), self.used())
        reply = self.fetch(image)
        self.assertEqual((200, DATA), (reply.code, reply.text))
        self.assertEqual(shown["checksum"], reply.header("Content-MD5"))
        self.assertEqual("application/octet-stream", reply.header("Content-Type"))

    def test_twice(self) -> None:
        """A second upload is a 409, and changes nothing."""
        image = self.full()
        self.assertEqual(409, self.put(image, b"other").code)
        self.assertEqual(DATA, self.fetch(image).text)

    def test_same_data(self) -> None:
        """Two images with the same data have one file; it goes with the last one."""
        first, second = self.full(), self.full()
        self.assertEqual(1, len(self.files()))
        self.assertEqual(2 * len(DATA), self.used())
        for image, left in ((first, 1), (second, 0)):
            self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
            self.tidy()
            self.assertEqual(left, len(self.files()))
            self.assertEqual(left * len(DATA), self.used())

    def test_chunked(self) -> None:
        """Data of which nobody says how much it is comes as well, in pieces of any size."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, "Transfer-Encoding: chunked"))
        for start in range(0, len(DATA), 100_000):
            piece = DATA[start : start + 100_000]
            client.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.assertEqual("saving", self.status(image))
        client.write(b"0\r\n\r\n")
        self.assertTrue(client.read.startswith(b"HTTP/1.1 204"), client.read)
        self.assertEqual(DATA, self.fetch(image).text)
        self.assertEqual(len(DATA), self.used())

    def test_next_request(self) -> None:
        """After an upload the connection is good for another request."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, "Content-Length: 5") + b"hello")
        again = self.head(image, "Content-Length: 5") + b"hello"
        client.write(again)
        answers = client.read.split(b"HTTP/1.1 ")[1:]
        self.assertEqual([b"204", b"409"], [answer[:3] for answer in answers])

    def test_hangs_up(self) -> None:
        """A client that goes half way leaves nothing; another upload may follow."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, f"Content-Length: {len(DATA)}") + DATA[:300_000])
        self.assertEqual("saving", self.status(image))
        self.assertEqual(1, len(self.files()))
        self.assertEqual(len(DATA), self.used())
        client.hang_up()
        self.assertEqual(
            ("queued", [], 0), (self.status(image), self.files(), self.used())
        )
        self.assertEqual(204, self.put(image, DATA).code)

    def test_deleted_meanwhile(self) -> None:
        """An image can be deleted while its data comes: that is refused then."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, f"Content-Length: {len(DATA)}") + DATA[:300_000])
        reply = self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
        self.assertEqual(204, reply.code)
        client.write(DATA[300_000:])
        self.assertTrue(client.read.startswith(b"HTTP/1.1 410"), client.read)
        self.assertEqual(([], 0), (self.files(), self.used()))

    def test_process_dies(self) -> None:
        """What a process leaves behind that has died is put in order by others."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, f"Content-Length: {len(DATA)}") + DATA[:300_000])
        self.tidy()
        self.assertEqual("saving", self.status(image))
        self.tidy(days=1 / 24)
        self.assertEqual(
            ("queued", [], 0), (self.status(image), self.files(), self.used())
        )

    def test_unfit(self) -> None:
        """What cannot take data is refused: without formats, others', readers'."""
        lacking = self.make()["id"]
        reply = self.put(lacking, DATA)
        self.assertEqual(400, reply.code)
        self.assertIn("disk_format", reply.message)
        image = self.new(visibility="community")
        for by, code in ((BOB, 403), (READER, 403)):
            self.assertEqual(code, self.put(image, DATA, by).code)
        self.assertEqual(("queued", []), (self.status(image), self.files()))

    def test_empty(self) -> None:
        """Nothing is no data: the image waits for some still."""
        image = self.new()
        reply = self.put(image, b"")
        self.assertEqual(204, reply.code)
        self.assertEqual(("queued", []), (self.status(image), self.files()))

    def test_escaped(self) -> None:
        """A URL that hides where it leads is refused."""
        image = self.new()
        reply = self.call("PUT", f"{IMAGES}/{image}/f%69le", data=b"x", by=ALICE)
        self.assertEqual(400, reply.code, reply.text)


class EarlyTests(DataTestCase):
    """What is refused before the data comes."""

    def early(self, head: bytes) -> bytes:
        """Return the status that is answered to a head alone."""
        client = Client(self.site)
        client.write(head)
        self.clock.advance(0)
        return client.read[:12]

    def test_refused(self) -> None:
        """A client that waits to be told to go on is told at once why not to."""
        image, missing = self.new(), "00000000-0000-4000-8000-00000000dead"
        large = f"Content-Length: {self.sizes.data + 1}"
        waits = "Expect: 100-continue"
        for head, status in (
            (self.head(image, large, waits), b"HTTP/1.1 413"),
            (self.head(image, large), b"HTTP/1.1 413"),
            (self.head(missing, "Content-Length: 9", waits), b"HTTP/1.1 404"),
            (self.head(image, "Content-Length: 9", waits, by=BOB), b"HTTP/1.1 404"),
            (self.head(image, "Content-Length: 9", by=READER), b"HTTP/1.1 403"),
            (self.head(image, "Content-Length: 9", waits), b"HTTP/1.1 100"),
        ):
            self.assertEqual(status, self.early(head))
        nobody = f"PUT {IMAGES}/{image}/file HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
        self.assertEqual(b"HTTP/1.1 401", self.early(nobody.encode()))

    def test_invited(self) -> None:
        """A client that waits to be told to go on is told, and then sends."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, "Content-Length: 9", "Expect: 100-continue"))
        self.clock.advance(0)
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", client.read)
        client.write(b"123456789")
        self.assertIn(b"HTTP/1.1 204", client.read)

    def test_sends_all_the_same(self) -> None:
        """What is sent after a refusal is thrown away, up to a limit; then that is all."""
        client = Client(self.site)
        client.write(self.head(self.new(), "Content-Length: 99999999", by=READER))
        client.write(b"x" * 1000)
        self.assertIn(b"HTTP/1.1 403", client.read)
        self.assertIn(b"connection: close", client.read.lower())
        answered = len(client.read)
        for _ in range(20):
            client.write(b"x" * 1_000_000)
        self.assertTrue(client.transport.disconnected)
        self.assertEqual(answered, len(client.read))

    def test_read_to_its_end(self) -> None:
        """A body that ends after a refusal ends the connection in good order."""
        client = Client(self.site)
        client.write(self.head(self.new(), "Content-Length: 3000", by=READER))
        client.write(b"x" * 1000)
        self.assertFalse(client.transport.disconnecting)
        client.write(b"x" * 2000)
        self.assertTrue(client.transport.disconnecting)

    def test_more_than_said(self) -> None:
        """Data beyond the limit is refused when it comes, where nobody said how much."""
        self.sizes = type(self.sizes)(data=200_000, disk=2**30)
        self.site = self.new_site()
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, "Transfer-Encoding: chunked"))
        for _ in range(4):
            client.write(b"%x\r\n%s\r\n" % (60_000, b"x" * 60_000))
        self.assertIn(b"HTTP/1.1 413", client.read)
        self.assertEqual(
            ("queued", [], 0), (self.status(image), self.files(), self.used())
        )


class CrowdTests(DataTestCase):
    """Many uploads at once."""

    def test_of_one_project(self) -> None:
        """One project has a share of them; when one has ended, another may begin."""
        clients = [Client(self.site) for _ in range(10)]
        for client in clients:
            client.write(self.head(self.new(), "Content-Length: 5") + b"1")
        image = self.new()
        reply = self.put(image, b"data")
        self.assertEqual(429, reply.code, reply.text)
        self.assertEqual("30", reply.header("Retry-After"))
        self.assertEqual("queued", self.status(image))
        others = self.new(BOB)
        self.assertEqual(204, self.put(others, b"data", BOB).code)
        clients[0].write(b"2345")
        self.assertIn(b"HTTP/1.1 204", clients[0].read)
        self.assertEqual(204, self.put(image, b"data").code)
        for client in clients[1:]:
            client.hang_up()


class QuotaTests(DataTestCase):
    """The limit on a project's bytes."""

    def setUp(self) -> None:
        super().setUp()
        self.most = 300_000
        self.site = self.new_site(NO_LIMITS | {Resource.IMAGE_BYTES: self.most})

    def test_refused_before(self) -> None:
        """What is too much is refused before it comes, and counts only what is there."""
        image = self.new()
        reply = self.put(image, b"x" * (self.most + 1))
        self.assertEqual(403, reply.code)
        self.assertIn("Quota exceeded for image_bytes", reply.message)
        self.assertEqual(204, self.put(image, b"x" * self.most).code)
        self.assertEqual(403, self.put(self.new(), b"x").code)
        self.call("DELETE", f"{IMAGES}/{image}", by=ALICE)
        self.assertEqual(204, self.put(self.new(), b"x").code)
        self.assertEqual(1, self.used())

    def test_refused_at_the_end(self) -> None:
        """What nobody said the length of is refused when it has come."""
        image = self.new()
        client = Client(self.site)
        client.write(self.head(image, "Transfer-Encoding: chunked"))
        client.write(b"%x\r\n%s\r\n0\r\n\r\n" % (400_000, b"x" * 400_000))
        self.assertIn(b"HTTP/1.1 403", client.read)
        self.assertEqual(
            ("queued", [], 0), (self.status(image), self.files(), self.used())
        )

    def test_owner_changes(self) -> None:
        """An image that gets another owner counts for that."""
        image = self.new()
        self.put(image, b"x" * 1000)
        self.assertEqual(1000, self.used())
        other = str(PROJECT_B.id)
        reply = self.patch_it(image, ("replace", "/owner", other), by=ADMIN)
        self.assertEqual(200, reply.code, reply.text)
        self.assertEqual(0, self.used())


class MaliciousTests(DataTestCase):
    """Data that is not what it is said to be, or must not be."""

    def test_refused_while_it_comes(self) -> None:
        """A qcow2 with a backing file is refused at once, and leaves nothing."""
        image = self.new(disk_format="qcow2")
        head = b"QFI\xfb" + struct.pack(">IQIIQ", 3, 104, 11, 16, 2**20)
        client = Client(self.site)
        client.write(self.head(image, f"Content-Length: {2**25}"))
        client.write(head.ljust(104, b"\0") + b"/etc/shadow".ljust(65_536, b"\0"))
        self.assertIn(b"HTTP/1.1 400", client.read)
        self.assertIn(b"backing file", client.read)
        self.assertEqual(
            ("queued", [], 0), (self.status(image), self.files(), self.used())
        )

    def test_raw_that_is_not(self) -> None:
        """What is said to be raw and is a qcow2 is refused."""
        image = self.new()
        head = b"QFI\xfb" + struct.pack(">IQIIQ", 3, 0, 0, 16, 2**20)
        reply = self.put(image, head.ljust(65_536, b"\0"))
        self.assertEqual(400, reply.code, reply.text)
        self.assertIn("the data is qcow2, not raw", reply.message)
