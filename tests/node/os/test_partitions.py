"""Partition tables on disks larger than their image, as sfdisk reads them."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.node.os.case import (
    GUEST,
    MIB,
    PROGRAM,
    OsTestCase,
    packed,
    run,
    tool,
)

_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_WINDOWS = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"

# A million spoiled tables are a matter of the seed; a thousand are the test.
_SPOILED = """
import io, random, struct, sys
sys.path.insert(0, sys.argv[1])
import partitions
table = open(sys.argv[2], "rb").read()
chance = random.Random(1)
for _ in range(1000):
    spoiled = bytearray(table)
    for _ in range(chance.randrange(1, 20)):
        at = chance.choice((446, 512, 1024)) + chance.randrange(92)
        spoiled[at] = chance.randrange(256)
    if chance.random() < 0.7:  # with a right checksum, so that the rest counts
        import zlib
        each = spoiled[512:604]
        struct.pack_into("<I", each, 88, zlib.crc32(spoiled[1024:17408]))
        each[16:20] = bytes(4)
        struct.pack_into("<I", each, 16, zlib.crc32(each))
        spoiled[512:604] = each
    disk = io.BytesIO(bytes(spoiled))
    partitions.grow(disk, len(table))
    assert len(disk.getvalue()) == len(table), "it has become larger"
print("done")
"""


class PartitionTests(OsTestCase):
    """What the guest finds."""

    def setUp(self) -> None:
        super().setUp()
        self.sfdisk = tool("sfdisk")

    def table(self, path: Path) -> dict[str, Any]:
        """Return the table as sfdisk has it; whatever it complains of is wrong."""
        done = subprocess.run(
            [self.sfdisk, "--json", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        self.assertEqual("", done.stderr)
        return json.loads(done.stdout)["partitiontable"]

    def partitioned(self, text: str, mib: int = 8) -> Path:
        """Return an image with a partition table."""
        path = self.home / "partitioned.raw"
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            file.truncate(mib * MIB)
        run(self.sfdisk, "-q", str(path), text=text)
        return path

    def written(self, text: str, **more: str) -> list[dict[str, Any]]:
        """Return the partitions on the disk, after an image with such a table."""
        image = self.partitioned(text)
        self.create(**self.share(image, "raw"), **more)
        return self.table(self.system)["partitions"]

    def test_gpt(self) -> None:
        """The second table is at the end, and the last partition reaches it."""
        image = self.partitioned("label: gpt\nsize=2M, type=U\nsize=4M, type=L\n")
        before = self.table(image)
        self.create(**self.share(image, "raw"))
        after = self.table(self.system)
        self.assertEqual(32 * MIB // 512 - 34, after["lastlba"])
        boot, root = after["partitions"]
        old_boot, old_root = before["partitions"]
        self.assertEqual(
            (old_boot["start"], old_boot["size"]), (boot["start"], boot["size"])
        )
        self.assertEqual(old_root["start"], root["start"])
        self.assertEqual(31 * MIB, (root["start"] + root["size"]) * 512)
        for name in ("uuid", "type"):
            self.assertEqual(old_root[name], root[name])
        self.assertEqual(before["id"], after["id"])
        self.assertIn("partition 2 grown", self.told()[-2]["messages"][0])

    def test_first_is_last(self) -> None:
        """The root partition is the last on the disk, whatever its number."""
        parts = self.written(
            "label: gpt\n"
            f"3 : start=2048, size=2048, type={_ESP}\n"
            f"1 : start=4096, size=4096, type={_LINUX}\n"
        )
        sizes = {part["node"][-1]: part["size"] for part in parts}
        self.assertEqual(2048, sizes["3"])
        self.assertEqual(31 * MIB // 512 - 4096, sizes["1"])

    def test_not_to_grow(self) -> None:
        """What is no Linux system, or not what the image calls its root, stays."""
        for kind in (_WINDOWS, _ESP, "S"):
            [part] = self.written(f"label: gpt\nsize=4M, type={kind}\n")
            self.assertEqual(4 * MIB // 512, part["size"], kind)
        guest = {**GUEST, "properties": {"ROOT_PARTITION": "1"}}
        two = "label: gpt\nsize=2M, type=L\nsize=2M, type=L\n"
        sizes = [part["size"] for part in self.written(two, guest=packed(guest))]
        self.assertEqual([4096, 4096], sizes)

    def test_mbr(self) -> None:
        """An MBR's last partition reaches the end, if it is Linux's."""
        boot, root = self.written("label: dos\nsize=2M, type=c\nsize=4M, type=83\n")
        self.assertEqual(2 * MIB // 512, boot["size"])
        self.assertEqual(32 * MIB, (root["start"] + root["size"]) * 512)
        first, last = self.written("label: dos\nsize=2M, type=83\nsize=4M, type=7\n")
        self.assertEqual((4096, 8192), (first["size"], last["size"]))

    def test_mbr_extended(self) -> None:
        """Partitions within another one stay as they are."""
        table = "label: dos\nsize=2M, type=83\ntype=5\nsize=2M, type=83\n"
        image = self.partitioned(table)
        self.create(**self.share(image, "raw"))
        self.assertEqual(
            [part["size"] for part in self.table(image)["partitions"]],
            [part["size"] for part in self.table(self.system)["partitions"]],
        )

    def test_without(self) -> None:
        """A file system without partitions is left to the guest."""
        image = self.home / "bare.raw"
        with image.open("wb") as file:
            file.truncate(8 * MIB)
        run(tool("mkfs.ext4"), "-q", "-F", str(image))
        self.create(**self.share(image, "raw"))
        self.assert_written(image)

    def test_damaged(self) -> None:
        """A table that is not whole is left as it is."""
        image = self.partitioned("label: gpt\nsize=2M, type=L\n")
        for at in (512 + 8, 512 + 40, 1024 + 5):
            content = bytearray(image.read_bytes())
            content[at] ^= 0xFF
            damaged = self.home / "damaged.raw"
            damaged.write_bytes(content)
            self.create(**self.share(damaged, "raw"))
            self.assert_written(damaged)

    def test_spoiled(self) -> None:
        """No table whatever makes it fail, or write beyond the disk."""
        image = self.partitioned("label: gpt\nsize=2M, type=L\nsize=1M\n", mib=4)
        command = ["/usr/bin/python3", "-I", "-S", "-c", _SPOILED, str(PROGRAM)]
        self.assertEqual("done\n", run(*command, str(image)))
