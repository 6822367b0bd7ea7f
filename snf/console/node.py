"""A node's end of a console: a guest's screen, or a port that gives bytes."""

from typing import Any

from attrs import define, field, frozen
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from snf import trust
from snf.console.peer import StreamPeer
from snf.console.screens import ScreenHandshake
from snf.console.shaking import HandshakeFailed, shake


class Unreachable(Exception):
    """The node's console cannot be had; the text says why."""


@frozen
class NodeSettings:
    """
    How nodes are reached.

    :ivar connect_s: How long one attempt to connect may take.
    :ivar attempts: How many there are.
    :ivar wait_s: How long to wait between two.
    :ivar handshake_s: How long the handshake may take, TLS and all.
    :ivar password: Of the VNC servers; None where they have none.
    :ivar tls: Whether TLS is spoken where it is offered.
    :ivar plain: Whether it need not be spoken.
    :ivar authorities: In PEM, the certificates of which one must have issued a
        node's; the system's when None.
    """

    connect_s: float = 5.0
    attempts: int = 3
    wait_s: float = 0.1
    handshake_s: float = 10.0
    password: str | None = field(default=None, repr=False)
    tls: bool = True
    plain: bool = True
    authorities: str | None = field(default=None, repr=False)


async def connect(
    reactor: Any, host: str, port: int, settings: NodeSettings
) -> StreamPeer:
    """
    Return a guest's screen, paused, whose VNC server has let us in.

    What it says next is its answer to a viewer's ClientInit.

    :raises Unreachable: It cannot be had.
    """
    peer = await open_stream(reactor, host, port, settings)
    password = settings.password
    handshake = ScreenHandshake(
        password=None if password is None else password.encode("utf-8"),
        tls=settings.tls,
        plain=settings.plain,
    )
    try:
        await shake(
            reactor,
            peer,
            handshake,
            settings.handshake_s,
            lambda: peer.start_tls(trust.verified(host, settings.authorities)),
        )
    except HandshakeFailed as failure:
        raise Unreachable(f"the VNC server of {host}:{port} {failure}") from None
    return peer


async def open_stream(
    reactor: Any, host: str, port: int, settings: NodeSettings
) -> StreamPeer:
    """
    Return a connection, paused, over which bytes go as they are.

    :raises Unreachable: Nobody takes it.
    """
    endpoint = HostnameEndpoint(reactor, host, port, timeout=settings.connect_s)
    for left in reversed(range(settings.attempts)):
        try:
            peer = await endpoint.connect(_Streams(reactor))
        except (ConnectError, DNSLookupError, ValueError) as failure:
            if not left:
                raise Unreachable(
                    f"{host}:{port} cannot be reached: {_why(failure)}"
                ) from None
            await deferLater(reactor, settings.wait_s)
        else:
            assert isinstance(peer, StreamPeer)
            return peer
    raise AssertionError("there is at least one attempt")


@define(eq=False, slots=False)
class _Streams(Factory):
    """Makes the peer of a connection to a node."""

    noisy = False

    clock: IReactorTime

    def buildProtocol(self, address: object) -> StreamPeer:
        return StreamPeer(self.clock)


def _why(failure: Exception) -> str:
    if isinstance(failure, DNSLookupError):
        return "there is no such host"
    if isinstance(failure, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(failure, TimeoutError):
        return "no answer"
    return "no connection"
