"""What nobody works with any more is removed in time, and nothing else."""

from twisted.internet.defer import Deferred

from snf.core.order import Kind
from snf.core.server import Status
from snf.logic.retention import Retention
from snf.storage import console_tokens, tokens
from snf.testing import world
from tests.logic.case import LogicTestCase


class RetentionTests(LogicTestCase):
    """A database that has been used for a while."""

    def keep(self, days: int) -> Retention:
        return self.start(Retention(self.clock, self.database, days))

    async def settles(self, query: str, count: int) -> None:
        """Wait until a query counts so many."""

        async def so_many() -> bool:
            return await self.rows(query) == [(count,)]

        await self.until(so_many, works=False)

    async def test_tokens(self) -> None:
        """Expired tokens are removed, more than a batch of them; others are not."""
        self.patch(tokens, "_BATCH", 3)
        await self.rows(
            "INSERT INTO token (digest, audit_id, user_id, methods, issued, expires)"
            " SELECT i::text::bytea, 'x', %s, '{}', now(),"
            " now() + CASE WHEN i > 7 THEN '1h' ELSE '-1h' END::interval"
            " FROM generate_series(1, 9) i",
            world.ALICE.id,
        )
        self.keep(90)
        await self.settles("SELECT count(*) FROM token", 2)

    async def test_consoles(self) -> None:
        """So are rights to open consoles."""
        self.patch(console_tokens, "_BATCH", 3)
        self.dispatch()
        self.submit()
        server = await self.active()
        await self.rows(
            "INSERT INTO console_token (id, digest, kind, server_id, project_id,"
            " user_id, expires) SELECT gen_random_uuid(), i::text::bytea, 'novnc', s.id,"
            " s.project_id, s.user_id,"
            " now() + CASE WHEN i > 7 THEN '1h' ELSE '-1h' END::interval"
            " FROM generate_series(1, 9) i, server s WHERE s.id = %s",
            server,
        )
        self.keep(90)
        await self.settles("SELECT count(*) FROM console_token", 2)

    async def test_servers(self) -> None:
        """A server is forgotten with its orders when it was deleted long ago."""
        self.dispatch()
        self.submit()
        kept, recent, old = [await self.active() for _ in range(3)]
        for server in (kept, recent, old):
            await self.ask(server, Kind.STOP)
        await self.rests()
        for server in (recent, old):
            await self.ask(server, Kind.DELETE)
        await self.rests()
        await self.rows(
            "INSERT INTO server_action (server_id, request_id, action, user_id,"
            " project_id, order_id) SELECT o.server_id, o.id::text, o.kind,"
            " s.user_id, s.project_id, o.id"
            " FROM orders o JOIN server s ON s.id = o.server_id"
        )
        for table, column in (
            ("server", "deleted"),
            ("orders", "ended"),
            ("server_action", "started"),
        ):
            key = "id" if table == "server" else "server_id"
            await self.rows(
                f"UPDATE {table} SET {column} = {column} - interval '3 days'"
                f" WHERE {key} IN (%s, %s)",
                kept,
                old,
            )
        self.keep(2)
        await self.settles("SELECT count(*) FROM server", 2)
        self.assertIs(Status.SHUTOFF, await self.status(kept))
        self.assertEqual([("create", "done")], await self.states(kept))
        self.assertEqual(3, len(await self.states(recent)))
        self.assertEqual([], await self.states(old))
        self.assertEqual(
            [(recent, 3)],
            await self.rows(
                "SELECT server_id, count(*) FROM server_action GROUP BY server_id"
            ),
        )

    async def test_activity(self) -> None:
        """Who did what is known for so many days."""
        await self.rows(
            "INSERT INTO activity (at, action) SELECT now() - make_interval(days => i, hours => 12),"
            " 'log in' FROM generate_series(0, 9) i"
        )
        self.keep(5)
        await self.settles("SELECT count(*) FROM activity", 5)

    async def test_stopped(self) -> None:
        """It stops when the batch under way has ended."""
        service = self.keep(5)
        stopped = service.stopService()
        self.assertIsInstance(stopped, Deferred)
        await stopped
