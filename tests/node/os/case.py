"""What Ganeti gives the OS definition: disks, and an environment."""

import base64
import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.node.os.origin import SIGNATURE

ROOT = Path(__file__).parents[3]
DEFINITION = ROOT / "ganeti" / "os" / "cyclades"
PROGRAM = DEFINITION / "program"

MIB = 1024 * 1024
PASSWORD = "pa55word-of-the-guest"
SECRET_DATA = b"#!/bin/sh\necho secret-user-data\n"

IMAGE = "5a3e3c2d-34ad-4c89-9d2b-3a3f5a0c1b11"
GUEST: dict[str, Any] = {
    "version": 1,
    "uuid": "0c5e8f6e-2b8d-4d0c-8a0e-1f1c2d3e4f50",
    "name": "My web server",
    "hostname": "web",
    "project_id": "9f0c2b0d8c3e4a7fb1a6d5e4c3b2a190",
    "availability_zone": "nova",
    "metadata": {"role": "front"},
    "keys": [
        {"name": "mine", "type": "ssh", "public_key": "ssh-ed25519 AAAAC3 me@host"}
    ],
    "admin_pass": PASSWORD,
    "user_data": base64.b64encode(SECRET_DATA).decode(),
    "personality": [],
    "properties": {"OS": "debian", "OSFAMILY": "linux"},
    "interfaces": [],
}


def packed(guest: Mapping[str, Any]) -> str:
    """Return what the cloud gives as the parameter ``guest``."""
    return base64.b64encode(zlib.compress(orjson.dumps(guest))).decode()


class OsTestCase(SynchronousTestCase):
    """A node with a directory of images, a cache and a spool, and an instance's disks."""

    def setUp(self) -> None:
        if shutil.which("qemu-img") is None:
            raise SkipTest("qemu-img is not installed: run ./cloud test")
        self.home = Path(self.mktemp()).absolute()
        for name in ("images", "spool"):
            (self.home / name).mkdir(parents=True)
        self.shared = self.home / "images"
        self.cache = self.home / "cache"
        self.spool = self.home / "spool"
        self.settings: dict[str, dict[str, Any]] = {
            "images": {"directory": str(self.shared)},
            "cache": {"directory": str(self.cache)},
            "fetch": {},
            "news": {"spool": str(self.spool), "every_s": 0.001},
        }
        self.system = self.disk("system", 32 * MIB)
        self.drive = self.disk("drive", 16 * MIB)

    def disk(self, name: str, size: int) -> Path:
        """Return a plain file as Ganeti makes it for a disk, which is not empty."""
        path = self.home / name
        with path.open("wb") as file:
            file.write(b"left by somebody else" * 1000)
            file.truncate(size)
        return path

    def environment(self, **parameters: str) -> dict[str, str]:
        """Return what Ganeti sets; the parameters are OS parameters."""
        tables = (
            f"[{table}]\n"
            + "".join(f"{key} = {orjson.dumps(keys[key]).decode()}\n" for key in keys)
            for table, keys in self.settings.items()
        )
        configuration = self.home / "snf-os.toml"
        configuration.write_text("".join(tables))
        return {
            "PATH": "/sbin:/bin:/usr/sbin:/usr/bin",
            "SNF_OS_CONFIG": str(configuration),
            "OS_API_VERSION": "20",
            "INSTANCE_NAME": "snf-42",
            "DISK_COUNT": "2",
            "DISK_0_PATH": str(self.system),
            "DISK_0_NAME": "",
            "DISK_1_PATH": str(self.drive),
            "DISK_1_NAME": "configdrive",
            **{f"OSP_{key.upper()}": value for key, value in parameters.items()},
        }

    def script(self, name: str, environment: Mapping[str, str]) -> "Started":
        """Start a script of the definition, from its directory as Ganeti does."""
        process = subprocess.Popen(
            [str(DEFINITION / name)],
            cwd=DEFINITION,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started = Started(process)
        self.addCleanup(started.kill)
        return started

    def create(self, **parameters: str) -> "Started":
        """Carry ``create`` out; it must end well, and tell no secrets."""
        started = self.script("create", self.environment(**parameters))
        code, out, err = started.end()
        self.assertEqual((0, ""), (code, err), out)
        self.assert_discreet(out)
        return started

    def refused(self, **parameters: str) -> str:
        """Return the one line in which ``create`` says why it cannot."""
        started = self.script("create", self.environment(**parameters))
        code, out, err = started.end()
        self.assertEqual(1, code, out + err)
        [line] = err.splitlines()
        self.assertTrue(line.startswith("snf-os: "), line)
        self.assertNotIn("a bug", line)
        self.assert_discreet(out + err)
        return line

    def assert_discreet(self, *texts: str) -> None:
        """Nothing secret is in the texts, nor in what was told to the cloud."""
        told = b"".join(file.read_bytes() for file in self.spool.iterdir()).decode()
        for text in (*texts, told):
            for secret in (SIGNATURE, PASSWORD, SECRET_DATA.decode(), packed(GUEST)):
                self.assertNotIn(secret, text)

    def told(self) -> list[dict[str, Any]]:
        """Return the messages in the spool, in their order."""
        files = sorted(self.spool.iterdir())
        return [orjson.loads(file.read_bytes()) for file in files]

    def image(self, source: Path, form: str, **more: str) -> dict[str, str]:
        """Return the OS parameters of an image's file."""
        content = source.read_bytes()
        return {
            "image_id": IMAGE,
            "image_format": form,
            "image_sha256": hashlib.sha256(content).hexdigest(),
            "image_size": str(len(content)),
            **more,
        }

    def share(self, source: Path, form: str, **more: str) -> dict[str, str]:
        """Put a file into the directory of images; return its OS parameters."""
        parameters = self.image(source, form, **more)
        sha256 = parameters["image_sha256"]
        (self.shared / sha256[:2]).mkdir(exist_ok=True)
        shutil.copyfile(source, self.shared / sha256[:2] / sha256)
        return parameters

    def raw(self, name: str = "image.raw", mib: int = 8) -> Path:
        """Return a disk without partitions, the same of a name each time."""
        path = self.home / name
        block = hashlib.shake_256(name.encode()).digest(64 * 1024)
        with path.open("wb") as file:
            for at in range(mib):
                file.seek(at * MIB)
                file.write(block)
            file.truncate(mib * MIB)
        return path

    def converted(self, source: Path, form: str, *options: str) -> Path:
        """Return a disk in another format; qemu-img's word for it."""
        target = source.with_suffix(f".{form}{len(options)}")
        run("qemu-img", "convert", "-O", form, *options, str(source), str(target))
        return target

    def assert_written(self, image: Path, disk: Path | None = None) -> None:
        """The disk begins with the image, and has nothing behind it."""
        wanted = image.read_bytes()
        content = (disk or self.system).read_bytes()
        self.assertEqual(32 * MIB, len(content))
        self.assertTrue(content[: len(wanted)] == wanted, "the image is not there")
        self.assertFalse(content[len(wanted) :].strip(b"\0"), "there is more")


class Started:
    """A script under way."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._ended: tuple[int, str, str] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def end(self) -> tuple[int, str, str]:
        """Return its exit code, and what it printed."""
        if self._ended is None:
            out, err = self.process.communicate(timeout=120)
            self._ended = self.process.returncode, out, err
        return self._ended

    def kill(self) -> None:
        """Have it be killed, wherever it is."""
        if self._ended is None:
            self.process.kill()
            self.process.communicate(timeout=120)
            self._ended = (-9, "", "")

    def children(self) -> list[int]:
        """Return the processes that it has started."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(word) for word in path.read_text().split()]


def run(*argv: str, text: str | None = None) -> str:
    """Return what a command prints, which must succeed."""
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=1800, check=False
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr}{done.stdout}")
    return done.stdout


def require_root() -> None:
    """
    Return if this process may mount things and give files away.

    :raises SkipTest: It may not.
    """
    if os.geteuid() != 0:
        raise SkipTest("needs root: run ./cloud test")


def tool(name: str) -> str:
    """
    Return where a program is.

    :raises SkipTest: It is not there.
    """
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        raise SkipTest(f"{name} is not installed: run ./cloud test")
    return path
