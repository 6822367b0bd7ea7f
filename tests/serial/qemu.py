"""Real QEMUs with the smallest of guests, as Ganeti starts them."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

PROGRAM = "qemu-system-x86_64"
HELLO = "hello of the guest\r\n"

# In 16 bits: wait until the UART has a byte, and send it back.
_ECHO = bytes.fromhex("bafd03 ec a801 74f8 baf803 ec ee ebf1")
# Send the letter x for ever.
_FLOOD = bytes.fromhex("baf803 b078 ee ebfd")


def boot_sector(program: bytes) -> bytes:
    """Return what says hello on the first serial port, and then runs a program."""
    said = b"".join(b"\xb0" + bytes([letter]) + b"\xee" for letter in HELLO.encode())
    code = bytes.fromhex("baf803") + said + program
    return code.ljust(510, b"\0") + b"\x55\xaa"


ECHO, FLOOD = boot_sector(_ECHO), boot_sector(_FLOOD)


@define(eq=False)
class Qemu:
    """A QEMU whose guest begins with ``go``."""

    directory: Path
    name: str
    program: bytes = ECHO
    _process: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    @property
    def socket(self) -> Path:
        """Where its serial line is."""
        return self.directory / f"{self.name}.serial"

    def start(self) -> None:
        """
        Start it.

        :raises SkipTest: There is no QEMU here.
        """
        if shutil.which(PROGRAM) is None:
            raise SkipTest(f"{PROGRAM} is not installed")
        disk = self.directory / f"{self.name}.disk"
        disk.write_bytes(self.program)
        monitor = self._monitor
        monitor.unlink(missing_ok=True)
        command = [PROGRAM, "-nodefaults", "-display", "none", "-m", "16"]
        command += ["-serial", f"unix:{self.socket},server,nowait"]
        command += ["-qmp", f"unix:{monitor},server,nowait"]
        command += ["-drive", f"file={disk},format=raw,if=ide"]
        self._process = subprocess.Popen(
            [*command, "-S"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    async def go(self) -> None:
        """Let the guest run."""
        await self._execute("cont")

    def go_now(self) -> None:
        """Let the guest run, where there is no reactor."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(20)
            monitor.connect(os.fspath(self._monitor))
            with monitor.makefile("rw") as talk:
                for name in ("qmp_capabilities", "cont"):
                    talk.write(json.dumps({"execute": name}) + "\n")
                    talk.flush()
                    while "return" not in json.loads(talk.readline()):
                        pass

    async def reset(self) -> None:
        """Have the guest boot again, in the same QEMU."""
        await self._execute("system_reset")

    def end(self, kill: bool = False) -> None:
        """End it, without its own doing if it is killed."""
        process, self._process = self._process, None
        if process is not None:
            process.kill() if kill else process.terminate()
            process.wait()

    @property
    def _monitor(self) -> Path:
        return self.directory / f"{self.name}.qmp"

    async def _execute(self, command: str) -> None:
        await until(self._monitor.exists)
        talk = Talk()
        endpoint = UNIXClientEndpoint(reactor, os.fspath(self._monitor))
        while not talk.connected:
            try:
                await connectProtocol(endpoint, talk)
            except Exception:
                await deferLater(reactor, 0.02)
        for number, name in enumerate(("qmp_capabilities", command)):
            asked = {"execute": name, "id": number}
            talk.transport.write(json.dumps(asked).encode() + b"\n")
            await talk.until(f'"id": {number}'.encode())
        talk.transport.loseConnection()


class Talk(Protocol):
    """Somebody on a connection, and what it has heard."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed: Deferred[None] = Deferred()
        self.transport: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)

    async def until(self, text: bytes) -> bytes:
        """Return all that was heard when a text is in it."""
        await until(lambda: text in self.heard)
        return self.heard


async def until(condition: Any) -> None:
    """Wait until something is so; the test's own timeout ends it."""
    while not condition():
        await deferLater(reactor, 0.01)
