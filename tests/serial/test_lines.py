"""The serial lines of real QEMUs."""

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from snf.serial.lines import Lines, Places
from tests.serial.qemu import ECHO, FLOOD, HELLO, Qemu, Talk, until

NAME = "snf-7"
SAID = HELLO.encode()


class LinesTestCase(TestCase):
    """A node with its sockets and logs, and instances that it knows."""

    timeout = 60

    def setUp(self) -> None:
        # The path of a socket must be short.
        self.home = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home)
        (self.home / "ctrl").mkdir()
        self.known = self.home / "ssconf_instance_list"
        self.known.write_text(f"{NAME}\n")
        self.lines = self.node()

    def node(self, log_bytes: int = 1_048_576) -> Lines:
        """Return what runs on the node, not started."""
        places = Places(
            sockets=self.home / "ctrl",
            logs=self.home / "logs",
            log_bytes=log_bytes,
            instances=self.known,
            prefix="snf",
        )
        return Lines(reactor, places, deferToThread)

    def start(self, lines: Lines) -> Lines:
        lines.privilegedStartService()
        lines.startService()
        self.addCleanup(lambda: lines.stopService() if lines.running else None)
        return lines

    def qemu(self, program: bytes = ECHO, name: str = NAME) -> Qemu:
        qemu = Qemu(self.home / "ctrl", name, program)
        self.addCleanup(qemu.end)
        qemu.start()
        return qemu

    async def said(self, text: bytes, lines: Lines | None = None) -> bytes:
        """Return the log when a text is in it."""
        while True:
            found = await (lines or self.lines).tail(NAME, None)
            if found is not None and text in found:
                return found
            await deferToThread(lambda: None)

    async def console(self) -> Talk:
        """Connect as ``gnt-instance console`` does."""
        talk = Talk()
        path = os.fspath(self.home / "ctrl" / f"{NAME}.serial")
        await connectProtocol(UNIXClientEndpoint(reactor, path), talk)
        return talk

    async def listened(self, lines: Lines | None = None) -> None:
        """Return when the line is taken."""
        await until(lambda: (lines or self.lines).line(NAME) is not None)


class LogTests(LinesTestCase):
    """What is kept of what guests say."""

    async def test_from_the_beginning(self) -> None:
        """All that a guest says is kept, from its first letter, for root alone."""
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        await qemu.go()
        self.assertEqual(SAID, await self.said(SAID))
        kept = self.home / "logs" / f"{NAME}.log"
        self.assertEqual(0o600, stat.S_IMODE(kept.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(kept.parent.stat().st_mode))

    async def test_rebooted(self) -> None:
        """What was said before a reboot is there after it, whoever reboots."""
        self.start(self.lines)
        first = self.qemu()
        await self.listened()
        await first.go()
        await self.said(SAID)
        await first.reset()
        await self.said(SAID * 2)
        first.end()
        second = self.qemu()
        await until(lambda: self.lines.line(NAME) is None)
        await self.listened()
        await second.go()
        self.assertEqual(SAID * 3, await self.said(SAID * 3))

    async def test_stopped(self) -> None:
        """What a guest has said can be read when it has ended; its files are gone."""
        self.start(self.lines)
        for kill in (False, True):
            qemu = self.qemu()
            await self.listened()
            await qemu.go()
            await self.said(SAID)
            qemu.end(kill)
            await until(lambda: self.lines.line(NAME) is None)
            await until(lambda qemu=qemu: not qemu.socket.exists())
            self.assertFalse(qemu.socket.with_suffix(".line").exists())
            self.assertIn(SAID, await self.lines.tail(NAME, None))

    async def test_daemon_restarted(self) -> None:
        """A new daemon goes on with the log of a guest that it finds running."""
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        await qemu.go()
        await self.said(SAID)
        await self.lines.stopService()
        # Without a daemon QEMU's own socket is where it was.
        console = await self.console()
        console.transport.write(b"by hand")
        await console.until(b"by hand")
        console.transport.loseConnection()
        await console.closed
        other = self.start(self.node())
        await self.listened(other)
        other.line(NAME).type(b"again")
        self.assertEqual(SAID + b"again", await self.said(b"again", other))

    async def test_daemon_killed(self) -> None:
        """A daemon finds the line of a guest whose former daemon was killed."""
        qemu = self.qemu()
        await until(qemu.socket.exists)
        os.rename(qemu.socket, qemu.socket.with_suffix(".line"))
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.fspath(qemu.socket))
        self.start(self.lines)
        await self.listened()
        console = await self.console()
        await qemu.go()
        await console.until(SAID)
        self.assertEqual(SAID, await self.said(SAID))

    async def test_guest_ended_without_daemon(self) -> None:
        """What is left of a guest that ended while there was no daemon harms no other."""
        left = self.home / "ctrl" / f"{NAME}.line"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(left))
        qemu = self.qemu()
        self.start(self.lines)
        await self.listened()
        await qemu.go()
        self.assertEqual(SAID, await self.said(SAID))

    async def test_bounded(self) -> None:
        """A guest that never stops talking has its last words kept, and no more."""
        lines = self.start(self.node(log_bytes=65_536))
        qemu = self.qemu(FLOOD)
        await self.listened(lines)
        await qemu.go()
        logs = self.home / "logs"
        former = logs / f"{NAME}.log.1"
        for _ in range(3):
            seen = former.stat().st_ino if former.exists() else 0
            await until(
                lambda seen=seen: former.exists() and former.stat().st_ino != seen
            )
            self.assertLessEqual(sum(f.stat().st_size for f in logs.iterdir()), 65_536)
        found = await lines.tail(NAME, None)
        self.assertEqual({ord("x")}, set(found))
        self.assertGreaterEqual(len(found), 32_768 // 2)

    async def test_removed(self) -> None:
        """The log of an instance that is no more is removed, and no other."""
        logs = self.home / "logs"
        logs.mkdir()
        for name in (f"{NAME}.log", "snf-8.log", "snf-8.log.1", "other.log"):
            (logs / name).write_text("x")
        self.start(self.lines)
        await until(lambda: not (logs / "snf-8.log").exists())
        await until(lambda: not (logs / "snf-8.log.1").exists())
        self.assertEqual(
            {f"{NAME}.log", "other.log"}, {path.name for path in logs.iterdir()}
        )
        self.assertIsNone(await self.lines.tail("snf-8", None))

    async def test_no_list(self) -> None:
        """Where Ganeti's list cannot be read nothing is removed."""
        self.known.unlink()
        logs = self.home / "logs"
        logs.mkdir()
        (logs / "snf-8.log").write_text("x")
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        await qemu.go()
        await self.said(SAID)
        self.assertTrue((logs / "snf-8.log").exists())

    async def test_full_disk(self) -> None:
        """A log that cannot be written costs the log, and nothing else."""
        (self.home / "logs" / f"{NAME}.log").mkdir(parents=True)
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        console = await self.console()
        await qemu.go()
        await console.until(SAID)
        self.assertEqual(SAID, console.heard)

    async def test_others(self) -> None:
        """The lines of instances that are not ours are left alone."""
        self.start(self.lines)
        other = self.qemu(name="their-machine")
        ours = self.qemu()
        await self.listened()
        await ours.go()
        await self.said(SAID)
        self.assertIsNone(self.lines.line("their-machine"))
        self.assertFalse(other.socket.with_suffix(".line").exists())


class ConsoleTests(LinesTestCase):
    """``gnt-instance console``, where there is somebody at the line already."""

    async def test_types(self) -> None:
        """Who connects to the socket of the line types and hears, as with QEMU itself."""
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        console = await self.console()
        await qemu.go()
        await console.until(SAID)
        console.transport.write(b"typed")
        await console.until(b"typed")
        self.assertEqual(SAID + b"typed", await self.said(b"typed"))
        qemu.end()
        await console.closed

    async def test_root_alone(self) -> None:
        """The socket in QEMU's place lets root in, and nobody else."""
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        await until(lambda: qemu.socket.with_suffix(".line").exists())
        self.assertEqual(0o600, stat.S_IMODE(qemu.socket.stat().st_mode))

    async def test_second(self) -> None:
        """The next one at the node has the line, and the one before has to leave."""
        self.start(self.lines)
        qemu = self.qemu()
        await self.listened()
        first = await self.console()
        await until(lambda: self.lines.line(NAME).peer is not None)
        second = await self.console()
        await first.closed
        await qemu.go()
        await second.until(SAID)
        second.transport.loseConnection()
        await second.closed
        await until(lambda: self.lines.line(NAME).peer is None)

    async def test_slow(self) -> None:
        """One who does not read misses something; the log does not."""
        lines = self.start(self.node(log_bytes=65_536))
        qemu = self.qemu(FLOOD)
        await self.listened(lines)
        console = await self.console()
        console.transport.pauseProducing()
        await qemu.go()
        peer = lambda: lines.line(NAME).peer  # noqa: E731
        await until(lambda: peer() is not None and not peer()._room.there)
        former = self.home / "logs" / f"{NAME}.log.1"
        await until(former.exists)
        seen = former.stat().st_ino
        await until(lambda: former.stat().st_ino != seen)
        console.transport.abortConnection()
        waiting: Deferred[None] = console.closed
        await waiting
