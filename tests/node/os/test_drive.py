"""The config drive, as mtools and blkid read it."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import orjson

from tests.node.os.case import (
    GUEST,
    MIB,
    PASSWORD,
    SECRET_DATA,
    OsTestCase,
    packed,
    run,
    tool,
)

FIXED: dict[str, Any] = {
    "id": "4c0a8f8e-7a0c-4c57-9d1f-000000000001",
    "mac": "aa:00:04:35:c4:01",
    "mtu": 1450,
    "network_id": "1b0a8f8e-7a0c-4c57-9d1f-000000000001",
    "ips": [
        {
            "address": "192.0.2.7",
            "prefix": 24,
            "gateway": "192.0.2.1",
            "dhcp": False,
            "version": 4,
            "routes": [{"destination": "198.51.100.0/24", "nexthop": "192.0.2.9"}],
            "dns": ["192.0.2.53"],
        },
        {
            "address": "2001:db8::7",
            "prefix": 64,
            "gateway": "2001:db8::1",
            "dhcp": False,
            "version": 6,
            "routes": [],
            "dns": ["2001:db8::53"],
        },
    ],
}
DYNAMIC: dict[str, Any] = {
    "id": "4c0a8f8e-7a0c-4c57-9d1f-000000000002",
    "mac": "aa:00:04:35:c4:02",
    "mtu": 1500,
    "network_id": "1b0a8f8e-7a0c-4c57-9d1f-000000000002",
    "ips": [
        {
            "address": "203.0.113.7",
            "prefix": 24,
            "gateway": "203.0.113.1",
            "dhcp": True,
            "version": 4,
            "routes": [],
            "dns": ["203.0.113.53"],
        },
        {
            "address": "2001:db8:1::7",
            "prefix": 64,
            "gateway": None,
            "dhcp": True,
            "version": 6,
            "routes": [],
            "dns": [],
        },
    ],
}
LABELS = {"LABEL": "config-2", "LABEL_FATBOOT": "config-2", "TYPE": "vfat"}


def file(path: str, contents: bytes, **more: object) -> dict[str, object]:
    """Return an entry of a personality."""
    return {"path": path, "contents": base64.b64encode(contents).decode(), **more}


class DriveTestCase(OsTestCase):
    """A server whose only disk with anything on it is the config drive."""

    def made(self, guest: dict[str, object]) -> Path:
        """Return a directory with what is on the drive of a guest."""
        self.create(guest=packed(guest))
        target = self.home / "read"
        target.mkdir()
        command = [tool("mcopy"), "-s", "-n", "-i", str(self.drive), "::/", str(target)]
        run(*command)
        return target


class DriveTests(DriveTestCase):
    """What is on it."""

    def test_found(self) -> None:
        """Its label is the one that cloud-init and cloudbase-init look for."""
        self.made(GUEST)
        told = run(tool("blkid"), "-p", "-o", "export", str(self.drive))
        words = dict(line.split("=", 1) for line in told.splitlines())
        self.assertEqual(LABELS, {key: words[key] for key in LABELS})
        label = run(tool("mlabel"), "-s", "-i", str(self.drive), "::")
        self.assertEqual("Volume label is config-2", label.strip())

    def test_whole(self) -> None:
        """The file system has no faults."""
        files = [file(f"/srv/{at}", bytes([at]) * 10_000 * at) for at in range(20)]
        self.made({**GUEST, "personality": files})
        done = subprocess.run(
            [tool("fsck.fat"), "-n", str(self.drive)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual(0, done.returncode, done.stdout)

    def test_config_drive(self) -> None:
        """OpenStack's files say what the server was made with."""
        files = [file("etc/motd", b"Hello\n"), file("/srv/x", bytes(range(256)))]
        read = self.made({**GUEST, "personality": files})
        for version in ("latest", "2018-08-27"):
            folder = read / "openstack" / version
            meta = orjson.loads((folder / "meta_data.json").read_bytes())
            self.assertEqual(GUEST["uuid"], meta["uuid"])
            self.assertEqual("web", meta["hostname"])
            self.assertEqual("My web server", meta["name"])
            self.assertEqual(PASSWORD, meta["admin_pass"])
            self.assertEqual({"role": "front"}, meta["meta"])
            [key] = GUEST["keys"]
            self.assertEqual({"mine": key["public_key"] + "\n"}, meta["public_keys"])
            self.assertEqual(
                [{"name": "mine", "type": "ssh", "data": key["public_key"]}],
                meta["keys"],
            )
            self.assertEqual(
                [
                    {"path": "/etc/motd", "content_path": "/content/0000"},
                    {"path": "/srv/x", "content_path": "/content/0001"},
                ],
                meta["files"],
            )
            self.assertEqual(SECRET_DATA, (folder / "user_data").read_bytes())
        content = read / "openstack" / "content"
        self.assertEqual(b"Hello\n", (content / "0000").read_bytes())
        self.assertEqual(bytes(range(256)), (content / "0001").read_bytes())

    def test_least(self) -> None:
        """A server that was given nothing has the files that readers insist on."""
        least = {**GUEST, "admin_pass": None, "user_data": None, "keys": []}
        read = self.made({**least, "metadata": {}})
        folder = read / "openstack" / "latest"
        meta = orjson.loads((folder / "meta_data.json").read_bytes())
        self.assertNotIn("admin_pass", meta)
        self.assertFalse((folder / "user_data").exists())
        self.assertEqual({}, orjson.loads((folder / "vendor_data.json").read_bytes()))
        self.assertEqual(b"", (read / "user-data").read_bytes())
        self.assertEqual(b"", (read / "vendor-data").read_bytes())

    def test_network(self) -> None:
        """Fixed addresses with their routes, or what is to be asked for."""
        read = self.made({**GUEST, "interfaces": [FIXED, DYNAMIC]})
        folder = read / "openstack" / "latest"
        data = orjson.loads((folder / "network_data.json").read_bytes())
        self.assertEqual(
            [(FIXED["mac"], 1450), (DYNAMIC["mac"], 1500)],
            [(link["ethernet_mac_address"], link["mtu"]) for link in data["links"]],
        )
        self.assertEqual(
            ["ipv4", "ipv6", "ipv4_dhcp", "ipv6_slaac"],
            [network["type"] for network in data["networks"]],
        )
        fixed = data["networks"][0]
        self.assertEqual(
            ("192.0.2.7", "255.255.255.0"), (fixed["ip_address"], fixed["netmask"])
        )
        self.assertEqual(
            [
                ("0.0.0.0", "0.0.0.0", "192.0.2.1"),
                ("198.51.100.0", "255.255.255.0", "192.0.2.9"),
            ],
            [
                (route["network"], route["netmask"], route["gateway"])
                for route in fixed["routes"]
            ],
        )
        self.assertEqual(
            ["192.0.2.53", "2001:db8::53"],
            [service["address"] for service in data["services"]],
        )

    def test_written_over(self) -> None:
        """Nothing of an older drive stays."""
        self.made(GUEST)
        self.create(guest=packed({**GUEST, "admin_pass": None, "user_data": None}))
        content = self.drive.read_bytes()
        self.assertNotIn(PASSWORD.encode(), content)
        self.assertNotIn(SECRET_DATA, content)

    def test_in_pieces(self) -> None:
        """What one variable cannot hold comes in several."""
        noise = base64.b64encode(bytes(range(256)) * 200).decode()
        text = packed({**GUEST, "personality": [file("/x", noise.encode())]})
        length = len(text) // 3 + 1
        pieces = [text[at : at + length] for at in range(0, len(text), length)]
        self.create(guest=pieces[0], guest_2=pieces[1], guest_3=pieces[2])
        self.assertIn(noise.encode(), self.drive.read_bytes())

    def test_none(self) -> None:
        """Without any data a drive stays as it is: a reinstall by hand keeps it."""
        before = self.drive.read_bytes()
        self.create(hostname="web")
        self.assertEqual(before, self.drive.read_bytes())

    def test_no_room(self) -> None:
        """More than it holds, or a disk that is too small, is said so."""
        large = base64.b64encode(bytes(5 * MIB)).decode()  # it is there four times
        line = self.refused(guest=packed({**GUEST, "user_data": large}))
        self.assertIn("the server's data is more than the config drive holds", line)
        self.drive = self.disk("small", MIB)
        self.assertIn("configdrive", self.refused(guest=packed(GUEST)))

    def test_no_drive(self) -> None:
        """A disk of another name is never taken for it."""
        environment = self.environment(guest=packed(GUEST)) | {"DISK_1_NAME": "data"}
        before = self.drive.read_bytes()
        code, _, err = self.script("create", environment).end()
        self.assertEqual((1, 1), (code, len(err.splitlines())))
        self.assertIn("there is no disk configdrive", err)
        self.assertEqual(before, self.drive.read_bytes())
