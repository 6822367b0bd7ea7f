"""The hook's messages."""

import os
from pathlib import Path

import orjson
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.bus.messages import OpStatus, op_status
from snf.eventd.spool import Spool
from snf.testing.log import said


def message(server: str) -> bytes:
    nics = [{"mac": "aa:00:04:35:c4:01"}]
    return orjson.dumps({"type": "ganeti-net-status", "instance": server, "nics": nics})


class SpoolTests(TestCase):
    """``Spool``, on a real directory."""

    timeout = 30

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.published: list[tuple[str, bytes]] = []
        self.held: list[Deferred[None]] = []

    def publish(self, key: str, body: bytes) -> "Deferred[None]":
        self.published.append((key, body))
        confirmed: Deferred[None] = Deferred()
        self.held.append(confirmed)
        return confirmed

    def start(self) -> Spool:
        spool = Spool(reactor, self.directory, "snf", self.publish)
        spool.startService()
        self.addCleanup(lambda: spool.stopService() if spool.running else None)
        return spool

    def leave(self, name: str, body: bytes) -> None:
        new = self.directory / f".{name}.new"
        new.write_bytes(body)
        new.replace(self.directory / name)

    async def until(self, count: int) -> None:
        while len(self.published) < count:
            await deferLater(reactor, 0.01)

    def there(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    async def test_told_then_removed(self) -> None:
        """A message is published, and its file removed when that is confirmed."""
        self.start()
        self.leave("1-1.json", message("snf-1"))
        await self.until(1)
        self.assertEqual([("ganeti.snf.event.net", message("snf-1"))], self.published)
        self.assertEqual(["1-1.json"], self.there())
        self.held[0].callback(None)
        self.assertEqual([], self.there())

    async def test_of_the_os_definition(self) -> None:
        """How far a disk is, and what is said of it, goes to the queue for that."""
        self.start()
        bodies = [
            orjson.dumps({**told, "instance": "snf-1", "event_time": [7, 0]})
            for told in (
                {"type": "ganeti-create-progress", "rprogress": 40},
                {"type": "image-error", "messages": ["the image is refused"]},
            )
        ]
        for at, body in enumerate(bodies):
            self.leave(f"{at}-1.json", body)
        await self.until(2)
        self.assertEqual(
            [("ganeti.snf.event.progress", body) for body in bodies], self.published
        )

    async def test_jobs(self) -> None:
        """What jobs do is not believed from files: eventd reads it itself."""
        self.start()
        _, body = op_status(
            OpStatus(
                instance="snf-1",
                operation="OP_INSTANCE_CREATE",
                job=7,
                status="success",
                job_status="success",
                time=(7, 0),
                cluster="c.test",
            ),
            "snf",
        )
        self.leave("1-1.json", body)
        self.leave("2-1.json", message("snf-2"))
        await self.until(1)
        self.assertEqual(["1-1.json"], os.listdir(self.directory / "bad"))

    async def test_what_was_there(self) -> None:
        """What was left while eventd was away is told, in the order of the names."""
        for name in ("3-1.json", "1-9.json", "2-1.json"):
            self.leave(name, message(f"snf-{name[0]}"))
        self.start()
        await self.until(3)
        self.assertEqual(
            [message(f"snf-{number}") for number in (1, 2, 3)],
            [body for _, body in self.published],
        )

    async def test_not_confirmed(self) -> None:
        """What was not confirmed before eventd stopped is told at its next start."""
        self.leave("1-1.json", message("snf-1"))
        spool = self.start()
        await self.until(1)
        self.held[0].errback(CancelledError())
        await spool.stopService()
        self.start()
        await self.until(2)
        self.assertEqual(self.published[0], self.published[1])

    async def test_malformed(self) -> None:
        """A file that is no message is put aside, said so, and holds up nothing."""
        lines = said(self)
        self.start()
        self.leave("1-1.json", b"{")
        self.leave("2-1.json", orjson.dumps({"type": "ganeti-tea-status"}))
        self.leave("3-1.json", message("snf-3"))
        await self.until(1)
        self.assertEqual(
            ["1-1.json", "2-1.json"], sorted(os.listdir(self.directory / "bad"))
        )
        self.assertEqual(2, len([line for line in lines if "is put aside" in line]))

    async def test_not_ours(self) -> None:
        """What is said of other instances is removed."""
        self.start()
        self.leave("1-1.json", message("web.example.org"))
        while self.there():
            await deferLater(reactor, 0.01)
        self.assertEqual([], self.published)

    async def test_other_names(self) -> None:
        """Files that the hook is still writing are left alone."""
        (self.directory / ".1-1.json.new").write_bytes(b"{")
        self.start()
        self.leave("2-1.json", message("snf-2"))
        await self.until(1)
        self.assertEqual([".1-1.json.new", "2-1.json"], self.there())

    async def test_directory_made_later(self) -> None:
        """A spool directory that is made after the start is watched."""
        self.directory.rmdir()
        self.start()
        self.directory.mkdir()
        self.leave("1-1.json", message("snf-1"))
        await self.until(1)
