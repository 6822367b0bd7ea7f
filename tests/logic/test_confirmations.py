"""Resizes that nobody has confirmed in time are confirmed."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from snf.core.server import Status
from snf.logic.confirmations import Confirmations, confirm
from snf.testing.world import SMALL
from tests.logic.test_resize import BIG, ResizeTestCase
from tests.logic.test_submitter import Faulty


class ConfirmationTests(ResizeTestCase):
    """Resizes that nobody has confirmed."""

    async def resized(self) -> int:
        """Return a server that waits for its owner's word."""
        self.dispatch()
        self.submit()
        server = await self.active()
        await self.resize(server)
        await self.rests(server)
        return server

    async def test_in_time(self) -> None:
        """It is confirmed when the window is over, not before; that is told."""
        server = await self.resized()
        self.start(Confirmations(self.clock, self.database, 3600))
        for _ in range(10):
            self.clock.advance(300)
            await deferLater(reactor, 0.03)
        self.assertIs(Status.VERIFY_RESIZE, await self.status(server))

        async def confirmed() -> bool:
            # A round each time: one that came while the database was busy, or that
            # passed over the server, is not to be waited for until the next minute.
            self.clock.advance(100)
            return await self.status(server) is Status.ACTIVE

        await self.until(confirmed)
        self.assertEqual(BIG.id, await self.flavor(server))
        self.assertEqual(
            [("confirmResize", None)],
            await self.rows("SELECT action, user_id FROM server_action"),
        )
        self.assertEqual(
            [("server confirmResize", None)],
            await self.rows("SELECT action, user_id FROM activity"),
        )

    async def test_never(self) -> None:
        """With a window of 0 it waits for ever."""
        server = await self.resized()
        self.start(Confirmations(self.clock, self.database, 0))
        self.clock.advance(10_000_000)
        await deferLater(reactor, 0.3)
        self.assertIs(Status.VERIFY_RESIZE, await self.status(server))

    async def test_two(self) -> None:
        """Several processes confirm each once."""
        self.dispatch()
        self.submit()
        servers = [await self.active() for _ in range(5)]
        for server in servers:
            await self.resize(server)
        await self.rests()
        later = self.clock.seconds() + 10
        counts = await gatherResults(
            [
                Deferred.fromCoroutine(self.database.run(confirm, later))
                for _ in range(4)
            ]
        )
        self.assertEqual(5, sum(counts))
        self.assertEqual([(5,)], await self.rows("SELECT count(*) FROM server_action"))

    async def test_reverting(self) -> None:
        """One that is being reverted is not confirmed."""
        server = await self.resized()
        await self.revert(server)
        self.assertEqual(0, await self.database.run(confirm, self.clock.seconds() + 10))
        await self.rests(server)
        self.assertEqual(SMALL.id, await self.flavor(server))

    async def test_database_away(self) -> None:
        """A failure is logged, and the next round comes."""
        server = await self.resized()
        faulty: Any = Faulty(self.database, "confirm")
        self.clock.advance(120)
        self.start(Confirmations(self.clock, faulty, 60))

        async def failed() -> bool:
            return not faulty.times

        await self.until(failed)
        self.assertIs(Status.VERIFY_RESIZE, await self.status(server))
        self.clock.advance(60)

        async def confirmed() -> bool:
            return await self.status(server) is Status.ACTIVE

        await self.until(confirmed)
        self.assertEqual([], self.flushLoggedErrors())
