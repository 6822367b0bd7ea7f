"""Ganeti's job queue, with real files and the kernel's real notices of them."""

import os
import time
from pathlib import Path

import orjson
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.eventd.mark import MarkFile
from snf.eventd.master import Master
from snf.eventd.queue import JobQueue, Source
from snf.testing.jobs import QueueDirectory, op
from snf.testing.log import said

REBOOT = "OP_INSTANCE_REBOOT"


class Told:
    """Takes what is published; confirms at once, or holds until ``confirm``."""

    def __init__(self, hold: bool = False) -> None:
        self.hold = hold
        self.messages: list[dict] = []
        self._held: list[Deferred[None]] = []

    def publish(self, key: str, body: bytes) -> "Deferred[None]":
        self.messages.append(orjson.loads(body))
        confirmed: Deferred[None] = Deferred()
        self._held.append(confirmed)
        if not self.hold:
            self.confirm()
        return confirmed

    def confirm(self) -> None:
        held, self._held = self._held, []
        for confirmed in held:
            confirmed.callback(None)

    def drop(self) -> None:
        for confirmed in self._held:
            confirmed.errback(CancelledError())

    def brief(self) -> list[tuple[int, str]]:
        return [(one["jobId"], one["status"]) for one in self.messages]


class QueueTestCase(TestCase):
    """A queue directory, on a node that is the master."""

    timeout = 60

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.base.mkdir()
        self.directory = QueueDirectory(self.base / "queue")
        self.mark = MarkFile(self.base / "mark")
        self.master_is("node1.test")
        self.told = Told()

    def master_is(self, node: str) -> None:
        new = self.base / "new"
        new.write_text(node)
        new.replace(self.base / "ssconf_master_node")

    def start(self, told: Told | None = None) -> JobQueue:
        source = Source(
            self.directory.path, self.mark, Master(self.base, "node1.test"), "snf"
        )
        queue = JobQueue(reactor, source, (told or self.told).publish)
        queue.startService()
        self.addCleanup(lambda: queue.stopService() if queue.running else None)
        return queue

    def write(self, job: int, status: str = "queued") -> Path:
        return self.directory.write(job, op("snf-1", REBOOT, status))

    async def until(self, *expected: tuple[int, str]) -> None:
        """Wait until all of these, and nothing else, were told."""
        while not set(expected) <= set(self.told.brief()):
            await deferLater(reactor, 0.01)
        self.assertEqual(set(expected), set(self.told.brief()))


class ChangeTests(QueueTestCase):
    """Changes while eventd runs."""

    async def test_each_change(self) -> None:
        """A job is told as it is queued, runs and ends."""
        self.start()
        for status in ("queued", "running", "success"):
            self.write(7, status)
            await deferLater(reactor, 0.05)
        await self.until((7, "queued"), (7, "running"), (7, "success"))
        self.assertEqual(3, len(self.told.messages))

    async def test_superseded(self) -> None:
        """Of changes that came faster than they could be read the newest is told."""
        self.start()
        await deferLater(reactor, 0.05)
        for status in ("queued", "waiting", "running", "success"):
            self.write(7, status)
        await self.until((7, "success"))

    async def test_every_op(self) -> None:
        """Every op of a job is told."""
        self.start()
        self.directory.write(
            7, op("snf-1", REBOOT, "success"), op("snf-2", REBOOT, "queued")
        )
        await self.until((7, "success"), (7, "queued"))

    async def test_archived_before_it_was_read(self) -> None:
        """A job that is archived at once is found in the archive."""
        self.start()
        await deferLater(reactor, 0.05)
        self.write(12345, "success")
        self.directory.archive(12345)
        await self.until((12345, "success"))

    async def test_gone_before_it_was_read(self) -> None:
        """A job whose file is nowhere is passed over."""
        self.start()
        await deferLater(reactor, 0.05)
        os.unlink(self.write(6))
        self.write(7)
        await self.until((7, "queued"))

    async def test_other_names(self) -> None:
        """Ganeti's temporary files are not jobs."""
        self.start()
        await deferLater(reactor, 0.05)
        for name in ("job-6-77-1.tmp", "job-6abc.new", "serial", "job-"):
            (self.base / "x").write_bytes(b"{}")
            (self.base / "x").replace(self.directory.path / name)
        self.write(7)
        await self.until((7, "queued"))

    async def test_half_a_file(self) -> None:
        """A file that cannot be read is read again, and told when it is whole."""
        lines = said(self)
        self.start()
        await deferLater(reactor, 0.05)
        self.directory.write_bytes(7, b'{"ops": [')
        self.write(8)
        await self.until((8, "queued"))
        await deferLater(reactor, 0.5)
        whole = self.base / "whole"
        os.rename(self.write(9), whole)
        # Not by rename, so that only reading again can find it.
        (self.directory.path / "job-7").write_bytes(whole.read_bytes())
        await self.until((7, "queued"), (8, "queued"))
        self.assertEqual(1, len([line for line in lines if "job 7" in line]))

    async def test_never_whole(self) -> None:
        """A file that stays unreadable is skipped, and does not hold up the mark."""
        lines = said(self)
        self.start()
        await deferLater(reactor, 0.05)
        self.directory.write_bytes(7, b'{"ops": [')
        while not any("job 7 is skipped" in line for line in lines):
            await deferLater(reactor, 0.05)
        skipped = time.time()
        self.write(8)
        while (self.mark.read() or 0) < skipped:
            await deferLater(reactor, 0.1)
        self.assertEqual([(8, "queued")], self.told.brief())

    async def test_more_than_the_kernel_keeps(self) -> None:
        """When the kernel drops changes, what was changed is found all the same."""
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        self.start()
        await deferLater(reactor, 0.05)
        here, there = self.directory.path / "other-1", self.directory.path / "other-2"
        here.write_bytes(b"")
        for _ in range(limit // 2 + 100):
            here.rename(there)
            there.rename(here)
        self.write(7)
        await self.until((7, "queued"))

    async def test_directory_replaced(self) -> None:
        """When the directory is replaced, the new one is watched."""
        self.start()
        await deferLater(reactor, 0.05)
        self.directory.path.rename(self.base / "old")
        await deferLater(reactor, 0.05)
        self.directory = QueueDirectory(self.base / "queue")
        self.write(7)
        await self.until((7, "queued"))
        self.write(8)
        await self.until((7, "queued"), (8, "queued"))


class MarkTests(QueueTestCase):
    """What is told again, and what is not."""

    async def test_changed_while_away(self) -> None:
        """What changed since the mark is told at the start, archived or not."""
        self.mark.write(time.time())
        self.write(7, "success")
        self.write(8, "success")
        self.directory.archive(8)
        old = self.write(9, "success")
        os.utime(old, (time.time() - 3600,) * 2)
        self.start()
        await self.until((7, "success"), (8, "success"))
        self.write(10)
        await self.until((7, "success"), (8, "success"), (10, "queued"))

    async def test_no_mark(self) -> None:
        """Without a mark the last day is told."""
        self.write(7, "success")
        old = self.write(8, "success")
        os.utime(old, (time.time() - 2 * 86_400,) * 2)
        self.start()
        await self.until((7, "success"))

    async def test_mark_of_tomorrow(self) -> None:
        """A mark that lies ahead, after the clock was wrong, counts as none."""
        self.mark.write(time.time() + 86_400)
        self.write(7, "success")
        self.start()
        await self.until((7, "success"))

    async def test_unconfirmed(self) -> None:
        """The mark stays before what is not confirmed; the next start tells it again."""
        first = Told(hold=True)
        queue = self.start(first)
        await deferLater(reactor, 0.05)
        begun = time.time()
        self.write(7)
        while not first.messages:
            await deferLater(reactor, 0.01)
        await deferLater(reactor, 1.5)
        self.assertLess(self.mark.read() or 0, begun + 0.5)
        first.drop()
        await queue.stopService()
        self.start()
        await self.until((7, "queued"))

    async def test_confirmed(self) -> None:
        """The mark comes up when all is confirmed."""
        told = Told(hold=True)
        self.start(told)
        await deferLater(reactor, 0.05)
        begun = time.time()
        self.write(7)
        while not told.messages:
            await deferLater(reactor, 0.01)
        told.confirm()
        while (self.mark.read() or 0) < begun:
            await deferLater(reactor, 0.1)


class MasterTests(QueueTestCase):
    """Failover."""

    async def test_not_the_master(self) -> None:
        """Only the master tells; who becomes master tells what happened before."""
        self.master_is("node2.test")
        self.start()
        self.write(7)
        await deferLater(reactor, 0.3)
        self.assertEqual([], self.told.messages)
        self.master_is("node1.test")
        await self.until((7, "queued"))

    async def test_master_no_more(self) -> None:
        """Who is not the master any more falls silent at once."""
        self.start()
        self.write(7)
        await self.until((7, "queued"))
        self.master_is("node2.test")
        self.write(8)
        await deferLater(reactor, 0.3)
        await self.until((7, "queued"))

    async def test_standby_mark(self) -> None:
        """Who is not the master keeps a mark of a day ago, to take over from."""
        self.master_is("node2.test")
        self.mark.write(1.0)
        self.start()
        while (self.mark.read() or 0) < time.time() - 90_000:
            await deferLater(reactor, 0.1)
        self.assertLess(self.mark.read() or 0, time.time() - 80_000)
