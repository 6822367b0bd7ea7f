"""A connection that is told of new orders, and shows that its process is alive."""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg2
from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from snf.storage.database import connect
from snf.storage.orders import LOCK_CLASS

_log = Logger()

_LONGEST_PAUSE_S = 30.0


@define(eq=False)
class Listener(Service):
    """Calls ``wake`` when orders have been added, and whenever it has (re)connected.

    While it is connected it holds the advisory lock ``claimant``.  PostgreSQL lets go
    of that as soon as the process has died, whatever it died of: the orders that it
    had claimed are then up for others.
    """

    reactor: Any
    dsn: str
    password: str | None = field(repr=False)
    claimant: int
    wake: Callable[[], None]
    alive: bool = field(init=False, default=False)
    _connection: Any = field(init=False, default=None)
    _socket: int = field(init=False, default=-1)
    _connecting: "Deferred[None] | None" = field(init=False, default=None)
    _pause: "Deferred[None] | None" = field(init=False, default=None)

    def startService(self) -> None:
        super().startService()
        self._begin()

    def stopService(self) -> "Deferred[None] | None":
        """Close the connection; one that is being made is waited for and closed."""
        super().stopService()
        self._drop()
        if self._pause is not None:
            self._pause.cancel()
        return self._connecting

    # twisted.internet.interfaces.IReadDescriptor

    def fileno(self) -> int:
        """Return the socket to watch.

        A duplicate of the connection's: libpq closes its own when it finds that the
        other end is gone, and the reactor cannot let go of what is closed.
        """
        return self._socket

    def logPrefix(self) -> str:
        """Return what the reactor calls this in its own messages."""
        return "listener"

    def doRead(self) -> None:
        """Take in what PostgreSQL has sent."""
        try:
            self._connection.poll()
        except psycopg2.Error as failure:
            self._lost(str(failure).splitlines()[0] if str(failure) else "closed")
            return
        if self._connection.notifies:
            self._connection.notifies.clear()
            self.wake()

    def connectionLost(self, reason: Any) -> None:
        """Connect again: the reactor has seen that the socket is closed."""
        self._lost("closed")

    def _lost(self, reason: str) -> None:
        self._drop()
        if self.running:
            _log.warn("database: listener lost its connection: {reason}", reason=reason)
            self._begin()

    def _drop(self) -> None:
        self.alive = False
        connection, self._connection = self._connection, None
        if connection is not None:
            self.reactor.removeReader(self)
            os.close(self._socket)
            self._socket = -1
            connection.close()

    def _begin(self) -> None:
        if self._connecting is None:
            connecting = self._connecting = Deferred.fromCoroutine(self._connect())
            connecting.addErrback(
                lambda failure: _log.failure("the listener failed", failure)
            )

    async def _connect(self) -> None:
        try:
            connection = await self._opened()
        finally:
            self._connecting = None
        if connection is None:
            return
        self._connection = connection
        self._socket = os.dup(connection.fileno())
        self.alive = True
        self.reactor.addReader(self)
        self.wake()

    async def _opened(self) -> Any:
        """Return a connection; None when the service has stopped before there is one."""
        pause = 0.2
        while self.running:
            try:
                connection = await deferToThreadPool(
                    self.reactor, self.reactor.getThreadPool(), self._open
                )
            except psycopg2.Error as failure:
                _log.warn(
                    "database: listener cannot connect: {reason}",
                    reason=(str(failure).splitlines() or ["closed"])[0],
                )
                await self._wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
                continue
            if self.running:
                return connection
            connection.close()
        return None

    async def _wait(self, seconds: float) -> None:
        if not self.running:
            return
        self._pause = deferLater(self.reactor, seconds)
        with suppress(CancelledError):
            await self._pause
        self._pause = None

    def _open(self) -> Any:
        connection = connect(self.dsn, self.password)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("LISTEN orders")
                cursor.execute(
                    "SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, self.claimant)
                )
        except BaseException:
            connection.close()
            raise
        return connection
