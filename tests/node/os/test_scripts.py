"""The other scripts, the parameters, and the node's configuration."""

import base64
import os
import re
import tomllib
import zlib

from tests.node.os.case import (
    DEFINITION,
    GUEST,
    IMAGE,
    MIB,
    PROGRAM,
    ROOT,
    OsTestCase,
    packed,
    run,
)
from tests.node.os.test_drive import FIXED

_DEFAULTS = """
import dataclasses, json, sys
sys.path.insert(0, sys.argv[1])
import settings
print(json.dumps(dataclasses.asdict(settings.load(sys.argv[2]))))
"""


class ParameterTests(OsTestCase):
    """``verify``, and the list of parameters."""

    def verified(self, **parameters: str) -> str:
        """Return what ``verify`` says; "" if all is well."""
        started = self.script("verify", self.environment(**parameters))
        code, out, err = started.end()
        self.assertEqual((1 if err else 0, ""), (code, out))
        self.assertLessEqual(len(err.splitlines()), 1)
        self.assert_discreet(err)
        return err.removeprefix("snf-os: ").strip()

    def test_good(self) -> None:
        """What the cloud gives is taken."""
        self.assertEqual("", self.verified())
        self.assertEqual("", self.verified(hostname="web-1.example.org"))
        image = self.image(
            self.raw(), "raw", image_url="https://[2001:db8::1]:8774/x?y"
        )
        self.assertEqual("", self.verified(**image, guest=packed(GUEST), order=IMAGE))

    def test_bad(self) -> None:
        """What makes no sense is named."""
        image = self.image(self.raw(), "raw")
        for name, value in (
            ("hostname", "-web"),
            ("hostname", "a b"),
            ("image_id", "7"),
            ("image_format", "qed"),
            ("image_format", ""),
            ("image_sha256", "../../../etc/shadow"),
            ("image_sha256", "A" * 64),
            ("image_size", "0"),
            ("image_size", "-1"),
            ("image_size", ""),
            ("image_url", "file:///etc/shadow"),
            ("image_url", "http://"),
            ("image_url", "http://a b/"),
            ("image_url", "http://x:y/"),
            ("guest_url", "ftp://x/"),
            ("order", "x"),
        ):
            said = self.verified(**{**image, name: value})
            self.assertTrue(said.startswith(f"{name}: "), f"{name}={value}: {said}")
            self.assertTrue(self.refused(**{**image, name: value}).startswith("snf-os"))

    def test_bad_guest(self) -> None:
        """A guest's data that are none, without a word of them."""
        texts = ["x", base64.b64encode(b"x").decode(), packed({})]
        texts.append(packed({**GUEST, "version": 2}))
        for wrong in ({"address": "x"}, {"prefix": 33}, {"routes": [{}]}):
            nic = {**FIXED, "ips": [{**FIXED["ips"][0], **wrong}]}
            texts.append(packed({**GUEST, "interfaces": [nic]}))
        texts.append(packed(GUEST)[:-8])
        for name in GUEST:
            if name not in ("admin_pass", "user_data", "availability_zone"):
                without = {key: GUEST[key] for key in GUEST if key != name}
                said = self.verified(guest=packed(without))
                self.assertEqual(f"guest: {name} is missing", said)
                texts.append(packed({**GUEST, name: 7}))
        bomb = base64.b64encode(zlib.compress(bytes(64 * MIB))).decode()
        for text in (*texts, bomb):
            self.assertTrue(self.verified(guest=text).startswith("guest: "), text[:40])

    def test_listed(self) -> None:
        """Ganeti is told of every parameter that is read; it refuses others."""
        listed = [
            line.split()[0]
            for line in (DEFINITION / "parameters.list").read_text().splitlines()
        ]
        program = (PROGRAM / "parameters.py").read_text()
        fields = re.findall(r"^    (\w+): str = \"\"$", program, re.M)
        pieces = [f"guest_{at}" for at in range(2, 17)]
        self.assertIn("PIECES = 16\n", program)
        self.assertEqual(sorted([*fields, *pieces]), sorted(listed))
        self.assertEqual("default\n", (DEFINITION / "variants.list").read_text())
        self.assertEqual("20\n", (DEFINITION / "ganeti_api_version").read_text())


class CopyTests(OsTestCase):
    """``export``, ``import`` and ``rename``."""

    def test_there_and_back(self) -> None:
        """Both disks come back as they were; what was sparse is so again."""
        for source in (self.raw(), self.drive):
            copy, target = self.home / "copy", self.home / "target"
            environment = {"PATH": os.environ["PATH"], "EXPORT_DEVICE": str(source)}
            run(
                "/bin/sh",
                "-c",
                f'exec env -i "$@" >{copy}',
                "sh",
                *(f"{key}={value}" for key, value in environment.items()),
                str(DEFINITION / "export"),
            )
            with target.open("wb") as file:
                file.truncate(32 * MIB)
            run(
                "/bin/sh",
                "-c",
                f'exec env -i "$@" <{copy}',
                "sh",
                f"PATH={os.environ['PATH']}",
                f"IMPORT_DEVICE={target}",
                str(DEFINITION / "import"),
            )
            wanted, found = source.read_bytes(), target.read_bytes()
            self.assertEqual(32 * MIB, len(found))
            self.assertTrue(found[: len(wanted)] == wanted)
            self.assertFalse(found[len(wanted) :].strip(b"\0"))
            self.assertLess(os.stat(target).st_blocks * 512, 2 * MIB)

    def test_renamed(self) -> None:
        """A new name at Ganeti changes nothing of the guest's."""
        before = self.system.read_bytes() + self.drive.read_bytes()
        environment = self.environment() | {"OLD_INSTANCE_NAME": "snf-41"}
        self.assertEqual((0, "", ""), self.script("rename", environment).end())
        self.assertEqual(before, self.system.read_bytes() + self.drive.read_bytes())

    def test_executable(self) -> None:
        """Ganeti can run all of them."""
        for name in ("create", "export", "import", "rename", "verify"):
            self.assertTrue(os.access(DEFINITION / name, os.X_OK), name)


class SettingsTests(OsTestCase):
    """The node's configuration."""

    def test_sample(self) -> None:
        """The sample shows every key with its default, and the docs have each."""
        sample = (ROOT / "etc" / "snf-os.toml").read_text()
        shown = re.sub(r"^# (?=\w+ = )", "", sample, flags=re.M)
        path = self.home / "sample.toml"
        path.write_text(shown)
        command = ["/usr/bin/python3", "-I", "-S", "-c", _DEFAULTS, str(PROGRAM)]
        told = run(*command, str(self.home / "none.toml"))
        self.assertEqual(told, run(*command, str(path)))
        documented = (ROOT / "docs" / "nodes.md").read_text()
        for table, keys in tomllib.loads(shown).items():
            for key in keys:
                self.assertRegex(documented, rf"\| `{table}` \| `{key}` \|")

    def test_mistakes(self) -> None:
        """A mistake is one line with file, table and key."""
        image = self.share(self.raw(), "raw")
        for table, key, value, words in (
            ("cache", "size", 1, "cache: size: not known"),
            ("cache", "size_bytes", "1", "cache: size_bytes: must be of the kind int"),
            ("cache", "size_bytes", 0, "cache: size_bytes: must be more than 0"),
            ("images", "directory", "here", "directory: must be an absolute path"),
            ("fetch", "attempts", 1.5, "fetch: attempts: must be of the kind int"),
            ("pictures", "x", 1, "pictures: not a table of this file"),
        ):
            before = {name: dict(keys) for name, keys in self.settings.items()}
            self.settings.setdefault(table, {})[key] = value
            self.assertIn(words, self.refused(**image))
            self.settings = before

    def test_none(self) -> None:
        """A node without the file has the defaults."""
        environment = self.environment() | {"SNF_OS_CONFIG": str(self.home / "none")}
        self.assertEqual((0, "", ""), self.script("create", environment).end())
