"""A real QEMU whose screen is had by VNC; it has no disk, and needs no KVM."""

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from attrs import frozen
from twisted.trial.unittest import SkipTest

_PROGRAM = "qemu-system-x86_64"
_STARTS_WITHIN_S = 30


@frozen
class Qemu:
    """A running one.

    :ivar port: Of its VNC server.
    """

    process: "subprocess.Popen[bytes]"
    port: int
    monitor: Path

    def ask(self, command: str, **arguments: Any) -> Any:
        """Return what its monitor (QMP) answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.monitor))
            with connection.makefile("rwb") as talk:
                talk.readline()
                for name, given in (("qmp_capabilities", {}), (command, arguments)):
                    order = {"execute": name, "arguments": given}
                    talk.write(json.dumps(order).encode() + b"\n")
                    talk.flush()
                    while not {"return", "error"} & set(
                        answer := json.loads(talk.readline())
                    ):
                        pass  # an event
                if "error" in answer:
                    raise AssertionError(answer["error"])
                return answer["return"]

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def qemu(
    vnc: str = "", *options: str, address: str = "127.0.0.1", vga: str = "std"
) -> Iterator[Qemu]:
    """
    Run one.

    :param vnc: What its option ``-vnc`` has besides the address.
    :param vga: Its graphics card; its processor never runs.
    :raises SkipTest: There is no QEMU.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise SkipTest(f"{_PROGRAM} is not installed: apt-get install qemu-system-x86")
    with tempfile.TemporaryDirectory(prefix="snf-vnc-") as folder:
        monitor = Path(folder, "qmp")
        command = [
            *(program, "-nodefaults", "-display", "none", "-machine", "pc,accel=tcg"),
            *("-m", "32", "-vga", vga, "-qmp", f"unix:{monitor},server=on,wait=off"),
            *("-vnc", f"{_bracketed(address)}:0,to=400{vnc}", *options),
            "-S",
        ]
        log = Path(folder, "log")
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            _wait(process, monitor, log)
            running = Qemu(process, 0, monitor)
            told = running.ask("query-vnc")
            yield Qemu(process, int(told["service"]), monitor)
        finally:
            process.kill()
            process.wait()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _wait(process: "subprocess.Popen[bytes]", monitor: Path, log: Path) -> None:
    deadline = monotonic() + _STARTS_WITHIN_S
    while not _answers(monitor):
        if process.poll() is not None or monotonic() > deadline:
            raise AssertionError(f"QEMU does not start: {log.read_text()}")
        sleep(0.02)


def _answers(monitor: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(monitor)) == 0


def with_tls(folder: Path, key: str, certificate: str, authority: str) -> Sequence[str]:
    """Return options that give it a certificate, named ``tls0``; all in PEM."""
    for name, text in (
        ("ca-cert.pem", authority),
        ("server-cert.pem", certificate),
        ("server-key.pem", key),
    ):
        (folder / name).write_text(text)
    made = f"tls-creds-x509,id=tls0,dir={folder},endpoint=server,verify-peer=no"
    return ("-object", made)
