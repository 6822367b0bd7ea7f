"""The WebSockets of consoles: ``/console/vnc``, ``/console/serial``, and once more."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET

from snf.api.console.open import Opened
from snf.api.console.rights import Asker, Rights
from snf.api.dialect import header
from snf.api.json import Edge, begin
from snf.console import websocket
from snf.console.peer import Peer
from snf.console.relay import Relay
from snf.console.shaking import HandshakeFailed, shake
from snf.console.upgrade import Accepted, BadUpgrade, accept
from snf.console.viewers import ViewerHandshake
from snf.console.websocket import WebSocketPeer
from snf.core.console import Console, Kind
from snf.core.errors import BadRequest, Forbidden, SnfError

_log = Logger()

_HANDSHAKE_S = 10.0


class Ends(Protocol):
    """Opens the nodes' ends of consoles.

    Both return a peer that is paused.
    """

    async def screen(self, cluster: int, server: int) -> Peer:
        """
        Return the screen of a server, whose VNC server has let us in.

        :raises Conflict: It has none just now.
        :raises Unavailable: Ganeti or the node does not answer.
        """

    async def serial(self, cluster: int, server: int) -> Peer:
        """
        Return the serial line of a server.

        :raises Conflict: It has none just now.
        :raises Unavailable: Ganeti or the node does not answer.
        """


@frozen
class Sockets:
    """Makes WebSockets of requests.

    :ivar origins: Of pages that may open consoles, beside those of the API's own.
    """

    clock: IReactorTime
    edge: Edge
    rights: Rights
    opened: Opened
    ends: Ends
    origins: frozenset[str]

    def by_token(self, request: Any, kind: Kind) -> int:
        """Answer a request that brings a token."""

        async def console(asker: Asker) -> Console:
            token = (request.args.get(b"token") or [b""])[-1].decode("ascii", "replace")
            return (await self.rights.redeem(token, kind, asker))[0]

        return self._answer(request, console)

    def once_more(self, request: Any, right: str, secret: str | None) -> int:
        """Answer a request of somebody who has had the console open."""

        async def console(asker: Asker) -> Console:
            return await self.rights.resume(right, secret, None, asker)

        return self._answer(request, console)

    def _answer(
        self, request: Any, console: Callable[[Asker], Awaitable[Console]]
    ) -> int:
        work = Deferred.fromCoroutine(self._open(request, console))
        # Who hangs up is not waited for, nor logged as a failure.
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addErrback(lambda failure: failure.trap(CancelledError))
        return NOT_DONE_YET

    async def _open(
        self, request: Any, console: Callable[[Asker], Awaitable[Console]]
    ) -> None:
        request_id = begin(request)
        try:
            accepted = self._accepted(request)
            self.opened.begin()
        except SnfError as refusal:
            _finish(request, self.edge.refuse(request, refusal))
            return
        try:
            found = await self._found(request, console, request_id)
            if found is not None:
                # As the site would, once the request were finished.
                request.code = 101
                request.site.log(request)
                transport, early = websocket.take_over(request)
                viewer = websocket.over(self.clock, transport, accepted.answer, early)
                await self._join(found, viewer, request_id)
        finally:
            self.opened.end()

    async def _found(
        self,
        request: Any,
        console: Callable[[Asker], Awaitable[Console]],
        request_id: str,
    ) -> Console | None:
        """Return what is to be opened; None when the request has been answered."""
        try:
            return await console(Asker(request.origin, request_id))
        except SnfError as refusal:
            _finish(request, self.edge.refuse(request, refusal))
        except CancelledError:
            raise  # the client hung up: there is nobody to answer
        except Exception:
            _finish(request, self.edge.broken(request, Failure()))
        return None

    def _accepted(self, request: Any) -> Accepted:
        if request.clientproto != b"HTTP/1.1":
            raise BadRequest("A WebSocket needs HTTP/1.1")
        self._check_origin(request)
        try:
            return accept(
                request.method.decode("ascii", "replace"),
                lambda name: header(request, name),
            )
        except BadUpgrade as failure:
            raise BadRequest(str(failure)) from None

    def _check_origin(self, request: Any) -> None:
        """
        Return if the page, if it is one, that asks may have a console.

        Browsers let any page ask any server for a WebSocket, and only say which it is.
        """
        said = header(request, "Origin")
        if said is None:
            return
        own = urlsplit(self.edge.root)
        host = header(request, "Host")
        if said in (f"{own.scheme}://{own.netloc}", *self.origins):
            return
        if host and said in (f"http://{host}", f"https://{host}"):
            return
        _log.warn("a page of {origin} asked for a console", origin=said[:200])
        raise Forbidden("Pages of this origin may not open consoles here")

    async def _join(
        self, console: Console, viewer: WebSocketPeer, request_id: str
    ) -> None:
        """Have a viewer, who is in, see a console; tell it why it does not."""
        try:
            node, why = await self._end(console), ""
        except SnfError as refusal:
            node, why = None, str(refusal)
        except Exception:
            _log.failure("no console ({request_id})", request_id=request_id)
            node, why = (
                None,
                f"An error of the server's own; its incident is {request_id}",
            )
        if console.kind is Kind.VNC:
            handshake = ViewerHandshake(refusal=why or None)
            try:
                await shake(self.clock, viewer, handshake, _HANDSHAKE_S)
            except HandshakeFailed as failure:
                if node is not None:
                    node.abort()
                    why = f"the viewer {failure}"
        if node is None or why:
            _log.info(
                "no console {kind} of server {server}: {reason} ({request_id})",
                kind=console.kind.value,
                server=console.uuid,
                reason=why,
                request_id=request_id,
            )
            viewer.close(why)
            return
        self.opened.join(console, Relay(viewer, node), request_id)

    async def _end(self, console: Console) -> Peer:
        if console.kind is Kind.VNC:
            return await self.ends.screen(console.cluster, console.server)
        return await self.ends.serial(console.cluster, console.server)


def _finish(request: Any, body: bytes) -> None:
    if request.channel is not None and request.transport is not None:
        request.write(body)
        request.finish()
