"""Images of servers, as ``openstack`` and ``nova`` have them made."""

from uuid import uuid4

from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused


class SnapshotTests(ClientTestCase):
    """A server, its images, and what is made of those."""

    async def test_made(self) -> None:
        """Each client makes an image, waits for it, and makes a server of it."""
        await self.together(
            lambda journey: journey(),
            (self.by_openstack, self.by_nova, self.backups),
        )

    def server(self, client: Program) -> str:
        """Return the name of a new server with a disk."""
        name = f"snap-{uuid4().hex[:6]}"
        made = client.json(
            f"server create --flavor m1.small --image tiny --wait {name}"
        )
        self.assertEqual("ACTIVE", made["status"])
        return name

    def by_openstack(self) -> None:
        """``openstack server image create --wait``, while it runs and while it is off."""
        client = self.openstack()
        server = self.server(client)
        image = f"{server}-1"
        made = client.json(
            f"server image create --name {image} --property purpose=test --wait {server}"
        )
        self.assertEqual("active", made["status"])
        self.assertEqual(
            ("test", "snapshot"),
            (made["properties"]["purpose"], made["properties"]["image_type"]),
        )
        clone = client.json(
            f"server create --flavor m1.small --image {image} --wait {image}"
        )
        self.assertEqual("ACTIVE", clone["status"])
        client(f"server stop {server}")
        self.until(lambda: self.shown(client, server)["status"] == "SHUTOFF", "off")
        off = client.json(f"server image create --name {server}-2 --wait {server}")
        self.assertEqual("active", off["status"])
        with self.assertRaisesRegex(Refused, "no property of an image's own"):
            client(f"server image create --property min_ram=5 {server}")
        client(f"server delete --wait {server} {image}")
        client(f"image delete {image} {server}-2")

    def shown(self, client: Program, server: str) -> dict:
        """Return what there is to see of a server."""
        return client.json(f"server show {server}")

    def by_nova(self) -> None:
        """``nova image-create --poll``, in the dialects before and after 2.45."""
        client = self.openstack()
        server = self.server(client)
        for version in ("2.1", "2.60"):
            nova = Program(
                "nova", self.environment(), ("--os-compute-api-version", version)
            )
            image = f"{server}-{version}"
            said = nova(f"image-create --poll --show {server} {image}")
            self.assertIn("100", said)
            self.assertEqual("active", client.json(f"image show {image}")["status"])
            client(f"image delete {image}")
        client(f"server delete --wait {server}")

    def backups(self) -> None:
        """``openstack server backup create`` keeps as many as it is told."""
        client = self.openstack()
        server = self.server(client)
        for number in (1, 2):
            client(
                f"server backup create --name {server}-b{number} --type daily"
                f" --rotate 1 --wait {server}"
            )
        found = client.json("image list --property backup_type=daily")
        names = [one["Name"] for one in found if one["Name"].startswith(server)]
        self.assertEqual([f"{server}-b2"], names)
        client(f"image delete {server}-b2")
        client(f"server delete --wait {server}")
