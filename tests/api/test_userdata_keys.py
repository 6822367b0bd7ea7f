"""``/userdata/keys``: public keys as Synnefo's clients have them."""

from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from snf.core.identity import User
from snf.core.keypair import AT_MOST
from snf.testing.world import ADMIN, ALICE, BOB, READER
from tests.api.case import ROOT, ApiTestCase, Reply
from tests.api.situations import PUBLIC_KEY

KEYS = "/userdata/keys"
MD5 = "32:ec:cf:83:e2:70:54:22:b4:36:6b:c6:49:8b:36:6a"


class KeysTests(ApiTestCase):
    """What Synnefo's web UI asks for."""

    def add(self, name: str, by: User = ALICE, **more: Any) -> Reply:
        body = {"name": name, "content": PUBLIC_KEY, **more}
        return self.call("POST", KEYS, body, by=by)

    def names(self, by: User = ALICE) -> list[str]:
        return [one["name"] for one in self.call("GET", KEYS, by=by).json]

    def test_shape(self) -> None:
        """A key is shown in plain JSON, with the fields that Synnefo has, and no others."""
        reply = self.add("mine", id=None, uri="x", fingerprint="x")
        self.assertEqual(200, reply.code, reply.text)
        made = reply.json
        expected = {
            "id": made["id"],
            "uri": f"{ROOT}{KEYS}/{made['id']}",
            "name": "mine",
            "content": PUBLIC_KEY,
            "fingerprint": MD5,
        }
        self.assertIsInstance(made["id"], int)
        self.assertEqual(expected, made)
        self.assertEqual([expected], self.call("GET", KEYS, by=ALICE).json)
        url = f"{KEYS}/{made['id']}"
        self.assertEqual(expected, self.call("GET", url, by=ALICE).json)

    def test_key_pairs(self) -> None:
        """They are the key pairs that Nova's clients have, but for certificates."""
        self.add("mine")
        nova = "/compute/v2.1/os-keypairs"
        body = {"keypair": {"name": "windows", "type": "x509"}}
        self.call("POST", nova, body, by=ALICE, version="2.2")
        listed = self.call("GET", nova, by=ALICE).json["keypairs"]
        self.assertEqual(
            ["mine", "windows"], [one["keypair"]["name"] for one in listed]
        )
        self.assertEqual(["mine"], self.names())
        [(number,)] = self.sql("SELECT id FROM keypair WHERE type = 'x509'")
        self.assertEqual(404, self.call("GET", f"{KEYS}/{number}", by=ALICE).code)

    def test_changed(self) -> None:
        """A key is given another name, or content; its number stays."""
        made = self.add("mine").json
        url = f"{KEYS}/{made['id']}"
        changed = self.call("PUT", url, {**made, "name": "other"}, by=ALICE)
        self.assertEqual({**made, "name": "other"}, changed.json)
        kind, blob, _ = PUBLIC_KEY.split()
        changed = self.call("PUT", url, {"content": f"{kind} {blob}"}, by=ALICE)
        self.assertEqual(
            (200, f"{kind} {blob}"), (changed.code, changed.json["content"])
        )
        self.assertEqual(["other"], self.names())
        self.add("third")
        taken = self.call("PUT", url, {"name": "third"}, by=ALICE)
        self.assertEqual((409, ["__all__"]), (taken.code, [*taken.json["errors"]]))
        self.assertEqual(["other", "third"], self.names())

    def test_deleted(self) -> None:
        """A key that is deleted is there no more."""
        url = f"{KEYS}/{self.add('mine').json['id']}"
        reply = self.call("DELETE", url, by=ALICE)
        self.assertEqual((200, {}), (reply.code, reply.json))
        for method in ("GET", "DELETE"):
            self.assertEqual(404, self.call(method, url, by=ALICE).code)
        self.assertEqual([], self.names())

    def test_generated(self) -> None:
        """A pair is made and told, and neither half is kept."""
        made = self.call("POST", f"{KEYS}/generate", by=ALICE)
        self.assertEqual(200, made.code, made.text)
        self.assertEqual({"private", "public"}, set(made.json))
        private: Any = load_pem_private_key(made.json["private"].encode(), None)
        self.assertEqual(2048, private.key_size)
        self.assertEqual(2, len(made.json["public"].split(" ")))
        self.assertEqual([], self.names())
        self.assertEqual(200, self.add("made", content=made.json["public"]).code)

    def test_refused(self) -> None:
        """What is wrong is told of its field, as the form in Synnefo's web UI reads it."""
        for body, field in (
            ({"content": PUBLIC_KEY}, "__all__"),
            ({"name": "a/b", "content": PUBLIC_KEY}, "name"),
            ({"name": 5, "content": PUBLIC_KEY}, "name"),
            ({"name": "a", "content": "ssh-rsa nonsense"}, "content"),
            ({"name": "a", "content": None}, "content"),
        ):
            reply = self.call("POST", KEYS, body, by=ALICE)
            self.assertEqual(400, reply.code, reply.text)
            self.assertEqual("__all__", reply.json["non_field_key"])
            [(named, [text])] = reply.json["errors"].items()
            self.assertEqual(field, named)
            self.assertTrue(text)
        self.assertEqual(409, (self.add("mine"), self.add("mine"))[1].code)
        url = f"{KEYS}/{self.call('GET', KEYS, by=ALICE).json[0]['id']}"
        for body in ({"name": ""}, {"content": "x"}):
            self.assertEqual(400, self.call("PUT", url, body, by=ALICE).code)
        for key in ("x", "-1", "9" * 19, "9" * 18, "\u0661".encode().hex()):
            self.assertEqual(404, self.call("GET", f"{KEYS}/{key}", by=ALICE).code)

    def test_others(self) -> None:
        """Nobody sees or changes another one's, admins neither."""
        made = self.add("mine").json
        url = f"{KEYS}/{made['id']}"
        for by in (BOB, ADMIN):
            self.assertEqual([], self.names(by))
            self.assertEqual(404, self.call("GET", url, by=by).code)
            self.assertEqual(404, self.call("PUT", url, {"name": "x"}, by=by).code)
            self.assertEqual(404, self.call("DELETE", url, by=by).code)
        self.assertEqual(401, self.call("GET", KEYS).code)
        self.assertEqual(200, self.add("mine", by=READER).code)
        self.assertEqual(made, self.call("GET", url, by=ALICE).json)

    def test_quota(self) -> None:
        """A user has so many at most, of both kinds together."""
        self.sql(
            "INSERT INTO keypair (user_id, name, type, public_key, fingerprint)"
            " SELECT %s, n::text, 'ssh', 'k', 'f' FROM generate_series(1, %s) n",
            ALICE.id,
            AT_MOST,
        )
        reply = self.add("more")
        self.assertEqual((403, ["__all__"]), (reply.code, [*reply.json["errors"]]))
