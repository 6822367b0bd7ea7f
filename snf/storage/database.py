"""PostgreSQL behind threads: the one place of the suite that has any.

Everything that touches the database is a plain function ``f(txn, ...)`` handed to
:meth:`Database.run`.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar
from uuid import UUID

import orjson
import psycopg2
import psycopg2.extensions
import psycopg2.extras
from attrs import define, field
from psycopg2.errorcodes import (
    DEADLOCK_DETECTED,
    FEATURE_NOT_SUPPORTED,
    LOCK_NOT_AVAILABLE,
    READ_ONLY_SQL_TRANSACTION,
    SERIALIZATION_FAILURE,
)
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from snf.core.errors import Unavailable
from snf.storage.cursors import Cursor, Gathering, Refused

_log = Logger()

_P = ParamSpec("_P")
_R = TypeVar("_R")

psycopg2.extras.register_uuid()
# Most of the ids that lists are full of are those of few things.
uuid_of = lru_cache(maxsize=4096)(UUID)
psycopg2.extensions.register_type(
    psycopg2.extensions.new_type(
        (2950,), "UUID", lambda text, _: None if text is None else uuid_of(text)
    )
)
# Several times as fast as Python's own, which lists of servers would wait for.
psycopg2.extras.register_default_json(globally=True, loads=orjson.loads)
psycopg2.extras.register_default_jsonb(globally=True, loads=orjson.loads)

# A statement that takes longer is ended by the server: nothing here should.  And each
# side notices within half a minute when the other is gone without a word: we, so that
# no thread waits for it; the server, so that the locks of the dead are let go.  No
# statement of ours is worth being compiled: for a list of 1,000 servers, which its
# planner takes for dear, that takes ten times as long as the list itself.  What is
# prepared is planned once, also where PostgreSQL takes a plan for the very values to be
# cheaper, as it does of all arrays.
_OPTIONS = (
    "-c statement_timeout=30s -c lock_timeout=10s -c timezone=UTC -c jit=off"
    " -c plan_cache_mode=force_generic_plan"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5"
    " -c tcp_keepalives_count=3 -c tcp_user_timeout=30000"
)
_KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# How long the first plans are kept at least.
_PLANS_S = 0.5

_ATTEMPTS = 4
_WAITING_AT_MOST = 1000
_RETRY_AFTER_S = 2
_AWAY = "The database does not answer; try again later"


class Connection(psycopg2.extensions.connection):
    """A connection, and the names of what has been prepared on it.

    :ivar plans_age_s: How old it was when it last forgot its plans.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepared: set[str] = set()
        self.plans_age_s = _PLANS_S
        self._made = time.monotonic()

    def plan_anew(self) -> None:
        """
        Forget all plans whenever it has become twice as old.

        A plan may be of a table that was small and has grown since: to read all of it
        was cheaper than to look a row up.  Only an ANALYZE makes PostgreSQL see that.
        """
        age_s = time.monotonic() - self._made
        if age_s >= 2 * self.plans_age_s:
            self.plans_age_s = age_s
            with self.cursor() as cursor:
                cursor.execute("DISCARD PLANS")

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor, a :class:`Cursor` unless another factory is given."""
        return super().cursor(*args, **{"cursor_factory": Cursor, **kwargs})


class Transaction(Protocol):
    """What a function that runs in the database is given."""

    @property
    def connection(self) -> Any: ...  # a Connection

    @property
    def rowcount(self) -> int: ...

    def execute(self, query: str, arguments: Any = ...) -> None: ...

    def later(self, query: str, arguments: Any = ...) -> None:
        """Execute a statement of whose result nothing is needed, now or a bit later."""

    def last(
        self,
        query: str,
        arguments: Any,
        explain: Callable[[Any], None],
    ) -> None:
        """
        Execute a statement together with the commit, as the last one.

        :param explain: When it would store a NULL where none may be, the transaction is
            undone and this called in another one, to raise why.
        """

    def fetchone(self) -> tuple[Any, ...] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


@define(eq=False)
class Database(Service):
    """A pool of threads with a connection each.

    :param dsn: As libpq takes it, without the password.
    :param threads: How many, and so how many transactions go on at once.
    """

    reactor: Any
    dsn: str
    password: str | None = field(default=None, repr=False)
    threads: int = 8
    _local: threading.local = field(init=False, factory=threading.local)
    _pool: ThreadPool = field(init=False)
    _waiting: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPool:
        return ThreadPool(self.threads, self.threads, "database")

    def startService(self) -> None:
        super().startService()
        if self._stopped:
            # A pool that has been stopped cannot be started again.
            self._stopped, self._pool = False, self._new_pool()
        self._pool.start()

    def stopService(self) -> "Deferred[None]":
        """Let no more in, and fire when what is under way has ended."""
        super().stopService()
        self._stopped = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # From a thread of the reactor's own pool, since it waits for ours to end.
        await deferToThreadPool(
            self.reactor, self.reactor.getThreadPool(), self._pool.stop
        )

    async def run(
        self,
        function: Callable[Concatenate[Transaction, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """
        Return what ``function(txn, ...)`` returns, called in a transaction.

        It commits by returning and rolls back by raising.  It may be called again
        after a deadlock or a lost connection, so it must have no other effect.

        :raises Unavailable: The database cannot be reached, too much is waiting, or
            the service has been stopped.
        """
        if self._waiting >= _WAITING_AT_MOST:
            raise Unavailable(
                "The database is overloaded; try again later", _RETRY_AFTER_S
            )
        return await self._attempts(lambda txn: function(txn, *args, **kwargs))

    async def _attempts(self, function: Callable[[Transaction], _R]) -> _R:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._in_thread(function)
            except _Again as again:
                if attempt == _ATTEMPTS:
                    _log.error("database: {reason}", reason=again.reason)
                    raise Unavailable(_AWAY, _RETRY_AFTER_S) from None
            pause = 0.05 * 3**attempt * random.uniform(0.5, 1.0)
            await deferLater(self.reactor, pause)
        raise AssertionError("unreachable")

    def _in_thread(self, function: Callable[[Transaction], _R]) -> "Deferred[_R]":
        if self._stopped:
            # A pool that has stopped would take it and never answer.
            raise Unavailable("The database is no longer used: the service stops")
        self._waiting += 1
        work = deferToThreadPool(self.reactor, self._pool, self._in_turn, function)
        work.addBoth(self._ended)
        # Whoever asks may cancel; the thread goes on, and counts until it has ended.
        answer: Deferred[_R] = Deferred()
        work.chainDeferred(answer)
        return answer

    def _ended(self, result: _R) -> _R:
        self._waiting -= 1
        return result

    def _in_turn(self, function: Callable[[Transaction], _R]) -> _R:
        kept = getattr(self._local, "connection", None) is not None
        try:
            return self._transact(function)
        except _Again as again:
            if not (kept and again.lost):
                raise
        # A connection that was kept has been closed meanwhile, as all are when
        # PostgreSQL starts anew: that is worth no wait, and another thread's
        # connection would be no better.
        return self._transact(function)

    def _transact(self, function: Callable[[Transaction], _R]) -> _R:
        connection = None
        committing = False
        try:
            connection = self._connection()
            with connection.cursor(cursor_factory=Gathering) as txn:
                result = function(txn)
                committing = True
                txn.commit()
        except Refused as refused:
            _roll_back(connection)
            self._transact(refused.explain)
            raise _Again("what was refused would no longer be") from None
        except psycopg2.Error as failure:
            self._failed(connection, committing, failure)
        except BaseException:
            _roll_back(connection)
            raise
        return result

    def _failed(
        self,
        connection: Connection | None,
        committing: bool,
        failure: psycopg2.Error,
    ) -> NoReturn:
        """Put the connection in order and raise what the failure amounts to."""
        reason = _first_line(failure)
        if connection is None or connection.closed:
            self._local.connection = None
            if committing:
                # It may have been committed: running it again could do it twice.
                _log.error("database: lost while committing: {reason}", reason=reason)
                raise Unavailable("The database does not answer") from None
            raise _Again(reason, lost=True) from None
        _roll_back(connection)
        if failure.pgcode in _OUTLIVED:
            connection.close()
            raise _Again(reason, lost=True) from None
        if failure.pgcode in _PASSING:
            raise _Again(reason) from None
        if isinstance(failure, psycopg2.OperationalError):
            _log.error("database: {reason}", reason=reason)
            raise Unavailable(_AWAY, _RETRY_AFTER_S) from None
        raise failure

    def _connection(self) -> Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = connect(self.dsn, self.password)
            connection.autocommit = True  # since Gathering begins transactions
            self._local.connection = connection
        connection.plan_anew()
        return connection


class _Again(Exception):
    """The transaction had no effect and may be tried again."""

    def __init__(self, reason: str, lost: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lost = lost


# What says that a connection is of no more use although it is there: the server has
# become a standby, and its successor is elsewhere by now; or what was prepared does not
# fit the tables any more, as after a migration.
_OUTLIVED = frozenset({READ_ONLY_SQL_TRANSACTION, FEATURE_NOT_SUPPORTED})
_PASSING = frozenset({DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, SERIALIZATION_FAILURE})


def connect(dsn: str, password: str | None) -> Connection:
    """Return a new connection, with our time limits set on it."""
    if password is not None:
        dsn = psycopg2.extensions.make_dsn(dsn, password=password)
    return psycopg2.connect(
        dsn,
        connection_factory=Connection,
        connect_timeout=5,
        options=_OPTIONS,
        **_KEEPALIVES,
    )


def _roll_back(connection: Connection | None) -> None:
    if connection is not None and not connection.closed:
        try:
            if connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
                connection.cursor().execute("ROLLBACK")
        except psycopg2.Error:
            # It is lost, and with it all that was to be undone; why the transaction
            # failed is what the caller has to hear.
            connection.close()


def _first_line(failure: BaseException) -> str:
    return (str(failure).splitlines() or [type(failure).__name__])[0]
