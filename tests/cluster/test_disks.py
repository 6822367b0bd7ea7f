"""The OS definition in the hands of a real Ganeti: secrets, and what it does with disks."""

import base64
import contextlib
import json
import os
import ssl
import threading
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

from twisted.internet.threads import deferToThread

from snf.allinone.ganeti import RAPI_USER
from tests.live.cloud import LiveTestCase, eventually
from tests.node.os.case import GUEST, packed

MIB = 1024 * 1024


class DiskTests(LiveTestCase):
    """An instance with a config drive."""

    def setUp(self) -> None:
        super().setUp()
        self.name = f"disks{uuid4().hex[:8]}"
        self.password = f"pw-{uuid4().hex}"
        self.guest = packed({**GUEST, "admin_pass": self.password})
        self.addCleanup(self._removed, self.name)

    async def _removed(self, name: str) -> None:
        if name in await self.instances():
            await self.inside("gnt-instance", "remove", "-f", name)

    async def submit(self, method: str, path: str, body: Any) -> int:
        """Ask the cluster's remote API for a job; return its number."""
        return int(await deferToThread(self._submit, method, path, body))

    def _submit(self, method: str, path: str, body: Any) -> Any:
        ganeti = self.cloud.ganeti
        secret = ganeti.password_file.read_text().strip()
        word = base64.b64encode(f"{RAPI_USER}:{secret}".encode()).decode()
        request = urllib.request.Request(
            ganeti.rapi_url + path,
            method=method,
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {word}",
                "Content-Type": "application/json",
            },
        )
        context = ssl.create_default_context(cafile=str(ganeti.ca_file))
        with urllib.request.urlopen(request, context=context, timeout=40) as answer:
            return json.load(answer)

    async def done(self, job: int) -> str:
        """Return how a job has ended."""

        async def ended() -> str:
            out = await self.inside(
                *("gnt-job", "list", "--no-headers", "-ostatus", str(job))
            )
            status = out.strip()
            return status if status in ("success", "error", "canceled") else ""

        found: str = await eventually(ended, f"job {job} ends", 90)
        return found

    async def built(self) -> None:
        """Have the instance, with a guest's data as a secret."""
        job = await self.submit(
            "POST",
            "/2/instances",
            {
                "__version__": 1,
                "mode": "create",
                "instance_name": self.name,
                "disk_template": "sharedfile",
                "disks": [{"size": 32}, {"size": 16, "name": "configdrive"}],
                "nics": [],
                "os_type": "cyclades+default",
                "osparams": {"hostname": "web"},
                "osparams_secret": {"guest": self.guest},
                "hypervisor": "fake",
                "name_check": False,
                "ip_check": False,
                "start": False,
                "beparams": {"memory": 64, "vcpus": 1},
            },
        )
        self.assertEqual("success", await self.done(job))

    def disks(self, name: str) -> list[bytes]:
        """Return what is on an instance's disks."""
        directory = self.cloud.layout / "ganeti/srv/shared-file-storage" / name
        paths = sorted(directory.iterdir(), key=lambda path: path.name[-1])
        return [path.read_bytes() for path in paths]

    async def test_secrets(self) -> None:
        """They are on the config drive, and nowhere else on the node, at no time."""
        watch = _CommandLines(self.password, self.guest)
        watch.start()
        try:
            await self.built()
        finally:
            watch.end()
        self.assertEqual([], watch.found)
        self.assertGreater(watch.seen, 0)
        where = await deferToThread(self._files_with, self.password, self.guest)
        self.assertEqual({self.name}, {path.parent.name for path in where}, where)

    def _files_with(self, *secrets: str) -> list[Path]:
        found = []
        for path in Path(str(self.cloud.layout.state)).rglob("*"):
            # Those that come and go meanwhile are looked at as long as they are there.
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_size < 64 * MIB:
                    content = path.read_bytes()
                    if any(secret.encode() in content for secret in secrets):
                        found.append(path)
        return found

    async def test_reinstalled(self) -> None:
        """A reinstall by hand, which knows no secrets, leaves the drive as it is."""
        await self.built()
        _, before = self.disks(self.name)
        await self.inside("gnt-instance", "reinstall", "-f", self.name)
        self.assertEqual(before, self.disks(self.name)[1])

    async def test_bad_parameter(self) -> None:
        """Ganeti says which parameter makes no sense, and touches nothing."""
        await self.built()
        body = {"os": "cyclades+default", "osparams": {"image_format": "qed"}}
        path = f"/2/instances/{self.name}/reinstall"
        job = await self.submit("POST", path, body)
        self.assertEqual("error", await self.done(job))
        out = await self.inside("gnt-job", "info", str(job))
        self.assertIn("snf-os: image_format: must be one of raw, qcow2", out)

    async def test_exported(self) -> None:
        """Both disks go out and come in again, into an instance of another name."""
        await self.built()
        copy = f"{self.name}-copy"
        self.addCleanup(self._removed, copy)
        master = self.cloud.ganeti.master.node.name
        folder = f"/var/lib/ganeti/export/{self.name}"
        self.addCleanup(self.inside, "rm", "-rf", folder)
        await self.inside("gnt-backup", "export", "-n", master, self.name)
        await self.inside(
            *("gnt-backup", "import", "-n", master),
            *("--src-node", master, "--src-dir", folder, "-t", "sharedfile"),
            *("--disk", "0:size=32M", "--disk", "1:size=16M,name=configdrive"),
            *("--no-name-check", "--no-ip-check", "--no-nics", copy),
        )
        self.assertEqual(self.disks(self.name), self.disks(copy))
        self.assertIn(self.password.encode(), self.disks(copy)[1])


class _CommandLines(threading.Thread):
    """Looks for secrets in the command lines of all processes, again and again."""

    def __init__(self, *secrets: str) -> None:
        super().__init__(daemon=True)
        self.secrets = [secret.encode() for secret in secrets]
        self.found: list[bytes] = []
        self.seen = 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.01):
            for name in os.listdir("/proc"):
                if name.isdigit():
                    self._look(Path("/proc", name, "cmdline"))

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()

    def _look(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            line = path.read_bytes()
            self.seen += b"os/cyclades" in line or b"/program" in line
            if any(secret in line for secret in self.secrets):
                self.found.append(line)
