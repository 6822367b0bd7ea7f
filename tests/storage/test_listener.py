"""The connection that is told of new orders."""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.storage.database import connect
from snf.storage.listener import Listener
from snf.storage.orders import LOCK_CLASS
from snf.testing.postgres import fresh_dsn

_HOLDER = """
import sys, time, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.cursor().execute("SELECT pg_advisory_lock(%s, 7)", (int(sys.argv[2]),))
print("held", flush=True)
time.sleep(600)
"""


class ListenerTests(TestCase):
    """``Listener``."""

    timeout = 60

    def setUp(self) -> None:
        self.dsn = fresh_dsn(self)
        self.wakings = 0
        self.connection = connect(self.dsn, None)
        self.connection.autocommit = True
        self.addCleanup(self.connection.close)

    def ask(self, query: str, *arguments: Any) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return cursor.fetchall() if cursor.description else []

    def locks(self) -> list[int]:
        """Return whose locks are held."""
        rows = self.ask(
            "SELECT objid::int FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE locktype = 'advisory' AND classid = %s AND granted"
            " AND d.datname = current_database()",
            LOCK_CLASS,
        )
        return [claimant for (claimant,) in rows]

    def listener(self, dsn: str | None = None) -> Listener:
        def wake() -> None:
            self.wakings += 1

        listener = Listener(reactor, dsn or self.dsn, None, 7, wake)
        self.addCleanup(lambda: listener.stopService() if listener.running else None)
        return listener

    async def until(self, happened: Callable[[], Any]) -> None:
        for _ in range(1000):
            if happened():
                return
            await deferLater(reactor, 0.02)
        raise AssertionError("it has not happened")

    async def connected(self) -> Listener:
        listener = self.listener()
        listener.startService()
        await self.until(lambda: listener.alive)
        return listener

    async def test_connected(self) -> None:
        """When it has connected it holds its lock, and wakes: orders may be waiting."""
        await self.connected()
        self.assertEqual([7], self.locks())
        self.assertEqual(1, self.wakings)

    async def test_told(self) -> None:
        """It wakes when it is told that there are orders, each time."""
        await self.connected()
        for wakings in (2, 3):
            self.ask("NOTIFY orders")
            await self.until(lambda expected=wakings: self.wakings == expected)

    async def test_other_news(self) -> None:
        """What is told to others does not wake it."""
        await self.connected()
        self.ask("NOTIFY something")
        self.ask("NOTIFY orders")
        await self.until(lambda: self.wakings > 1)
        self.assertEqual(2, self.wakings)

    async def test_cut(self) -> None:
        """When its connection is cut it is not alive; it connects again, and wakes."""
        listener = await self.connected()
        for wakings in (2, 3):
            self.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await self.until(lambda expected=wakings: self.wakings == expected)
            self.assertTrue(listener.alive)
            self.assertEqual([7], self.locks())
        self.ask("NOTIFY orders")
        await self.until(lambda: self.wakings == 4)

    async def test_stop(self) -> None:
        """When it has stopped its lock is free, and nothing wakes any more."""
        listener = await self.connected()
        await self.stopped(listener)
        self.assertFalse(listener.alive)
        await self.until(lambda: self.locks() == [])
        self.ask("NOTIFY orders")
        await deferLater(reactor, 0.1)
        self.assertEqual(1, self.wakings)

    async def stopped(self, listener: Listener) -> None:
        pending = listener.stopService()
        if pending is not None:
            await pending

    async def test_stop_while_connecting(self) -> None:
        """A connection that is being made when it stops is closed."""
        listener = self.listener()
        listener.startService()
        await self.stopped(listener)
        self.assertEqual((False, 0), (listener.alive, self.wakings))
        await self.until(lambda: self.locks() == [])

    async def test_again(self) -> None:
        """It can be started again, also before it has stopped altogether."""
        listener = self.listener()
        listener.startService()
        stopping = listener.stopService()
        listener.startService()
        await stopping
        await self.until(lambda: listener.alive)
        await self.stopped(listener)
        listener.startService()
        await self.until(lambda: listener.alive)

    async def test_database_away(self) -> None:
        """While nothing listens it tries again; it can be stopped at once."""
        listener = self.listener("host=127.0.0.1 port=1 dbname=x")
        listener.startService()
        await deferLater(reactor, 0.5)
        self.assertFalse(listener.alive)
        await self.stopped(listener)
        self.assertEqual(0, self.wakings)

    async def test_lock_taken(self) -> None:
        """It is not alive while its former self's connection lingers on."""
        other = connect(self.dsn, None)
        self.addCleanup(other.close)
        other.cursor().execute("SELECT pg_advisory_lock(%s, 7)", (LOCK_CLASS,))
        listener = self.listener()
        listener.startService()
        await deferLater(reactor, 0.3)
        self.assertFalse(listener.alive)
        other.close()
        await self.until(lambda: listener.alive)

    async def test_killed(self) -> None:
        """The lock of a process that is killed outright is let go of."""
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, self.dsn, str(LOCK_CLASS)],
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        self.addCleanup(holder.stdout.close)
        self.assertEqual(b"held\n", holder.stdout.readline())
        self.assertEqual([7], self.locks())
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        await self.until(lambda: self.locks() == [])
