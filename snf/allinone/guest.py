"""The small guest: Debian's cloud kernel and an initial RAM disk with busybox.

It reaches userland in a second or so (three where the CPU is emulated) and reports on
its serial port; ``guest/init`` is all that runs in it.
"""

import gzip
import lzma
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from attrs import frozen

from snf.allinone.failure import Failure
from snf.allinone.layout import Layout
from snf.allinone.process import clean_environment, run

QEMU = "/usr/bin/qemu-system-x86_64"
_KERNEL_PACKAGE = "linux-image-cloud-amd64"
# Downloading as the unprivileged _apt would need a directory open to it.
_DOWNLOAD = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download")
_MODULES = (
    *("virtio_pci", "virtio_net", "virtio_blk", "af_packet", "button", "evdev"),
)
_SCRIPTS = ("init", "lease")
_ALIVE = b"USERLAND-UP"


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

    def build(self) -> bool:
        """
        Make both unless they are there; return whether that was needed.

        :raises Failure: Debian's kernel or busybox cannot be downloaded or unpacked.
        """
        scripts = files("snf.allinone").joinpath("guest")
        init, lease = (scripts.joinpath(name).read_bytes() for name in _SCRIPTS)
        made_from = self.directory / "init"
        if self.ramdisk.exists() and made_from.read_bytes() == init + lease:
            return False
        work = self.directory / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self._download(work)
        [kernel] = (work / "boot").glob("vmlinuz-*")
        modules = _modules(work, kernel.name.removeprefix("vmlinuz-"))
        busybox = next(
            path
            for path in (work / "bin/busybox", work / "usr/bin/busybox")
            if path.exists()
        )
        content = {
            "bin/busybox": busybox.read_bytes(),
            "bin/lease": lease,
            "init": init,
            "mod/order": "".join(f"{name}\n" for name in modules).encode(),
            **{f"mod/{name}": data for name, data in modules.items()},
        }
        shutil.copyfile(kernel, self.kernel)
        fresh = self.ramdisk.with_suffix(".new")
        fresh.write_bytes(gzip.compress(archive(content), compresslevel=1))
        fresh.replace(self.ramdisk)
        made_from.write_bytes(init + lease)
        shutil.rmtree(work)
        return True

    def _download(self, work: Path) -> None:
        log = self.layout.log
        depends = run(
            ["apt-cache", "depends", _KERNEL_PACKAGE], log, "looking for a guest kernel"
        )
        found = re.search(r"Depends: (linux-image-\S+)", depends)
        if found is None:
            raise Failure(f"apt knows no {_KERNEL_PACKAGE}: apt-get update", log)
        run(
            [*_DOWNLOAD, found[1], "busybox-static"],
            log,
            "downloading the guest's kernel",
            timeout_s=300,
            directory=work,
        )
        for package in sorted(work.glob("*.deb")):
            run(["dpkg-deb", "-x", str(package), str(work)], log, "unpacking")
            package.unlink()


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


def _modules(work: Path, version: str) -> dict[str, bytes]:
    """Return the modules that the guest loads, in that order, uncompressed."""
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

    return {f"{name}.ko": _module(paths[name]) for name in load_order(needs, _MODULES)}


def _module(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data
