"""The small guest: Debian's cloud kernel and busybox, made here of Debian's packages.

There are two of it.  One is a kernel and an initial RAM disk that a hypervisor is given,
reaches userland in a second or so (three where the CPU is emulated), and needs no disk.
The other is a disk of its own (``disk.py``), an image as users know them.  Both report
on their serial port; ``guest/init`` is what runs in them.
"""

import gzip
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from attrs import frozen

from snf.allinone import debian, disk
from snf.allinone.layout import Layout
from snf.allinone.process import clean_environment

QEMU = "/usr/bin/qemu-system-x86_64"
_KERNEL_PACKAGE = "linux-image-cloud-amd64"
_MODULES = (
    *("virtio_pci", "virtio_net", "virtio_blk", "af_packet", "button", "evdev"),
)
# Of the disk's own: what config drives are.
_DRIVES = ("vfat", "nls_cp437", "nls_ascii", "nls_utf8", "isofs")
_SCRIPTS = ("init", "lease", "boot", "reader", "networks.jq")
_ALIVE = b"USERLAND-UP"
_STATIC = "static"
_BUSYBOX = ("bin/busybox", "usr/bin/busybox")


@frozen
class Guest:
    """Where the guest's kernel and RAM disk are."""

    layout: Layout

    @property
    def directory(self) -> Path:
        """What holds them."""
        return self.layout / "guest"

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.directory / "vmlinuz"

    @property
    def ramdisk(self) -> Path:
        """The initial RAM disk."""
        return self.directory / "initrd.gz"

    @property
    def disk(self) -> Path:
        """The disk, as a qcow2 file."""
        return self.directory / "disk.qcow2"

    def build(self) -> bool:
        """
        Make all three unless they are there; return whether that was needed.

        :raises Failure: A Debian package cannot be downloaded or unpacked.
        """
        folder = files("snf.allinone").joinpath("guest")
        scripts = {name: folder.joinpath(name).read_bytes() for name in _SCRIPTS}
        made_from = self.directory / "made-from"
        version = _version(scripts.values())
        if self.disk.exists() and made_from.exists():
            if made_from.read_text() == version:
                return False
            made_from.unlink()
        work = self.directory / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self._unpack(work)
        self._build(work, scripts)
        made_from.write_text(version)
        shutil.rmtree(work)
        return True

    def _unpack(self, work: Path) -> None:
        log = self.layout.log
        wanted = [debian.real(_KERNEL_PACKAGE, log), *disk.BUILDERS]
        wanted += debian.needed(disk.PACKAGES, log)
        debian.unpack(wanted, work, log)
        # A package with files of the same names as one of those.
        apart = work / _STATIC
        apart.mkdir()
        debian.unpack(["busybox-static"], apart, log)

    def _build(self, work: Path, scripts: Mapping[str, bytes]) -> None:
        [kernel] = (work / "boot").glob("vmlinuz-*")
        release = kernel.name.removeprefix("vmlinuz-")
        busybox = next(
            path.read_bytes()
            for path in (work / _STATIC / name for name in _BUSYBOX)
            if path.exists()
        )
        shutil.copyfile(kernel, self.kernel)
        ramdisk = {
            "bin/busybox": busybox,
            "bin/lease": scripts["lease"],
            "init": scripts["init"],
            **_loaded(_modules(work, release, _MODULES)),
        }
        fresh = self.ramdisk.with_suffix(".new")
        fresh.write_bytes(_packed(ramdisk))
        fresh.replace(self.ramdisk)
        first = _modules(work, release, disk.MODULES)
        later = _modules(work, release, _MODULES + _DRIVES)
        begin = {"bin/busybox": busybox, "init": scripts["boot"], **_loaded(first)}
        content = {
            "init": scripts["init"],
            "bin/lease": scripts["lease"],
            "bin/reader": scripts["reader"],
            "lib/networks.jq": scripts["networks.jq"],
            **_loaded({name: later[name] for name in later if name not in first}),
        }
        whole = disk.Content(work, kernel, _packed(begin), content)
        disk.make(whole, self.disk, self.layout.log)


def _version(scripts: Iterable[bytes]) -> str:
    """Return what differs for guests that are made of other scripts, or otherwise."""
    sources = [Path(source).read_bytes() for source in (__file__, disk.__file__)]
    return hashlib.sha256(b"".join([*scripts, *sources])).hexdigest()


def _packed(content: Mapping[str, bytes]) -> bytes:
    return gzip.compress(archive(content), compresslevel=1, mtime=0)


def _loaded(modules: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of modules, and their order."""
    order = "".join(f"{name}\n" for name in modules).encode()
    return {
        "mod/order": order,
        **{f"mod/{name}": data for name, data in modules.items()},
    }


def hardware_serves(guest: Guest, timeout_s: float = 10) -> bool:
    """
    Return whether hardware KVM runs the guest.

    A ``/dev/kvm`` proves nothing: nested ones may refuse QEMU's set-up, or interpret
    the guest so slowly that it never comes up.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = [QEMU, "-enable-kvm", "-m", "128", "-nodefaults", "-no-user-config"]
    command += ["-display", "none", "-serial", "stdio", "-no-reboot"]
    command += ["-kernel", str(guest.kernel), "-initrd", str(guest.ramdisk)]
    command += ["-append", "console=ttyS0 quiet root=/dev/ram0"]
    serial = guest.layout / "log" / "kvm-probe.log"
    with serial.open("wb") as log:
        trial = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=clean_environment(),
            cwd="/",
            start_new_session=True,  # an interrupt of ours says nothing of KVM
        )
    try:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if _ALIVE in serial.read_bytes():
                return True
            if trial.poll() is not None:
                return False
            time.sleep(0.1)
        return False
    finally:
        trial.kill()
        trial.wait()


def archive(content: Mapping[str, bytes]) -> bytes:
    """
    Return files as a cpio archive ("newc"), all executable, in their directories.

    Kernel Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    folders = {"bin", "dev", "etc", "mod", "proc", "sys", "tmp"}
    entries = [_entry(name, 0o040755, b"") for name in sorted(folders)]
    entries += [_entry(name, 0o100755, data) for name, data in content.items()]
    return b"".join(entries) + _entry("TRAILER!!!", 0, b"")


def _entry(name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    numbers = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
    header = b"070701" + "".join(f"{number:08x}" for number in numbers).encode()
    return _padded(header + encoded) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def load_order(
    needs: Callable[[str], Sequence[str] | None], wanted: Sequence[str]
) -> list[str]:
    """
    Return the modules to load, each after those that it needs.

    ``needs`` answers what a module needs; None for one that is built into the kernel.
    """
    order: list[str] = []

    def add(name: str) -> None:
        others = needs(name)
        if others is None or name in order:
            return
        for other in others:
            add(other)
        order.append(name)

    for name in wanted:
        add(name)
    return order


def _modules(work: Path, version: str, wanted: Sequence[str]) -> dict[str, bytes]:
    """Return modules and what they need, in the order of loading, uncompressed."""
    paths = {
        path.name.split(".")[0].replace("-", "_"): path
        for base in ("lib", "usr/lib")
        for path in (work / base / "modules" / version).rglob("*.ko*")
    }

    def needs(name: str) -> list[str] | None:
        if name not in paths:
            return None
        # The package has no modules.dep, but each module says what it depends on.
        found = re.search(rb"\0depends=([^\0]*)\0", _module(paths[name]))
        return found[1].decode().replace("-", "_").split(",") if found else []

    return {f"{name}.ko": _module(paths[name]) for name in load_order(needs, wanted)}


def _module(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data
