"""Key pairs of users."""

from typing import Any

from snf.core.identity import User
from snf.core.keypair import AT_MOST
from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import ApiTestCase, Reply
from tests.api.situations import PUBLIC_KEY

KEYPAIRS = "/compute/v2.1/os-keypairs"
MD5 = "32:ec:cf:83:e2:70:54:22:b4:36:6b:c6:49:8b:36:6a"


class KeyPairTests(ApiTestCase):
    """``/os-keypairs``."""

    def add(
        self, name: str, by: User = ALICE, version: str = "2.1", **more: Any
    ) -> Reply:
        body = {"keypair": {"name": name, "public_key": PUBLIC_KEY, **more}}
        return self.call("POST", KEYPAIRS, body, by=by, version=version)

    def names(
        self, query: str = "", by: User = ALICE, version: str = "2.35"
    ) -> list[str]:
        reply = self.call("GET", f"{KEYPAIRS}{query}", by=by, version=version)
        self.assertEqual(200, reply.code, reply.text)
        return [one["keypair"]["name"] for one in reply.json["keypairs"]]

    def test_imported(self) -> None:
        """One that is taken in is shown with its fingerprint, until it is deleted."""
        reply = self.add("mine")
        self.assertEqual(200, reply.code)
        self.assertEqual(
            {
                "name": "mine",
                "public_key": PUBLIC_KEY,
                "fingerprint": MD5,
                "user_id": str(ALICE.id),
            },
            reply.json["keypair"],
        )
        shown = self.call("GET", f"{KEYPAIRS}/mine", by=ALICE, version="2.2")
        self.assertEqual("ssh", shown.json["keypair"]["type"])
        self.assertEqual(202, self.call("DELETE", f"{KEYPAIRS}/mine", by=ALICE).code)
        self.assertEqual(404, self.call("GET", f"{KEYPAIRS}/mine", by=ALICE).code)
        self.assertEqual(404, self.call("DELETE", f"{KEYPAIRS}/mine", by=ALICE).code)

    def test_made(self) -> None:
        """Without a public key one is made, of which the private half is told once."""
        for kind, begins in (("ssh", "ssh-rsa "), ("x509", "-----BEGIN CERTIFICATE")):
            body = {"keypair": {"name": kind, "type": kind}}
            reply = self.call("POST", KEYPAIRS, body, by=ALICE, version="2.2")
            self.assertEqual(201, reply.code)
            made = reply.json["keypair"]
            self.assertTrue(made["public_key"].startswith(begins))
            self.assertIn("PRIVATE KEY", made["private_key"])
            shown = self.call("GET", f"{KEYPAIRS}/{kind}", by=ALICE)
            self.assertNotIn("private_key", shown.json["keypair"])
        stored = self.sql("SELECT k::text FROM keypair k")
        self.assertNotIn("PRIVATE", str(stored))

    def test_versions(self) -> None:
        """Codes, types and names are those of the microversion."""
        self.assertEqual(400, self.add("a", type="ssh").code)
        self.assertEqual(201, self.add("a", version="2.2", type="ssh").code)
        self.assertEqual(400, self.add("b", version="2.9", user_id=str(ALICE.id)).code)
        for version, code in (("2.91", 400), ("2.92", 201)):
            self.assertEqual(code, self.add("me@host.x", version=version).code)
        body = {"keypair": {"name": "new"}}
        reply = self.call("POST", KEYPAIRS, body, by=ALICE, version="2.92")
        self.assertEqual(400, reply.code)
        self.assertIn("public_key", reply.message)
        gone = self.call("DELETE", f"{KEYPAIRS}/a", by=ALICE, version="2.2")
        self.assertEqual((204, b""), (gone.code, gone.text))

    def test_refused(self) -> None:
        """A name that is taken is a 409; no key, or a bad name, is a 400."""
        self.add("mine")
        self.assertEqual(409, self.add("mine").code)
        self.assertEqual(200, self.add("mine", by=BOB).code)
        reply = self.add("other", public_key="ssh-rsa nonsense")
        self.assertEqual(400, reply.code)
        self.assertIn("public_key", reply.message)
        self.assertEqual(400, self.add("a/b").code)

    def test_pages(self) -> None:
        """From 2.35 on lists come in pages, by name."""
        for name in ("c", "a", "b"):
            self.add(name)
        self.assertEqual(["a", "b", "c"], self.names("?limit=1", version="2.34"))
        reply = self.call("GET", f"{KEYPAIRS}?limit=2", by=ALICE, version="2.35")
        [link] = reply.json["keypairs_links"]
        self.assertTrue(link["href"].endswith("/os-keypairs?limit=2&marker=b"))
        self.assertEqual(["c"], self.names("?limit=2&marker=b"))
        wrong = self.call("GET", f"{KEYPAIRS}?marker=z", by=ALICE, version="2.35")
        self.assertEqual(400, wrong.code)
        strict = self.call("GET", f"{KEYPAIRS}?nonsense=1", by=ALICE, version="2.75")
        self.assertEqual(400, strict.code)

    def test_others(self) -> None:
        """Admins may name a user from 2.10 on; others see theirs alone."""
        self.add("mine")
        alices = f"?user_id={ALICE.id}"
        self.assertEqual(["mine"], self.names(alices, by=ADMIN))
        self.assertEqual([], self.names(alices, by=ADMIN, version="2.9"))
        path = f"{KEYPAIRS}{alices}"
        self.assertEqual(403, self.call("GET", path, by=BOB, version="2.10").code)
        reply = self.add("given", by=ADMIN, version="2.10", user_id=str(ALICE.id))
        self.assertEqual(str(ALICE.id), reply.json["keypair"]["user_id"])
        self.assertEqual(["given", "mine"], self.names())
        nobody = self.add("x", by=ADMIN, version="2.10", user_id="nobody")
        self.assertEqual(404, nobody.code)

    def test_readers(self) -> None:
        """Who may only read a project has key pairs all the same."""
        self.assertEqual(200, self.add("mine", by=READER).code)

    def test_quota(self) -> None:
        """A user has so many at most."""
        self.sql(
            "INSERT INTO keypair (user_id, name, type, public_key, fingerprint)"
            " SELECT %s, n::text, 'ssh', 'k', 'f' FROM generate_series(1, %s) n",
            ALICE.id,
            AT_MOST,
        )
        reply = self.add("more")
        self.assertEqual(403, reply.code)
        self.assertIn("too many key pairs", reply.message)
