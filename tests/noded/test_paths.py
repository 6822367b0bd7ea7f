"""What there is at which path."""

import json
import subprocess
import sys
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.noded import openstack, paths
from snf.noded.guest import Known, parsed
from tests.node.os.case import GUEST, PROGRAM
from tests.node.os.test_drive import DYNAMIC, FIXED
from tests.noded.world import IMAGE, SERVER, known, written_guest

# What the config drive has, by the program that writes it.
_DRIVE = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); import drive, guest;"
    " found = drive.files(guest.parse(sys.stdin.read()));"
    " print(json.dumps({name: content.decode() for name, content in found.items()}))"
)


class PathTests(SynchronousTestCase):
    """``found``."""

    def text(self, path: str, of: Known | None = None) -> str:
        """Return what is there."""
        content = paths.found(of or known(), path)
        assert content is not None, path
        return content.decode()

    def json(self, path: str) -> Any:
        """Return what the JSON there says."""
        return json.loads(self.text(path))

    def test_amazon(self) -> None:
        """Amazon's names have what Nova's have."""
        for name, expected in (
            ("instance-id", str(SERVER)),
            ("hostname", "web-1"),
            ("local-hostname", "web-1"),
            ("local-ipv4", "10.0.0.7"),
            ("public-ipv4", "198.18.0.9"),
            ("placement/availability-zone", "nova"),
            ("security-groups", "default\nweb"),
            ("block-device-mapping/root", "/dev/vda"),
            ("ami-id", f"ami-{str(IMAGE)[:8]}"),
            ("instance-type", "m1.tiny"),
            ("mac", "aa:00:00:00:00:01"),
            ("public-keys/0/openssh-key", "ssh-ed25519 AAAA me"),
            ("public-keys", "0=mine"),
            ("public-keys/0/", "openssh-key"),
            ("placement/", "availability-zone"),
        ):
            for version in ("latest", "2009-04-04", "1.0"):
                path = f"/{version}/meta-data/{name}"
                self.assertEqual(expected, self.text(path), path)
        self.assertEqual("#!/bin/sh\n", self.text("/latest/user-data"))

    def test_lists(self) -> None:
        """A directory is the names in it, one's slash saying that it is one itself."""
        self.assertEqual("1.0", self.text("/").splitlines()[0])
        self.assertIn("openstack", self.text("").splitlines())
        self.assertEqual("meta-data/\nuser-data", self.text("/latest"))
        listed = self.text("/latest/meta-data/").splitlines()
        for name in ("placement/", "public-keys/", "instance-id"):
            self.assertIn(name, listed)
        self.assertEqual("\n".join(openstack.VERSIONS), self.text("/openstack/"))
        files = self.text("/openstack/latest").splitlines()
        self.assertEqual(
            {"meta_data.json", "user_data", "password", "network_data.json"},
            {name for name in files if not name.startswith("vendor")},
        )
        early = self.text("/openstack/2012-08-10").splitlines()
        self.assertEqual({"meta_data.json", "user_data"}, set(early))

    def test_every_listed_path(self) -> None:
        """All that is listed is there, to the last file."""

        def walk(path: str) -> int:
            count = 0
            for name in self.text(path).splitlines():
                below = f"{path}{name.partition('=')[0]}"
                if name.endswith("/") or "=" in name:
                    count += walk(f"{below.rstrip('/')}/")
                else:
                    self.text(below)
                    count += 1
            return count

        self.assertGreater(walk("/latest/meta-data/"), 15)
        for version in openstack.VERSIONS:
            for name in self.text(f"/openstack/{version}").splitlines():
                self.text(f"/openstack/{version}/{name}")

    def test_openstack(self) -> None:
        """OpenStack's files say the same."""
        told = self.json("/openstack/latest/meta_data.json")
        self.assertEqual((str(SERVER), "web-1"), (told["uuid"], told["hostname"]))
        self.assertEqual({"role": "db"}, told["meta"])
        self.assertEqual({"mine": "ssh-ed25519 AAAA me\n"}, told["public_keys"])
        self.assertEqual(2, len(told["keys"]))
        self.assertNotIn("admin_pass", told)
        self.assertEqual("#!/bin/sh\n", self.text("/openstack/latest/user_data"))
        for name in ("vendor_data.json", "vendor_data2.json"):
            self.assertEqual({}, self.json(f"/openstack/latest/{name}"))
        self.assertEqual("", self.text("/openstack/latest/password"))
        later = known(password="c2VjcmV0")
        self.assertEqual("c2VjcmV0", self.text("/openstack/latest/password", later))

    def test_as_on_the_drive(self) -> None:
        """It is what the config drive says, but for what the drive alone may say."""
        given = {**GUEST, "admin_pass": None, "interfaces": [FIXED, DYNAMIC]}
        done = subprocess.run(
            [sys.executable, "-c", _DRIVE, str(PROGRAM)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
        )
        drive = json.loads(done.stdout)
        served = {**json.loads(written_guest()), **given}
        guest = Known(parsed(json.dumps(served).encode()), b"s")
        folder = "openstack/latest"
        for name in ("network_data.json", "vendor_data.json"):
            self.assertEqual(
                json.loads(drive[f"{folder}/{name}"]),
                json.loads(self.text(f"/{folder}/{name}", guest)),
            )
        self.assertEqual(
            drive[f"{folder}/user_data"], self.text(f"/{folder}/user_data", guest)
        )
        ours = json.loads(self.text(f"/{folder}/meta_data.json", guest))
        theirs = json.loads(drive[f"{folder}/meta_data.json"])
        for told in (ours, theirs):
            told.pop("random_seed")
        self.assertEqual([], theirs.pop("files"))
        self.assertEqual([], ours.pop("dedicated_cpus"))
        self.assertEqual(theirs, ours)

    def test_nothing(self) -> None:
        """What there is not is nothing, and no user data are none."""
        for path in (
            *("/x", "/latest/x", "/latest/meta-data/instance-id/x", "/openstack/x"),
            *("/openstack/latest/x", "/openstack/2012-08-10/password", "/..", "/%2e"),
        ):
            self.assertIsNone(paths.found(known(), path), path)
        told = known()
        told = evolve(told, guest=parsed(written_guest()))
        told.guest.user_data = None
        for path in ("/latest/user-data", "/openstack/latest/user_data"):
            self.assertIsNone(paths.found(told, path))

    def test_slashes(self) -> None:
        """They count as with Nova, however many there are."""
        self.assertEqual("web-1", self.text("//latest//meta-data/hostname/"))

    @given(st.text())
    def test_anything(self, path: str) -> None:
        """Whatever is asked, there is something or nothing, and no mistake."""
        content = paths.found(known(), path)
        self.assertTrue(content is None or isinstance(content, bytes))

    def test_password(self) -> None:
        """A password may be told where it can be read, and nowhere else."""
        self.assertTrue(paths.is_password("/openstack/latest/password"))
        self.assertTrue(paths.is_password("/openstack/2013-04-04/password"))
        for path in (
            *("/openstack/2012-08-10/password", "/latest/password", "/password"),
            *("/openstack/x/password", "/openstack/latest/password/x", "/"),
        ):
            self.assertFalse(paths.is_password(path), path)
