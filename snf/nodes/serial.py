"""Servers' serial lines, and what was said there: asked of the node that they are on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from attrs import define, field, frozen
from treq import collect
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf import http, trust
from snf.console.node import NodeSettings, Unreachable, open_stream
from snf.console.peer import Peer, StreamPeer
from snf.console.shaking import HandshakeFailed, shake
from snf.core.errors import Conflict, NotFound, Unavailable
from snf.core.signing import SERIAL_LINE_PATH, SERIAL_LOG_PATH, SHORTLY_S, Signer
from snf.nodes.upgrade import Upgrade
from snf.nodes.whereabouts import Place, Whereabouts

_log = Logger()

_LARGEST_LOG = 4_194_304
_NONE = "Guest does not have a console available."
_AWAY = (
    "The node of this server does not answer for its serial line; try again later, or "
    "tell the operator to see whether snf-noded runs there"
)


@frozen
class Daemons:
    """
    How the daemons of nodes are asked.

    :ivar port: Where they listen.
    :ivar ca_file: Has the certificates of which one must have issued theirs; None where
        they speak plain HTTP.
    :ivar timeout_s: How long one may take to answer, from the first packet to the last.
    :ivar at_once: How many logs are fetched at the same time.
    """

    port: int = 8781
    ca_file: Path | None = None
    timeout_s: float = 10.0
    at_once: int = 32


class _Useless(Exception):
    """A daemon has not answered as it should; the text says why, for the log."""


@define(eq=False)
class SerialLines(Service):
    """
    Asks for lines and logs.

    :ivar now: Returns the time in seconds since the epoch.
    """

    reactor: Any
    whereabouts: Whereabouts
    signer: Signer = field(repr=False)
    client: http.HttpClient
    policy: http.FilePolicy
    now: Callable[[], float]
    daemons: Daemons = Daemons()
    disconnect: "Callable[[], Deferred[Any]] | None" = None
    _fetching: int = field(init=False, default=0)

    async def log(self, cluster: int, server: int, lines: int | None) -> bytes:
        """
        Return the last lines of what a server has said, all that is kept for None.

        :raises NotFound: Nothing of it is kept: it has no serial line.
        :raises Conflict: It is on no node.
        :raises Unavailable: Ganeti or the node does not answer; try again later.
        """
        if self._fetching >= self.daemons.at_once:
            raise Unavailable("Too many console logs are fetched now; try again", 5)
        self._fetching += 1
        try:
            place = await self.whereabouts.of(cluster, server)
            more = {} if lines is None else {"lines": lines}
            url = self._url(place, SERIAL_LOG_PATH, **more)
            status, body = await self._timed(self._fetched(url))
        except _Useless as failure:
            raise _away(place, str(failure)) from None
        finally:
            self._fetching -= 1
        if status == 404:
            raise NotFound(_NONE)
        if status != 200:
            raise _away(place, f"status {status}")
        return body

    async def serial(self, cluster: int, server: int) -> Peer:
        """
        Return a server's serial line: bytes, from now on; paused.

        :raises Conflict: It does not run, or somebody else is at the line.
        :raises NotFound: It has none.
        :raises Unavailable: Ganeti or the node does not answer; try again later.
        """
        place = await self.whereabouts.of(cluster, server)
        try:
            peer = await open_stream(
                self.reactor, place.home.address, self.daemons.port, NodeSettings()
            )
        except Unreachable as failure:
            raise _away(place, str(failure)) from None
        handshake = await self._upgraded(peer, place)
        if handshake.status == 101:
            return peer
        peer.abort()
        if handshake.status == 404:
            raise NotFound(_NONE)
        if handshake.status == 409:
            raise Conflict(handshake.reason)
        raise _away(place, f"status {handshake.status}")

    def stopService(self) -> "Deferred[Any] | None":
        """Close the connections that are kept for later."""
        super().stopService()
        return None if self.disconnect is None else self.disconnect()

    async def _upgraded(self, peer: StreamPeer, place: Place) -> Upgrade:
        host = place.home.address
        if self.daemons.ca_file is not None:
            try:
                peer.start_tls(self.policy.creatorForNetloc(host.encode(), 0))
            except _Useless as failure:
                peer.abort()
                raise _away(place, str(failure)) from None
        handshake = Upgrade(host, self._target(place, SERIAL_LINE_PATH))
        try:
            await shake(self.reactor, peer, handshake, self.daemons.timeout_s)
        except HandshakeFailed as failure:
            peer.abort()
            raise _away(place, str(failure)) from None
        return handshake

    async def _fetched(self, url: str) -> tuple[int, bytes]:
        read = bytearray()

        def add(data: bytes) -> None:
            if len(read) + len(data) > _LARGEST_LOG:
                raise _Useless("the answer is too large")
            read.extend(data)

        try:
            response = await self.client.request(
                "GET", url, headers={}, data=None, allow_redirects=False
            )
            await collect(response, add)
        except (CancelledError, _Useless):
            raise
        except Exception as failure:
            reason = http.unanswered(failure)
            if reason is None:
                raise
            raise _Useless(reason) from None
        return response.code, bytes(read)

    async def _timed(self, work: Any) -> Any:
        def expired(result: Any, seconds: float) -> Any:
            if isinstance(result, Failure):
                raise _Useless(f"no answer within {seconds:g} s")
            return result

        return await Deferred.fromCoroutine(work).addTimeout(
            self.daemons.timeout_s, self.reactor, expired
        )

    def _url(self, place: Place, path: str, **more: int) -> str:
        scheme = "http" if self.daemons.ca_file is None else "https"
        host = place.home.address
        host = f"[{host}]" if ":" in host else host
        return (
            f"{scheme}://{host}:{self.daemons.port}{self._target(place, path, **more)}"
        )

    def _target(self, place: Place, path: str, **more: int) -> str:
        whole = path.format(place.instance)
        query = self.signer.query("GET", whole, int(self.now()) + SHORTLY_S)
        return f"{whole}?{query}" + (f"&{urlencode(more)}" if more else "")


def _away(place: Place, reason: str) -> Unavailable:
    """Say in the log why a node is of no use; return what to tell the user."""
    if reason == "status 403":
        reason = "it does not take our key: compare with snf-manage node-key"
    _log.error(
        "node {node} ({address}) does not serve {name}'s serial line: {reason}",
        node=place.home.node,
        address=place.home.address,
        name=place.instance,
        reason=reason,
    )
    return Unavailable(_AWAY, 10)


def connect(
    reactor: Any, whereabouts: Whereabouts, signer: Signer, daemons: Daemons
) -> SerialLines:
    """Return what asks the daemons of nodes.  Nothing is sent yet."""
    policy = http.FilePolicy(daemons.ca_file, trust.verified, _Useless)
    pool = http.pooled(reactor, kept=2, again=True)
    client = http.client(reactor, policy, 5.0, pool)
    return SerialLines(
        reactor,
        whereabouts,
        signer,
        client,
        policy,
        reactor.seconds,
        daemons,
        pool.closeCachedConnections,
    )
