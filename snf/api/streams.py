"""Bodies that are too large to be held: read while they come."""

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from snf.core.errors import Interrupted

# How much of a body is held at most before the client has to wait.
_HELD_AT_MOST = 1024 * 1024

# Requests whose bodies are read while they come.
_STREAMED = re.compile(
    rb"/(image/v2/images/[^/?]+/(file|stage)|node/v1/snapshots/[^/?]+)/?(\?.*)?",
    re.DOTALL,
)


def streamed(method: bytes, path: bytes) -> bool:
    """Whether the body of a request is read while it comes."""
    return method == b"PUT" and _STREAMED.fullmatch(path) is not None


@define(eq=False)
class Body:
    """
    The body of a request, read while it comes; by one reader.

    :ivar transport: The client's connection.
    :ivar length: How many bytes there will be; None when the client does not say.
    :ivar invite: Tells the client that it may send, where it waits to be told.
    :ivar ended: Whether all has come, or nothing will any more.
    :ivar discarded: How many bytes have been thrown away.
    """

    transport: Any
    length: int | None
    invite: Callable[[], None] | None = None
    ended: bool = field(init=False, default=False)
    discarded: int = field(init=False, default=0)
    _lost: bool = field(init=False, default=False)
    _discarding: bool = field(init=False, default=False)
    _paused: bool = field(init=False, default=False)
    _pieces: deque[bytes] = field(init=False, factory=deque)
    _held: int = field(init=False, default=0)
    _reader: "Deferred[None] | None" = field(init=False, default=None)

    async def read(self) -> bytes:
        """
        Return what has come since the last time, once something has; b"" at the end.

        :raises Interrupted: The client has gone.
        """
        if self.invite is not None:
            invite, self.invite = self.invite, None
            if not self._pieces and not self.ended:
                invite()
        while not self._pieces and not self.ended:
            self._reader = Deferred()
            await self._reader
        if self._lost:
            raise Interrupted("The client has gone")
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        self._resume()
        return piece

    def take(self, data: bytes) -> None:
        """Keep some more for the reader."""
        if self._discarding:
            self.discarded += len(data)
            return
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= _HELD_AT_MOST and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        self._wake()

    def end(self) -> None:
        """Note that all has come."""
        self.ended = True
        self._wake()

    def lost(self) -> None:
        """Note that the client has gone."""
        if not self.ended:
            self.ended = self._lost = True
            self._wake()

    def discard(self) -> None:
        """Throw away what has come, and what comes."""
        self._discarding = True
        self.discarded += self._held
        self._pieces.clear()
        self._held = 0
        self._resume()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._lost:
                self.transport.resumeProducing()

    def _wake(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            reader.callback(None)
