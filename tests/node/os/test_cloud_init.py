"""The config drive, as Debian's cloud-init reads it: its own code, unpacked."""

import ctypes
import functools
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import orjson
from twisted.trial.unittest import SkipTest

from tests.node.os.case import GUEST, PASSWORD, SECRET_DATA, packed, require_root, tool
from tests.node.os.test_drive import DYNAMIC, FIXED, DriveTestCase, file

_READER = Path(__file__).with_name("reader.py")
PACKAGES = "usr/lib/python3/dist-packages"


@functools.cache
def unpacked() -> Path:
    """
    Return where cloud-init's package is unpacked.  It is not installed: it would run.

    :raises SkipTest: It cannot be had.
    """
    target = Path(tempfile.mkdtemp(prefix="cloud-init-", dir=os.getcwd()))
    commands = (["apt-get", "-q", "download", "cloud-init"], ["dpkg-deb", "-x"])
    for command in commands:
        if command[0] == "dpkg-deb":
            command = [*command, *map(str, target.glob("*.deb")), str(target)]
        done = subprocess.run(
            command, cwd=target, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SkipTest(f"cloud-init cannot be unpacked: {done.stderr.strip()}")
    return target


class CloudInitTests(DriveTestCase):
    """What a guest with cloud-init makes of the drive."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud_init = unpacked()
        self.guest = {**GUEST, "interfaces": [FIXED, DYNAMIC]}

    def read(self, name: str, guest: dict[str, Any]) -> dict[str, Any]:
        """Return what a data source finds on the drive of a guest."""
        drive = self.made(guest)
        work = self.home / "work"
        macs = [nic["mac"] for nic in guest["interfaces"]]
        done = subprocess.run(
            [
                "/usr/bin/python3",
                "-P",
                str(_READER),
                name,
                str(drive),
                str(work),
                *macs,
            ],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(self.cloud_init / PACKAGES),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        return orjson.loads(done.stdout.splitlines()[-1])

    def assert_told(self, found: dict[str, Any]) -> None:
        """The data source has all that any guest is told."""
        self.assertEqual(GUEST["uuid"], found["id"])
        self.assertIn("web", found["hostname"])
        keys = [key.strip() for key in found["keys"]]
        self.assertEqual([GUEST["keys"][0]["public_key"]], keys)
        self.assertEqual(SECRET_DATA.decode(), found["user_data"])

    def test_identified(self) -> None:
        """At boot it is found by its label, before cloud-init itself runs."""
        self.made(GUEST)
        root, programs = self.home / "root", self.home / "programs"
        root.mkdir()
        programs.mkdir()
        for name, text in (
            # The guest's only disk with a file system is this one.
            ("blkid", f"exec {tool('blkid')} -p -o export {self.drive}"),
            ("systemd-detect-virt", "echo kvm"),
        ):
            path = programs / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", str(self.cloud_init / "usr/lib/cloud-init/ds-identify"), "-f"],
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PATH_ROOT": str(root),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        written = root / "run" / "cloud-init" / "cloud.cfg"
        self.assertTrue(written.exists(), done.stderr + done.stdout)
        self.assertIn("[ ConfigDrive, None ]", written.read_text())

    def test_config_drive(self) -> None:
        """Everything reaches it by OpenStack's files."""
        found = self.read("ConfigDrive", self.guest)
        self.assert_told(found)
        self.assert_wired(found["interfaces"], "ens3", "ens4")

    def test_no_cloud(self) -> None:
        """And by NoCloud's, which know the interfaces by their MAC addresses."""
        found = self.read("NoCloud", self.guest)
        self.assert_told(found)
        self.assert_wired(found["interfaces"], "eth0", "eth1")

    def assert_wired(self, text: str, first: str, second: str) -> None:
        """The first interface has fixed addresses and routes, the second asks."""
        for line in (
            f"iface {first} inet static",
            "address 192.0.2.7/24",
            f"iface {first} inet6 static",
            "address 2001:db8::7/64",
            "mtu 1450",
            f"iface {second} inet dhcp",
        ):
            self.assertIn(line, text)
        self.assertIn("198.51.100.0", text)
        self.assertIn("192.0.2.53", text)
        # Of its own lines there are two ways, as of those for gateways.
        self.assertRegex(text, rf"iface {second} inet6 auto|accept_ra 1")
        self.assertRegex(text, r"(gateway|default gw) 192\.0\.2\.1\b")
        self.assertRegex(text, r"(gateway|default gw) 2001:db8::1\b")

    def test_password(self) -> None:
        """The user of the image gets the password, as a hash that is right."""
        [(hashed, [[user, password]])] = self.read("ConfigDrive", self.guest)[
            "passwords"
        ]
        self.assertEqual((True, "debian"), (hashed, user))
        self.assert_hash(password)

    def test_password_of_users(self) -> None:
        """Or those whom the image names."""
        guest = {**self.guest, "properties": {"USERS": "root alice"}}
        [(hashed, pairs)] = self.read("NoCloud", guest)["passwords"]
        self.assertTrue(hashed)
        self.assertEqual(["root", "alice"], [user for user, _ in pairs])
        self.assert_hash(pairs[1][1])

    def assert_hash(self, hashed: str) -> None:
        """It is the password's, by the C library that checks it at a login."""
        crypt = ctypes.CDLL("libcrypt.so.1").crypt
        crypt.restype = ctypes.c_char_p
        found = crypt(PASSWORD.encode(), hashed.encode())
        self.assertEqual(hashed.encode(), found)

    def test_files(self) -> None:
        """Files are in place with owner, group and mode, whatever they are called."""
        require_root()
        place = self.home / "guest"
        names = ("deep/in/a/tree", "with space and 'quotes' $(x)", "ümläut")
        files = [
            file(f"{place}/{name}", name.encode() + bytes([at, 255]), mode=0o640)
            for at, name in enumerate(names)
        ]
        files.append(file(f"{place}/run", b"x", owner="daemon", group="mail", mode=493))
        guest = {**self.guest, "personality": files}
        for source in ("NoCloud", "ConfigDrive"):
            found = self.read(source, guest)
            self.assertEqual([""], found["complaints"])
            for at, name in enumerate(names):
                path = place / name
                self.assertEqual(name.encode() + bytes([at, 255]), path.read_bytes())
                self.assertEqual(0o100640, path.stat().st_mode)
            path = place / "run"
            self.assertEqual(0o100755, path.stat().st_mode)
            self.assertEqual(("daemon", "mail"), (path.owner(), path.group()))
            for path in (self.home / "read", self.home / "work"):
                path.rename(path.with_suffix(f".{source}"))

    def test_odd_texts(self) -> None:
        """No text that a user may choose spoils anything for another reader."""
        odd = 'a "b" \\ \x7f\x85 \u2028 \U0001f600 : # {x} %\n- y'
        keys = [{"name": odd, "type": "ssh", "public_key": f"ssh-rsa A {odd}"}]
        guest = {**self.guest, "name": odd, "metadata": {odd: odd}, "keys": keys}
        for source in ("NoCloud", "ConfigDrive"):
            found = self.read(source, guest)
            self.assertEqual(GUEST["uuid"], found["id"])
            self.assertEqual(
                [f"ssh-rsa A {odd}"], [key.strip() for key in found["keys"]]
            )
            for path in (self.home / "read", self.home / "work"):
                path.rename(path.with_suffix(f".{source}"))

    def test_windows(self) -> None:
        """Windows is told nothing in cloud-init's ways, and gets the clear password."""
        guest = {**GUEST, "properties": {"OSFAMILY": "windows"}}
        self.create(guest=packed(guest))
        content = self.drive.read_bytes()
        self.assertNotIn(b"#cloud-config", content)
        self.assertIn(PASSWORD.encode(), content)
