"""How statements travel to PostgreSQL: alone, or several in one round trip.

Each round trip costs a switch to PostgreSQL and back, and two of the interpreter's
lock: for a statement that takes 0.1 ms more than the statement itself.
"""

import threading
from collections.abc import Callable
from typing import Any

import psycopg2.extensions
from psycopg2.errors import NotNullViolation


class Refused(Exception):
    """What was to go with the commit is refused; ``explain(txn)`` raises why."""

    def __init__(self, explain: Callable[[Any], None]) -> None:
        super().__init__()
        self.explain = explain


class Cursor(psycopg2.extensions.cursor):
    """One that sends each statement by itself."""

    def later(self, query: str, arguments: Any = ()) -> None:
        """Execute a statement of whose result nothing is needed, now or a bit later."""
        self.execute(query, arguments)

    def last(self, query: str, arguments: Any, explain: Callable[[Any], None]) -> None:
        """Execute a statement that may be refused for a NULL; ``explain`` raises why."""
        self.execute("SAVEPOINT last")
        try:
            self.execute(query, arguments)
        except NotNullViolation:
            self.execute("ROLLBACK TO SAVEPOINT last")
            explain(self)
            raise


# Who has fetched more rows than this is at work on them for some milliseconds.
_MANY = 100


class Gathering(Cursor):
    """
    One transaction, on a connection that begins none by itself.

    Of all transactions in the process that have fetched many rows, one at a time makes
    something of them.  Python runs one thread at a time anyway; but the others would
    compete for its lock with the reactor, which asks for it after each system call.
    Nobody waits for the database meanwhile: each statement gives the turn away.


    What need not be executed at once goes with the next statement: ``BEGIN`` with the
    first one, what is for :meth:`later` with the one after it, or with ``COMMIT``.
    They are executed in the order in which they were given, and when one of them fails
    the statement that they went with fails, and the transaction.  What is for
    :meth:`last` goes with ``COMMIT``, so that what it locks is free again without
    another turn of ours.
    """

    _turns = threading.Lock()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False
        self._ahead: list[bytes] = [b"BEGIN"]
        self._last: list[bytes] = []
        self._explain: Callable[[Any], None] | None = None
        self._idle = True

    def execute(self, query: str | bytes, arguments: Any = None) -> None:  # type: ignore[override]
        """Execute what waits, and a statement; the result is that statement's."""
        self._idle = False
        if self._ahead:
            ahead, self._ahead = self._ahead, []
            query = b";".join([*ahead, self.mogrify(query, arguments)])
            arguments = None
        self._end_turn()
        super().execute(query, arguments)
        if self.rowcount > _MANY:
            self._turns.acquire()
            self._has_turn = True

    def later(self, query: str, arguments: Any = ()) -> None:
        self._idle = False
        self._ahead.append(self.mogrify(query, arguments))

    def last(self, query: str, arguments: Any, explain: Callable[[Any], None]) -> None:
        assert self._explain is None, "there is one last statement"
        self._idle = False
        self._last, self._explain = [self.mogrify(query, arguments)], explain

    def commit(self) -> None:
        """
        Execute what waits, and commit; nothing where nothing was to be executed.

        :raises Refused: The last statement would have stored a NULL.
        """
        if self._idle:
            return
        self._ahead += self._last
        try:
            self.execute("COMMIT")
        except NotNullViolation:
            if self._explain is None:
                raise
            raise Refused(self._explain) from None

    def close(self) -> None:
        self._end_turn()
        super().close()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns.release()
