"""``openstack image``: a user's own images, from the file to the server made of it."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from snf.allinone.credentials import PEOPLE
from tests.clients.case import ClientTestCase
from tests.clients.programs import Program, Refused

MIB = 1024 * 1024


class ImageTests(ClientTestCase):
    """The life of images, as members use them."""

    async def test_life(self) -> None:
        """Each journey does what the commands say, and shows it."""
        await self.together(
            lambda journey: journey(),
            (self.life, self.sharing, self.importing, self.refused, self.admins),
        )

    def disk(self, size: int = 3 * MIB + 1234) -> Path:
        """Return a file with a disk that nobody else has."""
        path = self.directory / f"disk-{uuid4().hex}"
        path.write_bytes((uuid4().bytes * (size // 16 + 1))[:size])
        return path

    def name(self) -> str:
        """Return a name that nobody else has."""
        return f"img-{uuid4().hex[:8]}"

    def life(self) -> None:
        """One image, from its upload to its deletion."""
        client, path, name = self.openstack(), self.disk(), self.name()
        made = client.json(
            "image create --disk-format raw --container-format bare --min-disk 1"
            " --min-ram 64 --property OS=debian --property USERS=root --tag blue"
            f" --file {path}",
            name,
        )
        data = path.read_bytes()
        self.assertEqual(
            ("active", len(data), "shared", ["blue"], 1, 64),
            (
                *(made["status"], made["size"], made["visibility"], made["tags"]),
                *(made["min_disk"], made["min_ram"]),
            ),
        )
        self.assertEqual(hashlib.md5(data).hexdigest(), made["checksum"])
        self.changes(client, name)
        self.is_found(client, made, name)
        saved = self.directory / "saved"
        client(f"image save --file {saved} {name}")
        self.assertEqual(data, saved.read_bytes())
        self.is_closed(client, name)
        client(f"image delete {name}")
        self.assertEqual([], client.json(f"image list --name {name}"))
        with self.assertRaisesRegex(Refused, "No Image found"):
            client(f"image show {name}")

    def changes(self, client: Program, name: str) -> None:
        """Fields, properties and tags are set and unset."""
        client(
            f"image set --property OS=ubuntu --property GUI=no --tag red --min-ram 32"
            f" --protected {name}"
        )
        shown = client.json(f"image show {name}")
        self.assertEqual(
            (["blue", "red"], 32, True),
            (shown["tags"], shown["min_ram"], shown["protected"]),
        )
        self.assertEqual(
            ("ubuntu", "root", "no"),
            tuple(shown["properties"][key] for key in ("OS", "USERS", "GUI")),
        )
        with self.assertRaisesRegex(Refused, "protected"):
            client(f"image delete {name}")
        client(f"image set --unprotected {name}")
        client(f"image unset --property GUI --tag red {name}")
        shown = client.json(f"image show {name}")
        self.assertEqual(["blue"], shown["tags"])
        self.assertNotIn("GUI", shown["properties"])

    def is_found(self, client: Program, made: dict[str, Any], name: str) -> None:
        """Lists find it by what it has."""
        for query in (
            f"--name {name}",
            "--shared --tag blue",
            "--property OS=ubuntu --sort name:asc",
            "--status active --long",
        ):
            found = client.json(f"image list {query}")
            self.assertIn(made["id"], [image["ID"] for image in found], query)
        for query in ("--public", "--private", "--hidden", "--status queued"):
            found = client.json(f"image list {query}")
            self.assertNotIn(made["id"], [image["ID"] for image in found], query)

    def is_closed(self, client: Program, name: str) -> None:
        """Nobody makes servers of an image that is deactivated."""
        client(f"image set --deactivate {name}")
        self.assertEqual("deactivated", client.json(f"image show {name}")["status"])
        # The client takes the refusal for data, and finds that it is not the image's.
        with self.assertRaisesRegex(Refused, "checksum mismatch|deactivated"):
            client(f"image save --file {self.directory}/nothing {name}")
        with self.assertRaisesRegex(Refused, "not active"):
            client(f"server create --flavor m1.tiny --image {name} s-{name}")
        client(f"image set --activate {name}")
        client(f"image set --hidden {name}")
        self.assertEqual([], client.json(f"image list --name {name}"))
        client(f"image set --unhidden {name}")

    def sharing(self) -> None:
        """An image is shared with another project, which accepts it."""
        client, admin, name = self.openstack(), self.openstack(who="admin"), self.name()
        made = client.json(
            f"image create --disk-format raw --container-format bare"
            f" --file {self.disk()}",
            name,
        )
        other = admin.json(f"project show {PEOPLE['admin'].project}")["id"]
        # The client looks for the project's name, which only admins may.
        admin(f"image add project {made['id']} {other}")
        [member] = client.json(f"image member list {name}")
        self.assertEqual(("pending", other), (member["Status"], member["Member ID"]))
        admin(f"image set --accept --project {other} {made['id']}")
        [member] = client.json(f"image member list {name}")
        self.assertEqual("accepted", member["Status"])
        admin(f"image remove project {made['id']} {other}")
        self.assertEqual([], client.json(f"image member list {name}"))
        client(f"image delete {name}")

    def importing(self) -> None:
        """An image is staged, then imported."""
        client, path, name = self.openstack(), self.disk(), self.name()
        info = client.json("image import info")
        self.assertIn("glance-direct", str(info))
        self.assertIn("files", str(client.json("image stores list")))
        qcow2 = self.directory / f"{name}.qcow2"
        subprocess.run(
            ["qemu-img", "convert", "-O", "qcow2", str(path), str(qcow2)], check=True
        )
        client(f"image create --disk-format qcow2 --container-format bare {name}")
        client(f"image stage --file {qcow2} {name}")
        self.assertEqual("uploading", client.json(f"image show {name}")["status"])
        client(f"image import --method glance-direct {name}")
        shown = self.until(
            lambda: self.active(client, name), "the import came to its end"
        )
        self.assertEqual(qcow2.stat().st_size, shown["size"])
        self.assertEqual(-(-path.stat().st_size // 512) * 512, shown["virtual_size"])
        client(f"image delete {name}")

    def active(self, client: Program, name: str) -> dict[str, Any] | None:
        """Return an image if it is active."""
        shown = client.json(f"image show {name}")
        return shown if shown["status"] == "active" else None

    def refused(self) -> None:
        """What is not allowed is refused in words, and leaves nothing."""
        client, name = self.openstack(), self.name()
        evil = self.directory / "evil.qcow2"
        subprocess.run(
            [
                *("qemu-img", "create", "-q", "-f", "qcow2", "-u"),
                *("-b", "/etc/shadow", "-F", "raw", str(evil), "1M"),
            ],
            check=True,
        )
        new = "image create --container-format bare"
        for options, why in (
            (f"--disk-format qcow2 --file {evil}", "backing file"),
            (f"--disk-format raw --file {evil}", "qcow2, not raw"),
            (f"--disk-format vmdk --file {self.disk()}", "vmdk"),
            ("--disk-format raw --public", "publicize"),
        ):
            with self.assertRaisesRegex(Refused, why):
                client(f"{new} {options} {name}")
        made = client.json(f"{new} --disk-format raw {name}-web")
        self.is_not_fetched(client, made["id"])

    def is_not_fetched(self, client: Program, image: str) -> None:
        """Nothing is fetched from this host; the task says why."""
        client(f"image import --method web-download --uri http://127.0.0.1/x {image}")
        tasks = self.until(lambda: self.failed(image), "the import has come to its end")
        self.assertIn("not allowed", tasks[0]["message"])
        self.assertEqual("queued", client.json(f"image show {image}")["status"])

    def failed(self, image: str) -> list[dict[str, Any]]:
        """Return an image's imports that have failed."""
        admin = self.openstack(who="admin")
        listed = admin.json("image task list --type import --status failure") or []
        shown = [admin.json(f"image task show {one['ID']}") for one in listed]
        return [one for one in shown if image in str(one["input"])]

    def admins(self) -> None:
        """An admin's public image is there for everybody."""
        client, admin, name = self.openstack(), self.openstack(who="admin"), self.name()
        admin(
            f"image create --public --disk-format raw --container-format bare"
            f" --file {self.disk()} {name}"
        )
        [found] = client.json(f"image list --public --name {name}")
        with self.assertRaisesRegex(Refused, "not permitted"):
            client(f"image set --name mine {found['ID']}")
        admin(f"image delete {name}")
