"""A plain QEMU with the small guest's disk, without Ganeti: what it says, and SSH to it."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread

from attrs import define, field

from snf.allinone.guest import QEMU, Guest
from snf.allinone.layout import Layout
from snf.allinone.process import clean_environment

_SSH = (
    *("ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20", "-F", "none"),
)
_built: list[Path] = []


def built_disk() -> Path:
    """Return the disk: that of the cloud under test, or one that is built here, once."""
    if not _built:
        state = os.environ.get("CYCLADES_TEST_STATE")
        guest = Guest(Layout(Path(state or tempfile.mkdtemp(dir=Path.cwd()))))
        guest.layout.create()
        guest.build()
        _built.append(guest.disk)
    return _built[0]


def new_disk(directory: Path, size: str = "1G", of: Path | None = None) -> Path:
    """Return a disk of a size that has the small guest's, or another one, written to it."""
    fresh = directory / f"disk-{len(list(directory.iterdir()))}.qcow2"
    base = ["-F", "qcow2", "-b", str(of or built_disk())]
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *base, str(fresh), size]
    subprocess.run(command, check=True)
    return fresh


@define
class Machine:
    """One that runs, emulated, with the user's network of QEMU."""

    directory: Path
    port: int
    process: "subprocess.Popen[bytes]"
    _serial: socket.socket = field(init=False)
    _said: bytes = field(init=False, default=b"")

    @classmethod
    def start(
        cls, directory: Path, *disks: Path, network: str = "", wired: bool = True
    ) -> "Machine":
        """
        Start one.

        :param directory: For its socket.
        :param network: More of QEMU's option ``-netdev user``.
        :param wired: Whether it has a NIC at all.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [QEMU, "-nodefaults", "-no-user-config", "-display", "none"]
        command += ["-machine", "pc,accel=tcg", "-m", "256"]
        command += ["-chardev", "socket,id=s,path=s,server=on,wait=off"]
        command += ["-serial", "chardev:s", "-monitor", "stdio"]
        for disk in disks:
            kind = "qcow2" if disk.suffix == ".qcow2" else "raw"
            command += ["-drive", f"file={disk},format={kind},if=virtio"]
        if wired:
            forward = f"ipv6-net=fd00::/64,hostfwd=tcp:127.0.0.1:{port}-:22{network}"
            command += ["-netdev", f"user,id=n,{forward}"]
            command += ["-device", "virtio-net-pci,netdev=n,romfile="]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=clean_environment(),
            cwd=directory,  # its path is too long for a socket's name
            start_new_session=True,
        )
        machine = cls(directory, port, process)
        machine._connect()
        Thread(target=machine._listen, daemon=True).start()
        return machine

    def _connect(self) -> None:
        end = time.monotonic() + 20
        here = os.open(self.directory, os.O_PATH)
        try:
            while True:
                self._serial = socket.socket(socket.AF_UNIX)
                try:
                    self._serial.connect(f"/proc/self/fd/{here}/s")
                    return
                except OSError:
                    self._serial.close()
                    if time.monotonic() > end or self.process.poll() is not None:
                        raise
                    time.sleep(0.05)
        finally:
            os.close(here)

    def _listen(self) -> None:
        # All the time: a byte in a socket takes as much room as many.
        with suppress(OSError):
            while piece := self._serial.recv(4096):
                self._said += piece

    def until(self, text: str, timeout_s: float = 240) -> str:
        """Return what it says up to a line with a text, from where the last call ended."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            at = self._said.find(text.encode())
            line = self._said.find(b"\n", at) if at >= 0 else -1
            if line >= 0:
                said, self._said = self._said[: line + 1], self._said[line + 1 :]
                return said.decode("utf-8", "replace")
            time.sleep(0.05)
        raise AssertionError(f"no {text} in {self._said[-2000:]!r}")

    def type(self, text: str) -> None:
        """Type on its serial port."""
        self._serial.sendall(text.encode())

    def monitor(self, command: str) -> None:
        """Have QEMU do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()

    def ssh(
        self, command: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Return how a command ended that the real client ran in it."""
        where = ["-p", str(self.port), "root@127.0.0.1", command]
        return subprocess.run(
            [*_SSH, *options, *where],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**clean_environment(), **(environment or {})},
            start_new_session=True,
        )

    def stop(self) -> None:
        """End it as a power cut would, if it has not ended."""
        self.process.kill()
        self.process.wait()
        with suppress(OSError):
            self._serial.shutdown(socket.SHUT_RDWR)
        self._serial.close()

    def ended(self, timeout_s: float = 60) -> int:
        """Return its exit code when it has powered off by itself."""
        return self.process.wait(timeout_s)
