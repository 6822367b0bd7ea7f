"""What the API may ask of a node's serial lines, over HTTP.

``GET .../NAME/log?lines=N`` answers the end of what a guest has said, as bytes.
``GET .../NAME/line`` with ``Upgrade: cyclades-serial`` is answered with 101, and is the line
itself from then on: bytes in both directions until one of the two hangs up.
"""

from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.resource import NoResource, Resource
from twisted.web.server import NOT_DONE_YET

from snf.core.errors import Conflict
from snf.core.signing import UPGRADE
from snf.serial.line import Line, Peer

_LINES_AT_MOST = 10  # digits
_LOGS_AT_ONCE = 16
_NOTHING = b"This node knows nothing of this guest's serial line.\n"


class Lines(Protocol):
    """The lines of guests (``snf.serial.lines``)."""

    def is_ours(self, name: str) -> bool:
        """Return whether there may be an instance of a name."""

    def line(self, name: str) -> Line | None:
        """Return the line of an instance; None where it does not run here."""

    async def tail(self, name: str, lines: int | None) -> bytes | None:
        """
        Return the last lines of what a guest has said, all that is kept for None.

        None where nothing is known of it here.

        :raises OSError: It cannot be read.
        """


class Serial(Resource):
    """All lines: below it are instances, below each its ``log`` and its ``line``."""

    def __init__(self, lines: Lines, clock: Any) -> None:
        super().__init__()
        self.lines = lines
        self.clock = clock
        self.reading = Reading()

    def getChild(self, path: bytes, request: Any) -> Resource:
        """Return what there is of an instance."""
        name = path.decode("ascii", "replace")
        if not self.lines.is_ours(name):
            return NoResource()
        found = Resource()
        found.putChild(b"log", _Log(self.lines, name, self.reading))
        found.putChild(b"line", _Line(self.lines, name, self.clock))
        return found


@define(eq=False)
class Reading:
    """How many logs are read now: each is a thread's, and memory."""

    now: int = field(default=0)


class _Log(Resource):
    isLeaf = True
    _log = Logger()

    def __init__(self, lines: Lines, name: str, reading: Reading) -> None:
        super().__init__()
        self.lines = lines
        self.name = name
        self.reading = reading

    def render_GET(self, request: Any) -> Any:
        """Answer the last lines."""
        wanted = request.args.get(b"lines", [b""])[0]
        if not (wanted.isdigit() or not wanted) or len(wanted) > _LINES_AT_MOST:
            return _said(request, 400, b"lines: must be a number\n")
        if self.reading.now >= _LOGS_AT_ONCE:
            return _said(request, 503, b"Too many logs are read now.\n")
        self.reading.now += 1
        answer = Deferred.fromCoroutine(
            self._answer(request, int(wanted) if wanted else None)
        )
        # Nobody waits any more; the thread ends by itself.
        request.notifyFinish().addErrback(lambda failure: answer.cancel())
        answer.addBoth(self._done, request)
        return NOT_DONE_YET

    async def _answer(self, request: Any, lines: int | None) -> None:
        said = await self.lines.tail(self.name, lines)
        if said is None:
            request.write(_said(request, 404, _NOTHING))
        else:
            request.setHeader(b"Content-Type", b"application/octet-stream")
            request.setHeader(b"Content-Length", b"%d" % len(said))
            request.write(said)
        request.finish()

    def _done(self, result: Any, request: Any) -> None:
        self.reading.now -= 1
        if isinstance(result, Failure) and not result.check(CancelledError):
            self._log.failure("the log of {name} is not read", result, name=self.name)
            request.write(_said(request, 500, b"The log cannot be read.\n"))
            request.finish()


class _Line(Resource):
    isLeaf = True

    def __init__(self, lines: Lines, name: str, clock: Any) -> None:
        super().__init__()
        self.lines = lines
        self.name = name
        self.clock = clock

    def render_GET(self, request: Any) -> Any:
        """Make the connection the line's, if nobody else has it."""
        if (request.getHeader("upgrade") or "").lower() != UPGRADE:
            request.setHeader(b"Upgrade", UPGRADE.encode())
            return _said(request, 426, b"A line is had by an upgrade.\n")
        line = self.lines.line(self.name)
        if line is None:
            return _said(request, 404, _NOTHING)
        try:
            line.check()
        except Conflict as refusal:
            return _said(request, 409, f"{refusal}\n".encode())
        _hand_over(request, line, self.clock)
        return NOT_DONE_YET


def _hand_over(request: Any, line: Line, clock: Any) -> None:
    """Have a request's connection be a peer's from now on."""
    channel = request.channel
    transport, channel.transport = channel.transport, None
    channel.setTimeout(None)
    # It was held, for the sake of HTTP, while the request was under way.
    transport.unregisterProducer()
    transport.resumeProducing()
    transport.setTcpKeepAlive(True)
    transport.write(
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Connection: Upgrade\r\nUpgrade: %s\r\n\r\n" % UPGRADE.encode()
    )
    peer = Peer(line, clock)
    if isinstance(transport, ProtocolWrapper):  # TLS
        transport.wrappedProtocol = peer
    else:
        transport.protocol = peer
    peer.makeConnection(transport)


def _said(request: Any, code: int, text: bytes) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    request.setHeader(b"Content-Length", b"%d" % len(text))
    return text
