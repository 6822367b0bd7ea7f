"""The tree of URLs, and the limits on what is read from a client."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from snf.api.call import UUID_TEXT
from snf.api.json import Edge, begin
from snf.api.paths import told
from snf.api.streams import Body
from snf.core import proxy
from snf.core.errors import BadRequest, TooLarge

_log = Logger()

# A body beyond the limit is read and thrown away, so that the client gets to read the
# refusal; one this many times beyond it is cut off.
_PATIENCE = 16

# So much of a body that is read while it comes is thrown away after a refusal.
_UNREAD_AT_MOST = 16 * 1024 * 1024


class LimitedRequest(Request):
    """A request whose body may not be larger than the site allows."""

    channel: Any
    site: Any
    content: Any
    too_large: TooLarge | None = None
    # The id of the project in the URL, as the client wrote it.
    project = ""
    # What is read while it comes; None where the whole body is there at once.
    stream: Body | None = None
    _discarded = 0
    _answered = False
    _beginning: Any = None
    _head: tuple[bytes, bytes, bytes]

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.stream is not None:
            answered = self._answered
            self.stream.end()
            self._begin()
            if answered:
                super()._cleanup()
            return
        super().requestReceived(command, path, version)

    def gotLength(self, length: int | None) -> None:
        # Twisted sets it only when the whole request has come.
        self.site = self.channel.site
        if self.site.streams(self.channel._command, self.channel._path):
            self._stream(length)
            return
        limit = self.site.max_body_bytes
        super().gotLength(min(length or 0, limit))
        if length is not None and length > limit:
            self._discard(0)

    def _stream(self, length: int | None) -> None:
        """Have the body read while it comes, by whoever answers the request."""
        super().gotLength(0)
        headers = self.requestHeaders
        expected = (headers.getRawHeaders(b"expect") or [b""])[0].lower()
        # Twisted would tell every client to go on, before anybody has looked at it.
        headers.removeHeader(b"expect")
        waits = expected == b"100-continue" and self.channel._version == b"HTTP/1.1"
        self.stream = Body(
            self.channel.transport,
            length,
            self.channel._send100Continue if waits else None,
        )
        self._head = (self.channel._command, self.channel._path, self.channel._version)
        # Not at once: the channel is in the middle of something.
        self._beginning = self.site.clock.callLater(0, self._begin)

    def _begin(self) -> None:
        """Have somebody answer, if nobody does yet."""
        if self._beginning is not None:
            if self._beginning.active():
                self._beginning.cancel()
            self._beginning = None
            super().requestReceived(*self._head)

    def connectionLost(self, reason: Failure) -> None:
        if self.stream is not None:
            if self._beginning is not None and self._beginning.active():
                self._beginning.cancel()
            self._beginning = None
            self.stream.lost()
        super().connectionLost(reason)

    def write(self, data: bytes) -> None:
        if (
            self.stream is not None
            and not self.stream.ended
            and not self.startedWriting
        ):
            # Whatever else comes is not read as another request.
            self.responseHeaders.setRawHeaders(b"connection", [b"close"])
            self.channel.persistent = False
        super().write(data)

    def _cleanup(self) -> None:
        """
        Be done with the request, once its body has come.

        A client gets to read a refusal only if its body is read meanwhile: where a
        connection is closed on it, its system may throw away the answer.
        """
        if self.stream is None or self.stream.ended or self._answered:
            super()._cleanup()
            return
        self._answered = True
        self.stream.discard()

    def handleContentChunk(self, data: bytes) -> None:
        if self.stream is not None:
            self._begin()
            self.stream.take(data)
            if self._answered and self.stream.discarded > _UNREAD_AT_MOST:
                self.channel.forceAbortClient()
        elif (
            self._discarded
            or self.content.tell() + len(data) > self.site.max_body_bytes
        ):
            self._discard(len(data))
        else:
            super().handleContentChunk(data)

    def _discard(self, length: int) -> None:
        self.content = BytesIO()
        self.too_large = TooLarge(
            f"The body may have {self.site.max_body_bytes} bytes at most"
        )
        self._discarded += length or 1
        if self._discarded > _PATIENCE * self.site.max_body_bytes:
            self.channel.forceAbortClient()

    @cached_property
    def origin(self) -> str:
        """The address of the client: of a trusted proxy's, as the proxy tells it."""
        told = self.requestHeaders.getRawHeaders(b"x-forwarded-for", [])
        peer = getattr(self.getClientAddress(), "host", "")
        return proxy.client(
            peer, (one.decode("latin-1") for one in told), self.site.proxies
        )

    def getRequestHostname(self) -> bytes:
        """Return a name of our own: what a client calls us decides nothing."""
        return b"cloud"

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer for a failure that nobody has caught: never in HTML."""
        self.write(self.site.edge.broken(self, reason))
        self.finish()
        return reason


class ApiSite(Site):
    """A site that limits bodies and logs a line for each request.

    :param proxies: The networks of reverse proxies that are believed who the client is.
    :param streams: Whether the body of a request is read while it comes, by its method
        and what it asks for.
    """

    requestFactory = LimitedRequest

    def __init__(
        self,
        tree: IResource,
        edge: Edge,
        clock: IReactorTime,
        max_body_bytes: int,
        proxies: Collection[proxy.Network] = (),
        streams: Callable[[bytes, bytes], bool] = lambda method, path: False,
    ) -> None:
        # No API of ours takes forms, and to see whether it is one takes long.
        super().__init__(
            tree,
            requestFactory=LimitedRequest,
            parsePOSTFormSubmission=False,
            reactor=clock,
        )
        self.edge = edge
        self.clock = clock
        self.max_body_bytes = max_body_bytes
        self.proxies = proxies
        self.streams = streams

    def log(self, request: Any) -> None:
        """Log a request; its query is left out, since it may hold a token."""
        _log.info(
            "{client} {method} {path} {code} {request_id}",
            client=request.origin or "-",
            method=request.method.decode("ascii", "replace"),
            path=told(request.path),
            code=request.code,
            request_id=begin(request),
        )


class Branch(Resource):
    """A place in the tree: what is below it, and a refusal for all else.

    :param here: What answers at the place itself.
    :param projects: Whether a project's id may come first: what is below it then is
        what is below the place itself, and asked for in that project.
    """

    def __init__(
        self,
        edge: Edge,
        children: Mapping[str, IResource],
        here: IResource | None = None,
        projects: bool = False,
    ) -> None:
        super().__init__()
        self._edge = edge
        self.here = here
        self._projects = projects
        for name, child in children.items():
            self.putChild(name.encode("ascii"), child)

    def getChild(self, path: bytes, request: Any) -> IResource:
        if path == b"" and not request.postpath:
            return self
        text = path.decode("utf-8", "replace")
        if self._projects and not request.project and UUID_TEXT.fullmatch(text):
            request.project = text
            return self
        return Missing(self._edge)

    def render(self, request: Request) -> Any:
        if self.here is None:
            return self._edge.missing(request)
        return self.here.render(request)


class Noun(Resource):
    """The routes of one noun, which are relative to where it is in the tree.

    A slash at the end makes no difference.
    """

    isLeaf = True

    def __init__(self, noun: Any) -> None:
        super().__init__()
        self._edge: Edge = noun.edge
        self.noun = noun
        self._routes = noun.app.resource()

    def render(self, request: Any) -> Any:
        while request.postpath and request.postpath[-1] == b"":
            request.postpath.pop()
        # Klein would take an escaped slash for one, answers in plain text what it
        # cannot decode, and takes no empty path.
        if any(part == b"" or b"/" in part for part in request.postpath):
            return self._edge.missing(request)
        try:
            for part in (request.method, *request.postpath):
                part.decode("utf-8")
        except UnicodeDecodeError:
            return self._edge.refuse(request, BadRequest("The URL is not UTF-8"))
        request.postpath = request.postpath or [b""]
        return self._routes.render(request)


class Nouns(Resource):
    """Several nouns in one place: the second word below it says which one is meant.

    :param noun: Whose routes all others are.
    :param others: Such a noun by that word: ``roles`` for ``/<user>/roles``.  Their
        routes are relative to this place, too.
    """

    isLeaf = True

    def __init__(self, noun: Any, others: Mapping[str, Any]) -> None:
        super().__init__()
        self.nouns = (noun, *others.values())
        self._first = Noun(noun)
        self._others = {name.encode(): Noun(other) for name, other in others.items()}

    def render(self, request: Request) -> Any:
        words = request.postpath or []
        second = words[1] if len(words) > 1 else b""
        return self._others.get(second, self._first).render(request)


class Missing(Resource):
    """Where there is nothing."""

    isLeaf = True

    def __init__(self, edge: Edge) -> None:
        super().__init__()
        self._edge = edge

    def render(self, request: Request) -> bytes:
        return self._edge.missing(request)
