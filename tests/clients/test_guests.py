"""What clients ask for guests: key pairs, user data, files, and rebuilds."""

import base64
import contextlib
from uuid import uuid4

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused
from tests.clients.test_openstack import number

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH3VeXs5nuZTt2RGnN0b3hMMackYvg2ZImjhLmFOGof3"

VERSIONS = ("2.1", "2.56", "2.91", "2.96")


class GuestTests(ClientTestCase):
    """``openstack``, as somebody does who wants to get into a guest."""

    async def test_journey(self) -> None:
        """At each microversion a server is made with all of it, and rebuilt."""
        await self.together(self.journey, VERSIONS)

    def journey(self, version: str) -> None:
        """A key pair, and a server that is made and rebuilt with it."""
        client, minor = self.openstack(version), number(version)
        key, name = (f"{word}-{minor}-{uuid4().hex[:6]}" for word in ("key", "guest"))
        public = self.file("key.pub", f"{KEY} me\n")
        made = client.json(f"keypair create --public-key {public} {key}")
        self.assertEqual(key, made["name"])
        try:
            self.has_key(client, minor, key)
            self.lives(client, minor, key, name)
        finally:
            with contextlib.suppress(Refused):
                client(f"server delete --wait {name}")
            client(f"keypair delete {key}")
        names = [one["Name"] for one in client.json("keypair list")]
        self.assertNotIn(key, names)

    def has_key(self, client: Program, minor: int, key: str) -> None:
        """It is shown, and told by its fingerprint."""
        shown = client.json(f"keypair show {key}")
        self.assertTrue(shown["fingerprint"].startswith("32:ec:cf"))
        public = client(f"keypair show --public-key {key}")
        self.assertEqual(f"{KEY} me", public.strip())
        if minor < 92:
            # Without a public key it says nothing but the private one.
            private = client(f"keypair create {key}-2")
            self.assertIn("PRIVATE KEY", private)
            client(f"keypair delete {key}-2")

    def lives(self, client: Program, minor: int, key: str, name: str) -> None:
        """A server with key and user data; then it is rebuilt."""
        script = self.file("script", "#!/bin/sh\necho hello\n")
        made = client.json(
            "server create --flavor m1.small --image tiny --network default --wait"
            f" --key-name {key} --user-data {script} --config-drive True {name}"
        )
        self.assertEqual("ACTIVE", made["status"])
        self.assertEqual(key, made["key_name"])
        self.assertGreaterEqual(len(made["adminPass"]), 12)
        more = ["--password Given-Password-1"]
        if minor >= 54:
            more.append(f"--key-name {key}")
        if minor >= 57:
            more.append(f"--user-data {script}")
        client(f"server rebuild --image tiny --wait {' '.join(more)} {name}")
        shown = client.json(f"server show {name}")
        self.assertEqual("ACTIVE", shown["status"])
        self.assertEqual(made["addresses"], shown["addresses"])
        with self.assertRaisesRegex(Refused, "no agent"):
            client(f"server set --password Other-1 {name}")
        if minor >= 3:
            admin = self.openstack(f"2.{minor}", who="admin")
            told = admin.json(f"server show {made['id']}")
            data = told["OS-EXT-SRV-ATTR:user_data"]
            self.assertEqual(script.read_bytes(), base64.b64decode(data))


class NovaTests(ClientTestCase):
    """``nova``, which does the same in its own words."""

    async def test_journey(self) -> None:
        """A key pair, a server with it, and its rebuild."""
        await self.together(self.journey, ("2.1",))

    def journey(self, version: str) -> None:
        nova = Program(
            "nova", self.environment(), ("--os-compute-api-version", version)
        )
        key, name = f"nova-{uuid4().hex[:6]}", f"nova-guest-{uuid4().hex[:6]}"
        public = self.file("key.pub", f"{KEY} me\n")
        nova(f"keypair-add --pub-key {public} {key}")
        self.assertIn(key, [row["Name"] for row in nova.table("keypair-list")])
        # `openstack server create --file` hands an open file to its JSON encoder.
        motd = self.file("motd", "hello\n")
        made = nova.pairs(
            f"boot --flavor m1.small --image tiny --key-name {key}"
            f" --file /etc/motd={motd} --poll {name}"
        )
        try:
            self.assertIn("adminPass", made)
            built = nova.pairs(f"rebuild --rebuild-password Given-1 --poll {name} tiny")
            self.assertEqual("Given-1", built["adminPass"])
        finally:
            nova(f"delete {name}")
            nova(f"keypair-delete {key}")
