"""The ports that viewers are given: one each, for one connection."""

import errno
import random
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import deferLater

# So many are tried before everybody else has his turn.
_TRIED_AT_ONCE = 32
_BACKLOG = 8

# The host does not have such addresses at all, or not that one.
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class NoPort(Exception):
    """No port can be had; the text says why."""


@define(eq=False)
class Ports:
    """
    A range of them.

    :ivar first: The first and the last.
    :ivar addresses: At which they listen, of this host; those of a family that the host
        does not have are left out.
    """

    reactor: Any
    first: int
    last: int
    addresses: Sequence[str]
    chance: random.Random = field(factory=random.Random)
    _taken: set[int] = field(factory=set, init=False)

    async def listen(
        self, factory: IProtocolFactory, wanted: int = 0
    ) -> tuple[int, list[IListeningPort]]:
        """
        Return a port, and what listens there until it is told not to.

        :param wanted: The port that it is to be; 0 is any.
        :raises NoPort: All are taken, or that one.
        """
        if wanted:
            return wanted, self._one(factory, wanted)
        size = self.last - self.first + 1
        begin = self.chance.randrange(size)
        for tried in range(size):
            port = self.first + (begin + tried) % size
            if port in self._taken:
                continue
            if tried % _TRIED_AT_ONCE == _TRIED_AT_ONCE - 1:
                await deferLater(self.reactor, 0)
            try:
                return port, self._one(factory, port)
            except NoPort:
                continue  # somebody else's
        raise NoPort(f"no port from {self.first} to {self.last} is free")

    def give_back(self, port: int) -> None:
        """It is not needed any more."""
        self._taken.discard(port)

    def _one(self, factory: IProtocolFactory, port: int) -> list[IListeningPort]:
        if port in self._taken:
            raise NoPort(f"port {port} is taken")
        with ExitStack() as opened:
            sockets = [
                opened.enter_context(one)
                for address in self.addresses
                if (one := _bound(address, port)) is not None
            ]
            if not sockets:
                raise NoPort(f"this host has none of {', '.join(self.addresses)}")
            # It takes copies.
            listening = [
                self.reactor.adoptStreamPort(one.fileno(), one.family, factory)
                for one in sockets
            ]
        self._taken.add(port)
        return listening


def _bound(address: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    try:
        made = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as failure:
        if failure.errno in _ABSENT:
            return None
        raise NoPort(f"port {port}: {failure.strerror}") from None
    made.setblocking(False)
    return made
