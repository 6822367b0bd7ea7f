"""Two connections that are joined, over loopback."""

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.console.peer import StreamPeer
from snf.console.relay import Relay
from tests.console.ends import End, joined


class RelayTestCase(TestCase):
    """A viewer and a screen, joined."""

    timeout = 60

    async def join(self) -> tuple[End, Relay, End]:
        """Return the viewer's end, the relay, and the screen's end."""
        viewer, near = await joined(self)
        screen, far = await joined(self)
        relay = Relay(viewer, screen)
        relay.start()
        return near, relay, far


class CarryTests(RelayTestCase):
    """Bytes get through."""

    async def test_both_ways(self) -> None:
        """What either says comes to the other, in order, whole and unchanged."""
        near, relay, far = await self.join()
        up, down = os.urandom(300_000), os.urandom(3_000_000)
        near.send(up)
        far.send(down)
        self.assertEqual(down, await near.read(len(down)))
        self.assertEqual(up, await far.read(len(up)))
        self.assertEqual((len(up), len(down)), relay.carried)

    async def test_early(self) -> None:
        """What came before the relay began, and what was read too much, come first."""
        viewer, near = await joined(self)
        screen, far = await joined(self)
        far.send(b" before")
        await deferLater(reactor, 0.05)
        screen.put_back(b"rest")
        relay = Relay(viewer, screen)
        relay.start()
        self.assertEqual(b"rest before", await near.read(11))
        relay.close("enough")

    async def test_paste(self) -> None:
        """16 MiB pasted by a viewer arrive, though the screen takes them slowly."""
        near, _, far = await self.join()
        far.transport.pauseProducing()
        near.send(bytes(16 * 2**20))
        await deferLater(reactor, 0.2)
        far.transport.resumeProducing()
        self.assertEqual(16 * 2**20, len(await far.read(16 * 2**20)))


class BackpressureTests(RelayTestCase):
    """Somebody does not read."""

    async def test_bounded(self) -> None:
        """Of what a viewer never reads, no more is kept than is read at once."""
        near, relay, far = await self.join()
        near.transport.pauseProducing()
        far.send(bytes(50 * 2**20))
        await _settled(far)
        self.assertLess(_kept(relay.viewer), 256 * 1024)
        # Most of it has not even left the screen.
        self.assertGreater(_kept_by(far.transport), 30 * 2**20)
        # The other direction is not held up by that.
        near.send(b"key")
        self.assertEqual(b"key", await far.read(3))
        near.transport.resumeProducing()
        self.assertEqual(50 * 2**20, len(await near.read(50 * 2**20)))


class EndTests(RelayTestCase):
    """Somebody leaves."""

    async def test_screen_gone(self) -> None:
        """The screen's last words still come; then both are closed."""
        near, relay, far = await self.join()
        far.send(b"x" * 1_000_000)
        far.transport.loseConnection()
        await near.gone()
        self.assertEqual(1_000_000, len(near.got))
        self.assertEqual("the screen closed the connection", await relay.ended)

    async def test_viewer_gone(self) -> None:
        """A viewer that breaks off ends it, in the midst of a stream."""
        near, relay, far = await self.join()
        far.send(bytes(20 * 2**20))
        await near.read(1000)
        near.transport.abortConnection()
        self.assertRegex(await relay.ended, "the viewer (lost|closed) the connection")
        await far.gone()

    async def test_never_reads(self) -> None:
        """A viewer that never reads is cut off some seconds after the screen has gone."""
        near, relay, far = await self.join()
        near.transport.pauseProducing()
        far.send(bytes(20 * 2**20))
        await _settled(far)
        clock = _Clock()
        relay.viewer.clock = clock  # type: ignore[attr-defined]
        far.transport.abortConnection()
        # It is noticed when the screen would be read again.
        relay.close("the server was deleted")
        self.assertEqual("the server was deleted", await relay.ended)
        clock.call()
        near.transport.resumeProducing()
        await near.gone()
        self.assertLess(len(near.got), 20 * 2**20)

    async def test_both_gone(self) -> None:
        """When both leave at the same moment, in the midst of a stream, it just ends."""
        for _ in range(20):
            near, relay, far = await self.join()
            far.send(bytes(300_000))
            near.send(bytes(300_000))
            await near.read(1000)
            far.transport.abortConnection()
            near.transport.abortConnection()
            await relay.ended
            # Whoever still has them may do as before.
            for peer in (relay.viewer, relay.screen):
                peer.abort()
                await deferLater(reactor, 0.01)
                self.assertTrue(peer.send(b"nobody"))
                peer.pause()
                peer.resume()
                peer.close("again")

    async def test_closed(self) -> None:
        """Whoever has it can close it, twice even."""
        near, relay, far = await self.join()
        relay.close("the server was deleted")
        relay.close("again")
        self.assertEqual("the server was deleted", await relay.ended)
        await near.gone()
        await far.gone()


class _Clock:
    """Keeps the one call that is to be made later."""

    def callLater(self, delay: float, function: Any, *args: Any) -> "_Clock":
        self.call = lambda: function(*args)
        return self

    def active(self) -> bool:
        return False


def _kept(peer: Any) -> int:
    assert isinstance(peer, StreamPeer)
    return _kept_by(peer.transport) + len(peer._early)


def _kept_by(transport: Any) -> int:
    buffered: int = len(transport.dataBuffer) - transport.offset
    return buffered + transport._tempDataLen


async def _settled(end: End) -> Deferred[None] | None:
    """Wait until an end can send no more."""
    before = -1
    while (left := _kept_by(end.transport)) != before:
        before = left
        await deferLater(reactor, 0.2)
    return None
