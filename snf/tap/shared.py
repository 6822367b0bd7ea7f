"""Listening where other processes listen too, so that one API may use several cores."""

import re
import socket
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

_SHARED = re.compile(r"shared:([0-9]{1,5})(?::interface=(.+))?")

_BACKLOG = 128


def endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """
    Return where to listen: as Twisted describes it, or ``shared:PORT:interface=ADDR``.

    :raises ValueError: It is neither.
    """
    if not description.startswith("shared:"):
        return serverFromString(reactor, description)
    match = _SHARED.fullmatch(description)
    if match is None or int(match[1]) > 65_535:
        raise ValueError(f"{description!r} is not shared:PORT:interface=ADDRESS")
    # Twisted has colons escaped, which here only an IPv6 address has.
    return SharedEndpoint(reactor, int(match[1]), (match[2] or "").replace("\\:", ":"))


@implementer(IStreamServerEndpoint)
@frozen
class SharedEndpoint:
    """A TCP port that any number of processes of one user listen on (SO_REUSEPORT).

    The kernel hands each new connection to one of them, as evenly as chance is.

    :ivar interface: The address of this host to listen at; empty for all IPv4 ones.
    """

    reactor: Any
    port: int
    interface: str = ""

    def listen(self, factory: IProtocolFactory) -> "Deferred[IListeningPort]":
        """Listen; fails where the port belongs to somebody who does not share it."""
        family = socket.AF_INET6 if ":" in self.interface else socket.AF_INET
        try:
            with socket.create_server(
                (self.interface, self.port),
                family=family,
                backlog=_BACKLOG,
                reuse_port=True,
            ) as listening:
                listening.setblocking(False)
                # It takes a copy.
                port = self.reactor.adoptStreamPort(listening.fileno(), family, factory)
        except OSError as failure:
            return fail(CannotListenError(self.interface, self.port, failure))
        return succeed(port)
