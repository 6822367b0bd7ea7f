"""Ports of vncauthproxy's, each of which leads one viewer to one screen."""

import os
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from snf.console import des
from snf.console.node import NodeSettings, Unreachable, connect
from snf.console.peer import Peer, StreamPeer
from snf.console.ports import NoPort, Ports
from snf.console.relay import Relay
from snf.console.requests import Kind, Request
from snf.console.shaking import HandshakeFailed, shake
from snf.console.upgrading import upgraded
from snf.console.viewers import ViewerHandshake


class NotForwarded(Exception):
    """There is no forwarding; the text says why."""


@frozen
class ForwardingSettings:
    """
    What is the same for all.

    :ivar most: How many there may be at once.
    :ivar viewer_s: How long a port waits for its viewer.
    :ivar handshake_s: How long that one's handshake may take.
    :ivar tls: What TLS connections are accepted with (an OpenSSL context factory); None
        where there is no certificate.
    """

    most: int = 1000
    viewer_s: float = 30.0
    handshake_s: float = 30.0
    tls: Any = None


@define(eq=False)
class Forwardings(Service):
    """All of them, from being asked for until their last byte."""

    _log = Logger()

    reactor: Any
    ports: Ports
    settings: ForwardingSettings
    node: NodeSettings
    _open: "set[Deferred[None]]" = field(factory=set, init=False)
    _asked: int = field(default=0, init=False)

    def stopService(self) -> "Deferred[Any]":
        """End all; fires when they have ended."""
        super().stopService()
        ending = list(self._open)
        for one in ending:
            one.cancel()
        return DeferredList(ending)

    @property
    def count(self) -> int:
        """How many there are, or are being made."""
        return len(self._open) + self._asked

    async def open(self, request: Request) -> int:
        """
        Return the port at which a viewer is waited for.

        By then the screen has let us in, and it is listened.

        :raises NotForwarded: Something of that was not possible.
        """
        if request.kind is Kind.SECURE_WEBSOCKET and self.settings.tls is None:
            raise NotForwarded("type: vnc-wss needs a certificate, and there is none")
        if self.count >= self.settings.most:
            raise NotForwarded(f"there are {self.settings.most} forwardings already")
        self._asked += 1
        try:
            return await self._opened(request)
        except (Unreachable, NoPort) as failure:
            raise NotForwarded(str(failure)) from None
        finally:
            self._asked -= 1

    async def _opened(self, request: Request) -> int:
        host, port = request.destination_address, request.destination_port
        screen = await connect(self.reactor, host, port, self.node)
        door = _Door(self.reactor)
        factory: Any = door
        if request.kind is Kind.SECURE_WEBSOCKET:
            factory = TLSMemoryBIOFactory(self.settings.tls, False, door)
            factory.noisy = False
        try:
            number, door.listening = await self.ports.listen(
                factory, request.source_port
            )
        except (NoPort, CancelledError):
            screen.abort()
            raise
        self._log.info(
            "port {port} leads to {host}:{node_port}, for one {kind} viewer",
            port=number,
            host=host,
            node_port=port,
            kind=request.kind.value,
        )
        work = Deferred.fromCoroutine(self._serve(number, request, door, screen))
        self._open.add(work)
        work.addBoth(self._over, work)
        return number

    def _over(self, result: object, work: "Deferred[None]") -> None:
        self._open.discard(work)

    async def _serve(
        self, number: int, request: Request, door: "_Door", screen: StreamPeer
    ) -> None:
        """Wait for the viewer, let him in, and relay until one is gone."""
        carried = 0, 0
        try:
            stream = await door.viewer(self.settings.viewer_s)
            viewer = await self._let_in(request, stream)
            relay = Relay(viewer, screen)
            relay.start()
            try:
                reason = await relay.ended
            except CancelledError:
                reason = "the proxy stops"
                relay.close(reason)
            carried = relay.carried
        except HandshakeFailed as failure:
            reason = f"the viewer {failure}"
        except CancelledError:
            reason = "the proxy stops"
        except Exception:
            self._log.failure("the forwarding of port {port} failed", port=number)
            reason = "something is wrong with the proxy"
        finally:
            door.close()
            self.ports.give_back(number)
        screen.close(reason)
        self._log.info(
            "port {port} is over: {reason}; {up} bytes up, {down} bytes down",
            port=number,
            reason=reason,
            up=carried[0],
            down=carried[1],
        )

    async def _let_in(self, request: Request, stream: StreamPeer) -> Peer:
        """Return the viewer's peer, behind his handshake."""
        viewer: Peer = stream
        within_s = self.settings.handshake_s
        try:
            if request.kind is not Kind.VNC:
                viewer = await upgraded(self.reactor, stream, within_s)
            handshake = ViewerHandshake(
                request.password.encode("utf-8"), os.urandom(des.CHALLENGE)
            )
            await shake(self.reactor, viewer, handshake, within_s)
        except HandshakeFailed:
            raise  # he is told, and closed
        except BaseException:
            viewer.abort()
            raise
        return viewer


@define(eq=False, slots=False)
class _Door(Factory):
    """Lets one connection in, and no other."""

    noisy = False

    reactor: Any
    listening: list[IListeningPort] = field(factory=list)
    _came: "Deferred[StreamPeer]" = field(factory=Deferred, init=False)
    _open: bool = field(default=True, init=False)

    def buildProtocol(self, address: object) -> StreamPeer | None:
        if not self._open:
            return None
        self._open = False
        return _Visitor(self)

    async def viewer(self, timeout_s: float) -> StreamPeer:
        """
        Return the first who comes, paused.

        :raises HandshakeFailed: Nobody came.
        """
        waiting = self.reactor.callLater(timeout_s, self._nobody, timeout_s)
        try:
            return await self._came
        finally:
            if waiting.active():
                waiting.cancel()
            self.close()

    def came(self, peer: StreamPeer) -> None:
        """Somebody has."""
        if not self._came.called:
            self._came.callback(peer)
        else:
            peer.abort()

    def _nobody(self, timeout_s: float) -> None:
        self._open = False
        if not self._came.called:
            self._came.errback(HandshakeFailed(f"did not come within {timeout_s:g} s"))

    def close(self) -> None:
        """Let nobody in any more."""
        self._open = False
        listening, self.listening = self.listening, []
        for port in listening:
            port.stopListening()


class _Visitor(StreamPeer):
    """Whoever has come through a door."""

    def __init__(self, door: _Door) -> None:
        super().__init__(door.reactor)
        self._door: _Door | None = door

    def connectionMade(self) -> None:
        super().connectionMade()
        door, self._door = self._door, None
        if door is not None:
            door.came(self)
