"""Fetching images by URL, from where users may reach, and from nowhere else.

The name in a URL is looked up here, and the connection is made to the address that was
checked: what the name stands for a moment later does not matter.  So it is for each
redirect.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import (
    IHostResolution,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from snf.core.errors import BadRequest, SnfError, TooLarge, Unavailable
from snf.core.reach import Reach
from snf.images.intake import Intake, Job
from snf.storage import uploads

_log = Logger()

_CONNECT_S = 15.0
_IDLE_S = 60.0
_REDIRECTS_AT_MOST = 5
_HELD_AT_MOST = 1024 * 1024
# With what comes of the body together with its end.
_HEAD_AT_MOST = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Refused(BadRequest):
    """It may not be fetched, or cannot; what it says is for the user."""


@frozen
class Limits:
    """From where may be fetched, and how long it may take in all, in seconds."""

    reach: Reach = field(factory=Reach)
    ports: tuple[int, ...] = (80, 443)
    timeout_s: float = 21_600.0


@define(eq=False)
class Web:
    """
    Fetches images.

    :ivar tls: Makes of a host's name what a connection to it trusts.
    """

    reactor: Any
    limits: Limits = Limits()
    tls: Callable[[str], Any] = optionsForClientTLS

    def check(self, url: str) -> str:
        """
        Return a URL from which may be fetched, as far as it says so itself.

        :raises BadRequest: It may not.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            raise Refused("method.uri: is no URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused("method.uri: must be an http or https URL")
        if parts.username is not None or parts.password is not None:
            raise Refused("method.uri: must have no user or password in it")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise Refused("method.uri: must be ASCII without spaces")
        if port not in self.limits.ports:
            allowed = ", ".join(str(one) for one in self.limits.ports)
            raise Refused(f"method.uri: the port must be one of {allowed}")
        return url

    async def fetch(self, intake: Intake, job: Job, url: str) -> None:
        """
        Fetch an image's data, and make it the image's.

        :raises SnfError: It could not be; the image waits for other data.
        """
        work = Deferred.fromCoroutine(self._open(intake, job, url))
        work.addTimeout(_IDLE_S, self.reactor)
        try:
            body = await work
        except Exception as failure:
            refusal = _refusal(failure)
            await intake.give_up(job, refusal)
            raise refusal from None
        overall = self.reactor.callLater(self.limits.timeout_s, body.too_slow)
        try:
            await intake.receive(job, body.read)
        finally:
            body.close()
            if overall.active():
                overall.cancel()

    async def _open(self, intake: Intake, job: Job, url: str) -> "_Body":
        """Return the body of what is at a URL, or where that leads to."""
        for _ in range(_REDIRECTS_AT_MOST + 1):
            self.check(url)
            response = await self._ask(url)
            body = _Body(self.reactor)
            response.deliverBody(body)
            if response.code == 200:
                length = response.length
                if isinstance(length, int):
                    await self._expect(intake, job, length, body)
                return body
            body.close()
            if response.code not in _REDIRECTS:
                raise Refused(f"The server has answered {response.code}")
            [place] = response.headers.getRawHeaders(b"location", [b""])[:1]
            url = urljoin(url, place.decode("latin-1"))
        raise Refused(f"There were more than {_REDIRECTS_AT_MOST} redirects")

    async def _ask(self, url: str) -> Any:
        head = _Head()
        agent = Agent.usingEndpointFactory(
            self.reactor,
            _Endpoints(self.reactor, self.limits, self.tls, head),
            HTTPConnectionPool(self.reactor, persistent=False),
        )
        response = await agent.request(b"GET", url.encode("ascii"), Headers(_HEADERS))
        head.has_come = True
        return response

    async def _expect(
        self, intake: Intake, job: Job, length: int, body: "_Body"
    ) -> None:
        try:
            if length > intake.sizes.data:
                raise TooLarge(
                    f"The data of an image may have {intake.sizes.data} bytes at most,"
                    f" and that has {length}"
                )
            await intake.database.run(
                uploads.expect, job.upload, length, intake.now, intake.limits
            )
        except Exception:
            body.close()
            raise


_HEADERS = {"User-Agent": ["Cyclades"], "Accept-Encoding": ["identity"]}


def _refusal(failure: BaseException) -> SnfError:
    """Return what to say of a failure; nothing of what is inside of our network."""
    if isinstance(failure, SnfError):
        return failure
    if isinstance(failure, DNSLookupError):
        return Refused("The host of the URL is not known")
    if isinstance(failure, ConnectError):
        return Refused("The host of the URL cannot be reached")
    _log.info("an image cannot be fetched: {reason}", reason=repr(failure)[:500])
    return Unavailable("The URL could not be fetched")


class _Body(Protocol):
    """The body of an answer, read while it comes."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pieces: list[bytes] = []
        self._held = 0
        self._paused = False
        self._ended = False
        self._failure: SnfError | None = None
        self._reader: Deferred[None] | None = None

    async def read(self) -> bytes:
        """
        Return what has come since the last time; b"" at the end.

        :raises SnfError: The end was not the end, or did not come.
        """
        if not self._pieces and not self._ended:
            self._reader = Deferred()
            idle = self._reactor.callLater(_IDLE_S, self.too_slow)
            try:
                await self._reader
            finally:
                if idle.active():
                    idle.cancel()
        if self._failure is not None:
            raise self._failure
        piece = b"".join(self._pieces)
        self._pieces, self._held = [], 0
        if self._paused and not self._ended:
            self._paused = False
            self.transport.resumeProducing()  # type: ignore[union-attr]
        return piece

    def dataReceived(self, data: bytes) -> None:
        """Keep some more for the reader."""
        if self._ended:
            return
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= _HELD_AT_MOST and not self._paused:
            self._paused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]
        self._wake()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Note the end: a whole one only where the server had said how much comes."""
        if self._ended:
            return
        whole = reason is not None and reason.check(ResponseDone, PotentialDataLoss)
        self._end(None if whole else Unavailable("The server has hung up too early"))

    def too_slow(self) -> None:
        """Wait no longer."""
        self._end(Unavailable("The server takes too long"))
        self.close()

    def close(self) -> None:
        """Want no more."""
        self._end(self._failure)
        transport: Any = self.transport
        if transport is not None:
            transport.stopProducing()

    def _end(self, failure: SnfError | None) -> None:
        if not self._ended:
            self._ended, self._failure = True, failure
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            reader.callback(None)


@define(eq=False)
class _Head:
    """The head of an answer, which must not go on forever."""

    has_come: bool = False
    _received: int = 0

    def watch(self, connection: Any) -> Any:
        """Return a connection, which is closed when too much comes without an answer."""
        receive = connection.dataReceived

        def received(data: bytes) -> None:
            self._received += len(data)
            if not self.has_come and self._received > _HEAD_AT_MOST:
                connection.transport.abortConnection()
            else:
                receive(data)

        connection.dataReceived = received
        return connection


@implementer(IAgentEndpointFactory)
@frozen
class _Endpoints:
    reactor: Any
    limits: Limits
    tls: Callable[[str], Any]
    head: _Head

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return what connects to where a URL leads."""
        host = uri.host.decode("ascii").strip("[]")
        secure = self._secure(uri, host)
        return _Checked(self.reactor, self.limits, host, uri.port, secure, self.head)

    def _secure(self, uri: URI, host: str) -> Any:
        return self.tls(host) if uri.scheme == b"https" else None


@implementer(IStreamClientEndpoint)
@frozen
class _Checked:
    """Connects to the first address of a host that may be reached, and to no other."""

    reactor: Any
    limits: Limits
    host: str
    port: int
    secure: Any
    head: _Head

    def connect(self, factory: Any) -> Any:
        """Return the connection."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: Any) -> Any:
        found = await _addresses(self.reactor, self.host, self.port)
        if not found:
            raise Refused("The host of the URL is not known")
        allowed = [one for one in found if self.limits.reach.permits(one.host)]
        if not allowed:
            raise Refused("The host of the URL has an address that is not allowed")
        address = allowed[0]
        kind = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
        endpoint: Any = kind(self.reactor, address.host, self.port, _CONNECT_S)
        if self.secure is not None:
            endpoint = wrapClientTLS(self.secure, endpoint)
        return self.head.watch(await endpoint.connect(factory))


async def _addresses(reactor: Any, host: str, port: int) -> list[Any]:
    """Return the addresses of a host."""
    ended: Deferred[None] = Deferred()
    found: list[Any] = []

    @implementer(IResolutionReceiver)
    class Receiver:
        def resolutionBegan(self, resolution: IHostResolution) -> None:
            pass

        def addressResolved(self, address: Any) -> None:
            found.append(address)

        def resolutionComplete(self) -> None:
            ended.callback(None)

    reactor.nameResolver.resolveHostName(Receiver(), host, portNumber=port)
    await ended
    return found
