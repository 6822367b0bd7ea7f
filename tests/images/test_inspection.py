"""What data claims to be: images that ``qemu-img`` makes, and some that nobody should."""

import struct
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.core.errors import BadRequest
from snf.core.image import DISK_FORMATS
from snf.images.inspection import Inspection

MIB = 1024 * 1024
DISK = 64 * MIB

# What qemu-img calls the formats, and with which options it makes each.
MADE = (
    ("raw", "raw", ""),
    ("qcow2", "qcow2", ""),
    ("qcow2", "qcow2", "compat=0.10"),
    ("qcow2", "qcow2", "cluster_size=4096"),
    ("qcow2", "qcow2", "preallocation=metadata"),
    ("vmdk", "vmdk", "subformat=monolithicSparse"),
    ("vmdk", "vmdk", "subformat=streamOptimized"),
    ("vhd", "vpc", "subformat=dynamic,force_size=on"),
    ("vhd", "vpc", "subformat=fixed,force_size=on"),
    ("vhdx", "vhdx", ""),
    ("vhdx", "vhdx", "subformat=fixed"),
)


class InspectionTestCase(SynchronousTestCase):
    """A test with images."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.raw = self.directory / "disk.raw"
        content = bytes(range(256)) * 4096
        with self.raw.open("wb") as file:
            file.write(b"\xeb\x63" + content)
            file.seek(20 * MIB)
            file.write(content)
            file.truncate(DISK)

    def made(self, kind: str, options: str = "", *more: str) -> Path:
        """Return an image of a disk, in a format that qemu-img knows."""
        path = self.directory / f"{kind}{options}{len(more)}"
        with_options = ("-o", options) if options else ()
        self.qemu_img(
            *("convert", "-f", "raw", "-O", kind, *with_options, *more),
            *(str(self.raw), str(path)),
        )
        return path

    def qemu_img(self, *words: str) -> None:
        """Call ``qemu-img``."""
        done = subprocess.run(
            ["qemu-img", *words], capture_output=True, text=True, check=False
        )
        self.assertEqual(0, done.returncode, done.stderr)

    def inspect(
        self, claimed: str, data: Path, piece: int = 100_000, most: int = 2**40
    ) -> int:
        """Return the size of the disk in some data that comes in pieces."""
        inspection = Inspection(claimed, most, data)
        with data.open("rb") as file:
            while part := file.read(piece):
                inspection.take(part)
        return inspection.finish()

    def refused(self, claimed: str, data: Path | bytes, most: int = 2**40) -> str:
        """Return why some data is refused."""
        if isinstance(data, bytes):
            path = self.directory / "data"
            path.write_bytes(data)
            data = path
        with self.assertRaises(BadRequest) as caught:
            self.inspect(claimed, data, most=most)
        return str(caught.exception)


class GoodTests(InspectionTestCase):
    """What is as it should be."""

    def test_formats(self) -> None:
        """Each format is known, and the size of the disk in it, however it comes."""
        for claimed, kind, options in MADE:
            data = self.made(kind, options)
            for piece in (65_536, 1_000_003, 8 * MIB):
                found = self.inspect(claimed, data, piece)
                self.assertEqual(DISK, found, (kind, options, piece))

    def test_compressed(self) -> None:
        """A compressed qcow2 is whole, too."""
        self.assertEqual(DISK, self.inspect("qcow2", self.made("qcow2", "", "-c")))

    def test_iso(self) -> None:
        """Of an ISO, the size is that of the file."""
        data = self.iso(blocks=64)
        path = self.directory / "x.iso"
        path.write_bytes(data)
        self.assertEqual(len(data), self.inspect("iso", path))

    def iso(self, blocks: int) -> bytes:
        """Return what passes for an ISO 9660 of some blocks of 2 KiB."""
        volume = bytearray(2048)
        volume[:7] = b"\x01CD001\x01"
        volume[80:88] = struct.pack("<I", blocks) + struct.pack(">I", blocks)
        volume[128:132] = struct.pack("<H", 2048) + struct.pack(">H", 2048)
        return (bytes(32_768) + volume).ljust(64 * 2048, b"\0")

    def test_iso_cut(self) -> None:
        """An ISO that says that it is longer is refused."""
        self.assertIn("whole", self.refused("iso", self.iso(blocks=65)))

    def test_small(self) -> None:
        """Raw data may be as short as it likes, and text."""
        for data in (b"x", b"text\n" * 10, b"\0" * 512, b"#!/bin/sh\n" * 100_000):
            path = self.directory / "small"
            path.write_bytes(data)
            self.assertEqual(len(data), self.inspect("raw", path))


class WrongFormatTests(InspectionTestCase):
    """What is said to be something else."""

    def test_every_pair(self) -> None:
        """No format passes for another."""
        for _, (real, kind, options) in enumerate(MADE):
            if real == "vhd" and "fixed" in options:
                continue  # a disk, with something after its end
            data = self.made(kind, options)
            for claimed in DISK_FORMATS:
                if claimed != real:
                    self.refused(claimed, data)

    def test_named(self) -> None:
        """The refusal says what it is."""
        data = self.made("qcow2")
        for claimed in ("raw", "vmdk", "vhdx", "iso", "vhd"):
            self.assertIn("qcow2", self.refused(claimed, data), claimed)

    def test_nothing(self) -> None:
        """No data is an image of any format."""
        for claimed in DISK_FORMATS:
            self.assertIn("empty", self.refused(claimed, b""))

    def test_both(self) -> None:
        """What is two things at once is refused, whichever it is said to be."""
        data = bytearray(self.made("qcow2").read_bytes())
        volume = GoodTests("iso").iso(64)[32_768:34_816]
        data[32_768:34_816] = volume
        for claimed in ("raw", "qcow2", "iso"):
            self.refused(claimed, bytes(data))


class MaliciousTests(InspectionTestCase):
    """What must not be written onto a disk, or even opened."""

    def test_backing_file(self) -> None:
        """Another file under an image is none of ours."""
        data = self.directory / "backed"
        self.qemu_img(
            *("create", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw"),
            *(str(data), "1M"),
        )
        self.assertIn("backing file", self.refused("qcow2", data))
        data = self.directory / "backed.vmdk"
        base = self.made("vmdk")
        self.qemu_img("create", "-f", "vmdk", "-b", str(base), "-F", "vmdk", str(data))
        self.assertIn("difference", self.refused("vmdk", data))

    def test_data_file(self) -> None:
        """Nor is one that has the data."""
        data = self.directory / "outside"
        self.qemu_img(
            *("create", "-f", "qcow2", "-o"),
            *(f"data_file={self.directory}/elsewhere", str(data), "1M"),
        )
        self.assertIn("data_file", self.refused("qcow2", data))

    def test_flat_vmdk(self) -> None:
        """A VMDK that only names another file is refused, raw or not."""
        text = (
            b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
            b'createType="monolithicFlat"\nRW 2048 FLAT "/etc/shadow" 0\n'
        )
        for data in (text, text.ljust(2 * MIB, b"\0")):
            for claimed in ("vmdk", "raw"):
                self.refused(claimed, data)

    def test_encrypted(self) -> None:
        """What is encrypted cannot be booted."""
        data = bytearray(self.made("qcow2").read_bytes())
        data[32:36] = struct.pack(">I", 2)
        self.assertIn("encrypted", self.refused("qcow2", bytes(data)))

    def test_unknown_features(self) -> None:
        """What needs something that nobody knows yet is refused."""
        data = bytearray(self.made("qcow2").read_bytes())
        data[72] = 0x80
        self.assertIn("features", self.refused("qcow2", bytes(data)))

    def test_absurd(self) -> None:
        """A disk larger than is allowed is refused from what comes first."""
        for claimed, kind, options in MADE:
            if claimed == "raw":
                continue
            data = self.made(kind, options)
            why = self.refused(claimed, data, most=DISK - 1)
            self.assertIn(f"{DISK} bytes", why, (kind, options))
        head = bytearray(self.made("qcow2").read_bytes()[:65_536])
        head[24:32] = struct.pack(">Q", 2**63)
        inspection = Inspection("qcow2", 2**41, self.directory / "none")
        self.assertRaises(BadRequest, inspection.take, bytes(head))

    def test_differences(self) -> None:
        """What is only the difference to another disk is refused."""
        data = bytearray(
            self.made("vpc", "subformat=dynamic,force_size=on").read_bytes()
        )
        for at in (60, len(data) - 512 + 60):
            data[at : at + 4] = struct.pack(">I", 4)
        self.assertIn("difference", self.refused("vhd", bytes(data)))
        whole = self.made("vhdx").read_bytes()
        item = bytes.fromhex("37 67 a1 ca 36 fa 43 4d b3 b6 33 f0 aa 44 e7 6b")
        parent = bytes.fromhex("2d 5f d3 a8 0b b3 4d 45 ab f7 d3 d8 48 34 ab 0c")
        self.assertIn(item, whole)
        self.assertIn("difference", self.refused("vhdx", whole.replace(item, parent)))

    def test_cut(self) -> None:
        """What has been cut off is refused, wherever."""
        for claimed, kind, options in MADE:
            if claimed == "raw":
                continue
            whole = self.made(kind, options).read_bytes()
            for length in (1, 511, 600, 70_000, len(whole) // 2):
                with self.subTest(kind=kind, options=options, length=length):
                    self.refused(claimed, whole[:length])

    def test_wild_tables(self) -> None:
        """Tables that lead nowhere take neither time nor room."""
        good = self.made("qcow2").read_bytes()
        for at, value in (
            (20, struct.pack(">I", 63)),
            (20, struct.pack(">I", 0)),
            (36, struct.pack(">I", 2**32 - 1)),
            (36, struct.pack(">I", 0)),
            (40, struct.pack(">Q", 2**62)),
            (48, struct.pack(">Q", 2**62)),
            (56, struct.pack(">I", 2**32 - 1)),
        ):
            data = bytearray(good)
            data[at : at + len(value)] = value
            self.assertIn("whole", self.refused("qcow2", bytes(data)), at)
