"""Files that are sent: in constant memory, whole or a part, off the reactor's thread."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from snf.core.errors import BadRange, NotFound
from snf.images.threads import InThread

_log = Logger()

_PIECE = 256 * 1024

# RFC 9110, section 14.1.2; of several ranges none is sent alone, but the whole file.
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


@frozen
class Part:
    """Which bytes of a file are sent."""

    start: int
    length: int
    size: int

    @property
    def is_all(self) -> bool:
        """Whether it is the whole file."""
        return self.length == self.size

    def headers(self) -> Mapping[str, str]:
        """Return what an answer with it says of that."""
        said = {"Accept-Ranges": "bytes", "Content-Length": str(self.length)}
        if not self.is_all:
            end = self.start + self.length - 1
            said["Content-Range"] = f"bytes {self.start}-{end}/{self.size}"
        return said


def part(wanted: str | None, size: int) -> Part:
    """
    Return which part of a file a client asks for.

    :param wanted: Its header ``Range``; what makes no sense asks for everything.
    :param size: Of the file, in bytes.
    :raises BadRange: There is no such part.
    """
    match = None if wanted is None else _RANGE.fullmatch(wanted.strip())
    if match is None or not (match[1] or match[2]):
        return Part(0, size, size)
    if not match[1]:
        start, end = max(size - int(match[2]), 0), size - 1
    else:
        start, end = int(match[1]), int(match[2] or size - 1)
        if match[2] and end < start:
            # RFC 9110, section 14.1.1: it is no range, and counts as not said.
            return Part(0, size, size)
    end = min(end, size - 1)
    if start > end:
        raise BadRange(f"There are {size} bytes: no such range: {wanted}")
    return Part(start, end - start + 1, size)


@frozen
class Sending:
    """A part of a file, to be sent as the body of an answer.

    :ivar file: From which it is read; closed in the end.
    """

    file: BinaryIO
    part: Part
    in_thread: InThread

    async def to(self, request: Any) -> None:
        """Send it, as fast as the client takes it; the answer's headers are set."""
        taker = _Taker()
        request.registerProducer(taker, True)
        try:
            place, left = self.part.start, self.part.length
            while left:
                piece = await self.in_thread(
                    os.pread, self.file.fileno(), min(left, _PIECE), place
                )
                if not piece:
                    # It was promised more, and must not take this for all.
                    request.channel.forceAbortClient()
                    return
                place, left = place + len(piece), left - len(piece)
                await taker.ready()
                request.write(piece)
        except CancelledError:
            raise  # the client has gone
        except Exception:
            _log.failure("a file could not be sent")
            request.channel.forceAbortClient()
        finally:
            self.close()
            if request.channel is not None:
                request.unregisterProducer()

    def close(self) -> None:
        """Send nothing of it."""
        self.file.close()


async def sending(
    path: Path, wanted: str | None, size: int, in_thread: InThread
) -> Sending:
    """
    Return what to send of a file.

    :param wanted: The client's header ``Range``.
    :param size: How many bytes it has to have.
    :raises NotFound: It is not there, or is not whole.
    :raises BadRange: It has no such part.
    """
    what = part(wanted, size)
    return Sending(await in_thread(_open, path, size), what, in_thread)


def _open(path: Path, size: int) -> BinaryIO:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFound("The data of the image is not there") from None
    if os.fstat(file.fileno()).st_size != size:
        file.close()
        raise NotFound("The data of the image is not whole")
    return file  # type: ignore[return-value]


@implementer(IPushProducer)
@define(eq=False)
class _Taker:
    """Knows whether the client takes more."""

    _waiting: "Deferred[None] | None" = field(init=False, default=None)
    _paused: bool = field(init=False, default=False)

    async def ready(self) -> None:
        """Return once it does; who waits is cancelled when it has gone."""
        while self._paused:
            self._waiting = Deferred()
            await self._waiting

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._wake()

    def stopProducing(self) -> None:
        self.resumeProducing()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)
