"""Images of all formats onto the disk, and those that are refused."""

import os
import struct
from pathlib import Path

from tests.node.os.case import IMAGE, MIB, OsTestCase, require_root, run


class FormatTests(OsTestCase):
    """An image is on the disk as its maker had it, and nothing else is."""

    def test_raw(self) -> None:
        """A plain image; holes stay holes."""
        image = self.raw()
        self.create(**self.share(image, "raw"))
        self.assert_written(image)
        self.assertLess(os.stat(self.system).st_blocks * 512, 4 * MIB)

    def test_iso(self) -> None:
        """A CD's image."""
        image = self.raw()
        self.create(**self.share(image, "iso"))
        self.assert_written(image)

    def test_qcow2(self) -> None:
        """Of both versions, and compressed."""
        image = self.raw()
        for options in (("-o", "compat=0.10"), ("-o", "compat=1.1", "-S4k"), ("-c",)):
            self.create(**self.share(self.converted(image, "qcow2", *options), "qcow2"))
            self.assert_written(image)

    def test_vmdk(self) -> None:
        """Of both kinds that are one file."""
        image = self.raw()
        for kind in ("monolithicSparse", "streamOptimized"):
            file = self.converted(image, "vmdk", "-o", f"subformat={kind}")
            self.create(**self.share(file, "vmdk"))
            self.assert_written(image)
            file.unlink()

    def test_vhd(self) -> None:
        """Of both kinds."""
        image = self.raw()
        for kind in ("dynamic", "fixed"):
            options = f"subformat={kind},force_size=on"
            file = self.converted(image, "vpc", "-o", options)
            self.create(**self.share(file, "vhd"))
            self.assert_written(image)
            file.unlink()

    def test_vhdx(self) -> None:
        """Hyper-V's newer one."""
        image = self.raw()
        self.create(**self.share(self.converted(image, "vhdx"), "vhdx"))
        self.assert_written(image)

    def test_as_large_as_the_disk(self) -> None:
        """An image may fill the disk."""
        image = self.raw(mib=32)
        self.create(**self.share(image, "raw"))
        self.assert_written(image)

    def test_block_device(self) -> None:
        """A disk that is a block device gets it as well."""
        require_root()
        image = self.raw()
        parameters = self.share(image, "raw")
        device = run("losetup", "--find", "--show", str(self.system)).strip()
        self.addCleanup(run, "losetup", "-d", device)
        environment = self.environment(**parameters) | {"DISK_0_PATH": device}
        self.assertEqual((0, "", ""), self.script("create", environment).end())
        wanted, found = image.read_bytes(), Path(device).read_bytes()
        self.assertTrue(found[: len(wanted)] == wanted)
        # What is between is left to Ganeti.
        for at in (len(wanted), 31 * MIB):
            self.assertFalse(found[at : at + MIB].strip(b"\0"))

    def test_no_image(self) -> None:
        """Without an image the disk stays as it is."""
        before = self.system.read_bytes()
        self.create(hostname="web")
        self.assertEqual(before, self.system.read_bytes())
        self.assertEqual([], self.told())

    def test_progress(self) -> None:
        """Percent are told, rising to 100, and what is being done."""
        self.create(**self.share(self.raw(), "raw"))
        told = self.told()
        percents = [one["rprogress"] for one in told if "rprogress" in one]
        self.assertEqual(sorted(set(percents)), percents)
        self.assertEqual(100, percents[-1])
        words = [one["messages"][0] for one in told if one["type"] == "image-info"]
        self.assertEqual(f"writing image {IMAGE} onto the disk", words[0])
        self.assertTrue(words[-1].startswith(f"image {IMAGE} is written"), words)
        self.assertEqual({"snf-42"}, {one["instance"] for one in told})

    def test_no_spool(self) -> None:
        """Where nobody listens for progress the instance is made all the same."""
        self.spool.rmdir()
        image = self.raw()
        environment = self.environment(**self.share(image, "raw"))
        self.assertEqual((0, "", ""), self.script("create", environment).end())
        self.spool.mkdir()
        self.assert_written(image)

    def test_full_spool(self) -> None:
        """Where eventd takes nothing the spool does not grow for ever."""
        for number in range(2000):
            (self.spool / f"{number}-1.json").touch()
        image = self.raw()
        environment = self.environment(**self.share(image, "raw"))
        self.assertEqual((0, "", ""), self.script("create", environment).end())
        self.assert_written(image)
        self.assertEqual(2000, len(os.listdir(self.spool)))

    def test_full_disk(self) -> None:
        """A file system that has no room for the disk is said to have none."""
        require_root()
        place = self.home / "full"
        place.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place))
        self.addCleanup(run, "umount", str(place))
        self.system = self.disk("full/system", 32 * MIB)
        image = self.home / "dense.raw"
        image.write_bytes(os.urandom(8 * MIB))
        line = self.refused(**self.share(image, "raw"))
        self.assertIn("the image cannot be written", line)
        self.assertIn("No space left on device", line)


class HostileTests(OsTestCase):
    """Whoever uploads an image gets nothing of the node by it."""

    def setUp(self) -> None:
        super().setUp()
        self.before = self.system.read_bytes()

    def assert_refused(self, image: Path, form: str, *words: str) -> str:
        """Nothing of it is written, and the cloud is told why."""
        line = self.refused(**self.share(image, form))
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(self.before, self.system.read_bytes())
        error = self.told()[-1]
        self.assertEqual("image-error", error["type"])
        self.assertEqual([line.removeprefix("snf-os: ")], error["messages"])
        return line

    def qcow2(self, *arguments: str) -> Path:
        path = self.home / "hostile.qcow2"
        run(
            "qemu-img",
            "create",
            "-f",
            "qcow2",
            *arguments[:-1],
            str(path),
            *arguments[-1:],
        )
        return path

    def test_backing_file(self) -> None:
        """A qcow2 upon a file of the node."""
        image = self.qcow2("-F", "raw", "-b", "/etc/shadow", "8M")
        self.assert_refused(image, "qcow2", "it has a backing file")

    def test_data_file(self) -> None:
        """A qcow2 whose data are in a file of the node."""
        data = self.home / "data"
        image = self.qcow2("-o", f"data_file={data},data_file_raw=on", "8M")
        content = image.read_bytes().replace(str(data).encode(), b"/etc/shadow")
        image.write_bytes(content)
        self.assert_refused(image, "qcow2", "it has an external data file")

    def test_encrypted(self) -> None:
        """A qcow2 with its own encryption."""
        image = self.qcow2("8M")
        with image.open("r+b") as file:
            file.seek(32)
            file.write(struct.pack(">I", 1))
        self.assert_refused(image, "qcow2", "it is encrypted")

    def test_vmdk_of_other_files(self) -> None:
        """A vmdk that names others' files, in every place for that."""
        text = (
            "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
            'createType="{kind}"\nRW 16384 {extent}\n'
        )
        flat = text.format(kind="monolithicFlat", extent='FLAT "/etc/shadow" 0')
        image = self.home / "hostile.vmdk"
        image.write_text(flat)
        self.assert_refused(image, "vmdk", "not one whole file")
        whole = self.converted(self.raw(), "vmdk")
        for description in (
            flat,
            text.format(kind="monolithicSparse", extent='FLAT "/etc/shadow" 0'),
            text.format(kind="monolithicSparse", extent='SPARSE "x.vmdk"')
            + 'RW 8 FLAT "/etc/shadow" 0\n',
            text.format(kind="monolithicSparse", extent='SPARSE "x.vmdk"')
            + 'parentFileNameHint="/etc/shadow"\n',
        ):
            content = bytearray(whole.read_bytes())
            at, sectors = struct.unpack_from("<QQ", content, 28)
            length = sectors * 512
            content[at * 512 : at * 512 + length] = description.encode().ljust(
                length, b"\0"
            )
            image.write_bytes(content)
            self.assert_refused(image, "vmdk", "the image is refused: it ")
        # Without a capacity the description counts, whatever the rest is.
        content = bytearray(whole.read_bytes())
        content[12:20] = bytes(8)
        image.write_bytes(content)
        self.assert_refused(image, "vmdk", "it has no description of its own")

    def test_vhd_of_differences(self) -> None:
        """A vhd that is what differs from another file."""
        image = self.converted(self.raw(), "vpc")
        content = bytearray(image.read_bytes())
        for at in (0, len(content) - 512):
            struct.pack_into(">I", content, at + 60, 4)
        image.write_bytes(content)
        self.assert_refused(image, "vhd", "it has a backing file")

    def test_too_large(self) -> None:
        """A disk larger than the server's, also an absurdly large one."""
        for size in ("33M", "8E"):
            image = self.home / f"{size}.qcow2"
            run("qemu-img", "create", "-q", "-f", "qcow2", str(image), "33M")
            if size == "8E":
                with image.open("r+b") as file:
                    file.seek(24)
                    file.write(struct.pack(">Q", 2**63 - 512))
            self.assert_refused(image, "qcow2")
        self.assert_refused(self.raw(mib=33), "raw", f"{33 * MIB}", f"{32 * MIB}")

    def test_truncated(self) -> None:
        """An image that has lost its end says so, whatever the format."""
        for form, driver, *options in (
            ("qcow2", "qcow2"),
            ("qcow2", "qcow2", "-c"),
            ("vmdk", "vmdk"),
            ("vmdk", "vmdk", "-o", "subformat=streamOptimized"),
            ("vhd", "vpc"),
            ("vhdx", "vhdx"),
        ):
            image = self.converted(self.raw(), driver, *options)
            whole = image.read_bytes()
            image.write_bytes(whole[: len(whole) * 2 // 3])
            self.assert_refused(image, form, "the image ")
            image.unlink()

    def test_another_format(self) -> None:
        """An image is never taken for another format than was said."""
        image = self.raw()
        for form in ("qcow2", "vmdk", "vhd", "vhdx"):
            self.assert_refused(image, form, "the image is refused", form)
        # What is said to be raw is raw, whatever it looks like.
        backed = self.qcow2("-F", "raw", "-b", "/etc/shadow", "8M")
        self.create(**self.share(backed, "raw"))
        self.assertTrue(self.system.read_bytes().startswith(backed.read_bytes()))

    def test_garbage(self) -> None:
        """Bytes with the right beginning and nothing right behind it."""
        beginnings = {
            "qcow2": b"QFI\xfb\0\0\0\3" + bytes(24) + b"\0\0\0\0",
            "vmdk": b"KDMV\1\0\0\0",
            "vhd": b"conectix",
            "vhdx": b"vhdxfile",
        }
        for form, beginning in beginnings.items():
            image = self.home / f"garbage.{form}"
            image.write_bytes(beginning + os.urandom(4096))
            self.assert_refused(image, form, "the image ")

    def test_another_hash(self) -> None:
        """A file in the directory that is not what its name says."""
        image = self.raw()
        parameters = self.share(image, "raw")
        sha256 = parameters["image_sha256"]
        shared = self.shared / sha256[:2] / sha256
        with shared.open("r+b") as file:
            file.write(b"X")
        line = self.refused(**parameters)
        self.assertIn("has another SHA-256", line)
        shared.write_bytes(image.read_bytes()[:-1])
        self.assertIn(f"has {8 * MIB - 1} bytes", self.refused(**parameters))
        self.assertEqual(self.before, self.system.read_bytes())

    def test_changed_later(self) -> None:
        """A file that was right once is looked at again when it has changed."""
        image = self.raw()
        parameters = self.share(image, "raw")
        self.create(**parameters)
        sha256 = parameters["image_sha256"]
        with (self.shared / sha256[:2] / sha256).open("r+b") as file:
            file.write(b"X")
        self.assertIn("has another SHA-256", self.refused(**parameters))

    def test_hungry(self) -> None:
        """qemu-img gets no more memory than it may; that it wants more is a refusal."""
        self.settings["convert"] = {"memory_bytes": 10 * MIB}
        image = self.converted(self.raw(), "qcow2")
        self.assert_refused(image, "qcow2", "the image cannot be read")
