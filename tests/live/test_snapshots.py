"""Servers' disks become images, on a real cluster."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from snf.allinone.images import NAME, store
from tests.live.cloud import eventually
from tests.live.test_images import ImagesTestCase

# Writes all the time, to many files, as fast as the disk takes it.
_WRITER = (
    "mkdir -p /root/busy; (i=0; while :; do i=$((i+1));"
    " head -c 65536 /dev/urandom >/root/busy/$((i % 200)); sync; done)"
    " >/dev/null 2>&1 </dev/null &"
)
_IMAGES = "/image/v2/images"


class SnapshotTests(ImagesTestCase):
    """From a guest to its image, and on to guests that have what it had."""

    timeout = 900

    async def test_running(self) -> None:
        """A guest that writes all the while becomes an image that others boot from."""
        named = await self.user.ids("m1.small", NAME)
        made = await self.server(named["imageRef"])
        await self.inside_guest(made["id"], "echo precious >/root/kept; sync")
        await self.inside_guest(made["id"], _WRITER)
        image = await self.image_of(made["id"])
        self.assertEqual(
            "ACTIVE", (await self.user.until(made["id"], "ACTIVE"))["status"]
        )
        await deferToThread(self._check_file_system, image)
        first, second = (await self.server(image), await self.server(image))
        for clone in (first, second):
            look = "cat /root/kept; dmesg | grep -c 'EXT4-fs error' || :"
            seen = await self.inside_guest(clone["id"], look)
            self.assertEqual(["precious", "0"], seen.split())
        # What it was made of goes on: it writes, and has written more since.
        count = "cat /proc/uptime >/dev/null; ls /root/busy | wc -l"
        self.assertGreater(int(await self.inside_guest(made["id"], count)), 0)
        for server in (made, first, second):
            await self.user.delete(server["id"], 120)
        await self.nothing_left(image)

    async def test_stopped(self) -> None:
        """So does one that is off, and it can be started afterwards."""
        named = await self.user.ids("m1.small", NAME)
        made = await self.server(named["imageRef"])
        await self.inside_guest(made["id"], "echo precious >/root/kept; sync")
        self.assertEqual(202, await self.user.act(made["id"], {"os-stop": None}))
        await self.user.until(made["id"], "SHUTOFF", 90)
        image = await self.image_of(made["id"])
        await deferToThread(self._check_file_system, image)
        self.assertEqual(202, await self.user.act(made["id"], {"os-start": None}))
        await self.user.until(made["id"], "ACTIVE", 90)
        clone = await self.server(image)
        for server in (made, clone):
            seen = await self.inside_guest(server["id"], "cat /root/kept")
            self.assertEqual("precious\n", seen)
            await self.user.delete(server["id"], 120)
        await self.nothing_left(image)

    async def test_killed(self) -> None:
        """When the node's process is killed the image ends, and says why; nothing stays."""
        named = await self.user.ids("m1.small", NAME)
        made = await self.server(named["imageRef"])
        number = await self.number(made["id"])
        # Enough that it is still at work when it is looked for.
        fill = "dd if=/dev/urandom of=/root/much bs=1M count=500 2>/dev/null; sync"
        await self.inside_guest(made["id"], fill)
        image = await self.ordered(made["id"])
        worker = await eventually(self._worker, "its node is at work", 60, 0.02)
        os.kill(worker, 9)
        # That nothing is heard of it shows after minutes: they are skipped.
        self.query(
            "UPDATE image_upload SET updated = updated - interval '1 hour';"
            "UPDATE orders SET claimed = claimed - interval '1 hour'"
            " WHERE kind = 'image' AND state = 'submitted'"
        )

        async def gone() -> bool:
            return (await self.user.call("GET", f"{_IMAGES}/{image}")).code == 404

        await eventually(gone, "the image is given up", 120, 1)
        await self.user.until(made["id"], "ACTIVE")
        actions = f"/compute/v2.1/servers/{made['id']}/os-instance-actions"
        newest = (await self.user.call("GET", actions)).json["instanceActions"][0]
        self.assertEqual(
            ("createImage", "Error"), (newest["action"], newest["message"])
        )
        again = await self.image_of(made["id"])
        await self.user.delete(made["id"], 120)
        await self.nothing_left(again)
        self.assertNotIn(f"snf-{number}", await self.inside("gnt-instance", "list"))

    async def test_cloud_killed(self) -> None:
        """When the cloud dies and comes back meanwhile, the node brings it all the same."""
        named = await self.user.ids("m1.small", NAME)
        made = await self.server(named["imageRef"])
        fill = "dd if=/dev/urandom of=/root/much bs=1M count=300 2>/dev/null; sync"
        await self.inside_guest(made["id"], fill)
        image = await self.ordered(made["id"])
        await eventually(self._worker, "its node is at work", 60, 0.02)
        self.kill_cyclades()
        await self.restart_daemons()
        await self.active(image)
        await self.user.until(made["id"], "ACTIVE")
        await deferToThread(self._check_file_system, image)
        await self.user.delete(made["id"], 120)
        await self.nothing_left(image)

    async def image_of(self, server: str) -> str:
        """Return the image that is made of a server, once it is active."""
        image = await self.ordered(server)
        await self.active(image)
        await self.user.until(server, (await self.user.show(server) or {})["status"])
        return image

    async def active(self, image: str) -> None:
        """Wait until an image is active."""

        async def there() -> bool:
            reply = await self.user.call("GET", f"{_IMAGES}/{image}")
            self.assertEqual(200, reply.code, "the image has failed")
            return reply.json["status"] == "active"

        await eventually(there, "the image is active", 240, 0.5)

    async def ordered(self, server: str) -> str:
        """Return an image that is being made of a server."""
        path = f"/compute/v2.1/servers/{server}/action"
        body = {"createImage": {"name": self.name, "metadata": {"k": "v"}}}

        async def taken() -> Any:
            # What was killed may be under way in QEMU for a while.
            reply = await self.user.call("POST", path, body)
            return reply if reply.code == 202 else None

        reply = await eventually(taken, "createImage is taken", 60, 1)
        location = reply.headers.getRawHeaders("Location")[0]
        return location.rpartition("/")[2]

    async def _worker(self) -> int | None:
        ours = f"GANETI_CLUSTER={self.cloud.instance.cluster_name}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                at_work = b"\0capturing\0" in (path / "cmdline").read_bytes()
                if at_work and ours in (path / "environ").read_bytes().split(b"\0"):
                    return int(path.name)
            except OSError:
                continue
        return None

    def _check_file_system(self, image: str) -> None:
        """The image's file system is clean once its journal has been replayed."""
        [[sha256]] = self.query("SELECT sha256 FROM image WHERE id = %s", image)
        raw, part = self.directory / "raw", self.directory / "part"
        source = str(store(self.cloud.layout).place(sha256))
        subprocess.run(["qemu-img", "check", "-q", source], check=True)
        subprocess.run(["qemu-img", "convert", "-O", "raw", source, raw], check=True)
        table = subprocess.run(["sfdisk", "-J", raw], check=True, capture_output=True)
        [one] = json.loads(table.stdout)["partitiontable"]["partitions"]
        with raw.open("rb") as disk, part.open("wb") as file:
            disk.seek(one["start"] * 512)
            for _ in range(-(-one["size"] // 2048)):
                file.write(disk.read(1024 * 1024))
        journal = subprocess.run(
            ["e2fsck", "-E", "journal_only", "-y", part], capture_output=True, text=True
        )
        self.assertIn(journal.returncode, (0, 1), journal.stdout + journal.stderr)
        clean = subprocess.run(
            ["e2fsck", "-f", "-n", part], capture_output=True, text=True
        )
        self.assertEqual(0, clean.returncode, clean.stdout + clean.stderr)

    async def nothing_left(self, image: str) -> None:
        """After the image's end there is nothing of it in the store or on the nodes."""
        [[sha256]] = self.query("SELECT sha256 FROM image WHERE id = %s", image)
        place = store(self.cloud.layout).place(sha256)
        self.assertTrue(place.exists())
        reply = await self.user.call("DELETE", f"{_IMAGES}/{image}")
        self.assertEqual(204, reply.code, reply.json)

        async def removed() -> bool:
            return not place.exists() and await self._worker() is None

        await eventually(removed, "its data is removed", 150, 1)
        self.assertEqual([], [*place.parents[1].glob("incoming/*")])
        open_ones = self.query(
            "SELECT id FROM orders WHERE kind = 'image' AND ended IS NULL"
        )
        self.assertEqual([], open_ones)
