"""The small guest."""

import shutil
import subprocess
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.guest import archive, load_order


class InitTests(SynchronousTestCase):
    """``guest/init``, and what else is a script in the guest."""

    def test_syntax(self):
        """A POSIX shell parses them."""
        shell = ["busybox", "sh"] if shutil.which("busybox") else ["sh"]
        for name in ("init", "lease", "boot", "reader"):
            script = files("snf.allinone").joinpath(f"guest/{name}")
            subprocess.run([*shell, "-n", str(script)], check=True)

    def test_says(self):
        """It prints what the tests of whole servers wait for."""
        text = files("snf.allinone").joinpath("guest/init").read_text()
        for word in (
            "USERLAND-UP",
            "NIC ",
            "ADVERTISED ",
            "ADDRESSES ",
            "HOSTNAME ",
            "READY uptime=",
        ):
            self.assertIn(f'say "{word}', text)


def unpacked(packed: bytes):
    """Yield the names and contents of a cpio archive ("newc")."""
    position = 0
    while True:
        header = packed[position : position + 110]
        assert header.startswith(b"070701"), header
        size, length = int(header[54:62], 16), int(header[94:102], 16)
        name = packed[position + 110 : position + 110 + length - 1].decode()
        if name == "TRAILER!!!":
            return
        start = position + 110 + length
        start += -start % 4
        yield name, packed[start : start + size]
        position = start + size
        position += -position % 4


class ArchiveTests(SynchronousTestCase):
    """``archive``, the kernel's cpio format."""

    def test_unpacked(self):
        """Read as the format's description says, it is what was put in."""
        packed = archive({"init": b"#!x\n", "bin/busybox": b"\0\1\2"})
        entries = dict(unpacked(packed))
        self.assertEqual(b"#!x\n", entries["init"])
        self.assertEqual(b"\0\1\2", entries["bin/busybox"])
        self.assertIn("proc", entries)

    def test_padding(self):
        """Each entry begins at a multiple of four bytes; the end is marked."""
        packed = archive({"a": b"x", "abc": b"xyz12"})
        position = packed.index(b"070701", 1)
        self.assertEqual(0, position % 4)
        self.assertEqual(0, len(packed) % 4)
        self.assertIn(b"TRAILER!!!\0", packed)


class LoadOrderTests(SynchronousTestCase):
    """``load_order``, for the guest's kernel modules."""

    NEEDS = {"net": ["ring", "failover"], "ring": ["core"], "core": [], "failover": []}

    def test_needed_first(self):
        """Each module comes after all that it needs, and once."""
        order = load_order(self.NEEDS.get, ["net", "ring"])
        self.assertEqual(["core", "ring", "failover", "net"], order)

    def test_built_in(self):
        """What the kernel has built in is not loaded."""
        self.assertEqual(["core"], load_order(self.NEEDS.get, ["vfs", "core"]))
