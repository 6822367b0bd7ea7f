"""The small guest's own disk: boots by BIOS, and keeps what is written to it.

An MBR with GRUB in the gap before its one partition, an ext4 file system with the kernel,
an initial RAM disk that finds it, busybox, an SSH server (dropbear) and ``guest/reader``.
It is made of files alone: nothing is mounted, and no loop device is needed.
"""

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from snf.allinone.failure import Failure
from snf.allinone.process import run

PACKAGES = ("busybox", "dropbear-bin", "jq", "e2fsprogs")
"""What is in it, with all that these need."""
BUILDERS = ("grub-common", "grub-pc-bin", "libdevmapper1.02.1")
"""What makes it boot; installed they would change how this machine does."""
MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
"""What its initial RAM disk loads."""

_SECTOR = 512
_START = 2048  # the partition's first sector: where partitioning programs put it
_SIZE_MIB = 40
_LARGEST_BLOCKS = 2**28
"""To how many blocks it can grow while it is in use: to 1 TiB."""
_LINUX = 0x83
_PROGRAMS = ("busybox", "jq", "dropbear", "dropbearkey", "resize2fs")
_LIBRARIES = "lib/x86_64-linux-gnu"
# Which GRUB's modules find the partition and read it; no menu, no shell.
_GRUB = ("biosdisk", "part_msdos", "ext2", "linux")
_BOOT = """\
linux /boot/vmlinuz console=tty0 console=ttyS0,38400 quiet
initrd /boot/initrd.gz
boot
"""
# Few features: each is one that GRUB has to know and the kernel to have loaded.
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,"
    "sparse_super,large_file,huge_file,dir_nlink,extra_isize"
)
_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "group": "root:x:0:\ntty:x:5:\n",
    # No password that anybody could give.
    "shadow": "root:*:19000:0:99999:7:::\n",
    "shells": "/bin/sh\n",
    "hostname": "guest\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
_FOLDERS = (
    *(
        "boot",
        "dev",
        "proc",
        "sys",
        "tmp",
        "run",
        "mnt",
        "mod",
        "home",
        "usr",
        "var/log",
    ),
    *("bin", _LIBRARIES, "lib64", "etc"),
)
_PRIVATE = ("root", "var/lib/reader", "etc/dropbear")
_LINKS = {"sbin": "bin", "usr/bin": "../bin", "usr/sbin": "../bin", "usr/lib": "../lib"}


@frozen
class Content:
    """
    What a disk is made of.

    :ivar unpacked: The directory with the files of PACKAGES and BUILDERS.
    :ivar kernel: The kernel's file.
    :ivar ramdisk: The initial RAM disk.
    :ivar files: All others, by their paths; executable.
    """

    unpacked: Path
    kernel: Path
    ramdisk: bytes
    files: Mapping[str, bytes]


def make(content: Content, target: Path, log: Path) -> None:
    """
    Make the disk as a compressed qcow2 file, whole or not at all.

    :raises Failure: A program that is needed for it fails.
    """
    work = content.unpacked
    tree, raw, fresh = work / "tree", work / "disk.raw", work / "disk.qcow2"
    _fill(tree, content, log)
    sectors = _SIZE_MIB * 2**20 // _SECTOR
    begin = beginning(_boot_sector(work), _core(work, log), sectors - _START)
    with raw.open("wb") as file:
        file.write(begin)
        file.truncate(sectors * _SECTOR)
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", _FEATURES, "-b", "4096"]
    command += ["-J", "size=4", "-m", "0", "-L", "guest", "-d", str(tree)]
    command += ["-i", "16384", "-I", "256"]
    more = f"offset={_START * _SECTOR},root_owner=0:0,lazy_itable_init=0"
    command += ["-E", f"{more},resize={_LARGEST_BLOCKS}"]
    size_kib = (sectors - _START) * _SECTOR // 1024
    run([*command, str(raw), f"{size_kib}k"], log, "making the guest's file system")
    formats = ["-f", "raw", "-O", "qcow2", "-c"]
    command = ["qemu-img", "convert", *formats, str(raw), str(fresh)]
    run(command, log, "making the guest's disk")
    fresh.replace(target)


def beginning(boot: bytes, core: bytes, sectors: int) -> bytes:
    """
    Return what is on a disk before its one partition.

    :param boot: GRUB's boot.img; it loads what is in the next sector.
    :param core: GRUB's core.img, which knows how long it is.
    :param sectors: The size of the partition.
    :raises Failure: There is not so much room.
    """
    if len(boot) != _SECTOR or len(core) > (_START - 1) * _SECTOR:
        raise Failure(f"GRUB has {len(core)} bytes: more than fit before a partition")
    # Active, type, first sector, sectors; no program reads the old geometry any more.
    old = b"\xfe\xff\xff"
    entry = struct.pack("<B3sB3sII", 0x80, old, _LINUX, old, _START, sectors)
    table = entry + bytes(48)
    return (boot[:446] + table + b"\x55\xaa" + core).ljust(_START * _SECTOR, b"\0")


def _boot_sector(work: Path) -> bytes:
    return (work / "usr/lib/grub/i386-pc/boot.img").read_bytes()


def _core(work: Path, log: Path) -> bytes:
    script, core = work / "grub.cfg", work / "core.img"
    script.write_text(_BOOT)
    command = [*_loader(work), str(work / "usr/bin/grub-mkimage"), "-O", "i386-pc"]
    command += ["-d", str(work / "usr/lib/grub/i386-pc"), "-c", str(script)]
    command += ["-p", "(,msdos1)/boot", "-o", str(core), *_GRUB]
    run(command, log, "making the guest's boot loader")
    return core.read_bytes()


def _loader(work: Path) -> list[str]:
    """Return what runs a program with the libraries that were unpacked with it."""
    return [str(_interpreter(work)), "--library-path", ":".join(_places(work))]


def _interpreter(work: Path) -> Path:
    places = ("lib*", "usr/lib*")
    found = (
        path for name in places for path in work.glob(f"{name}/**/ld-linux-x86-64.so.2")
    )
    return next(path for path in found if not path.is_symlink())


def _places(work: Path) -> list[str]:
    # What is on every Debian system comes from this one.
    libraries = (_LIBRARIES, f"usr/{_LIBRARIES}")
    return [str(top / name) for top in (work, Path("/")) for name in libraries]


def _fill(tree: Path, content: Content, log: Path) -> None:
    for name in _FOLDERS:
        (tree / name).mkdir(parents=True, mode=0o755)
    for name in _PRIVATE:
        (tree / name).mkdir(parents=True, mode=0o700)
    for name, goal in _LINKS.items():
        (tree / name).symlink_to(goal)
    shutil.copyfile(content.kernel, tree / "boot/vmlinuz")
    (tree / "boot/initrd.gz").write_bytes(content.ramdisk)
    for name, text in _ACCOUNTS.items():
        (tree / "etc" / name).write_text(text)
    (tree / "etc/shadow").chmod(0o600)
    for name, data in content.files.items():
        (tree / name).write_bytes(data)
        (tree / name).chmod(0o755)
    _programs(tree, content, log)


def _programs(tree: Path, content: Content, log: Path) -> None:
    work = content.unpacked
    for name in _PROGRAMS:
        program = _program(work, name)
        shutil.copy(program, tree / "bin" / name)
        command = [*_loader(work), "--list", str(program)]
        for line in run(command, log, f"asking for {name}'s libraries").splitlines():
            wanted, _, path = line.strip().partition(" => ")
            if path and "/" not in wanted:
                copy = tree / _LIBRARIES / wanted
                shutil.copy(path.split(" (")[0], copy)
    shutil.copy(_interpreter(work), tree / "lib64")
    # The static one would look for names with libraries that it was not made with.
    command = [*_loader(work), str(_program(work, "busybox")), "--list"]
    for name in run(command, log, "asking busybox").split():
        if name != "busybox":
            (tree / "bin" / name).symlink_to("busybox")


def _program(work: Path, name: str) -> Path:
    places = ("usr/sbin", "usr/bin", "sbin", "bin")
    found = (work / place / name for place in places)
    try:
        return next(path for path in found if path.exists())
    except StopIteration:
        raise Failure(f"Debian's packages have no {name}") from None
