"""How statements travel to PostgreSQL: alone, or several in one round trip.

Each round trip costs a switch to PostgreSQL and back, and two of the interpreter's
lock: for a statement that takes 0.1 ms more than the statement itself.
"""

import threading
from typing import Any

import psycopg2.extensions


class Cursor(psycopg2.extensions.cursor):
    """One that sends each statement by itself."""

    def later(self, query: str, arguments: Any = ()) -> None:
        """Execute a statement of whose result nothing is needed, now or a bit later."""
        self.execute(query, arguments)


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
    the statement that they went with fails, and the transaction.
    """

    _turns = threading.Lock()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False
        self._ahead: list[bytes] = [b"BEGIN"]
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

    def commit(self) -> None:
        """Execute what waits, and commit; nothing where nothing was to be executed."""
        if not self._idle:
            self.execute("COMMIT")

    def close(self) -> None:
        self._end_turn()
        super().close()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns.release()
