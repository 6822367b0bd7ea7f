"""Router advertisements that nobody asked for (RFC 4861, 6.2.4)."""

import random
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall

from snf.nfdhcpd.client import Client, Clients

_KIND = "rs"
# Sent before the reactor looks after others: some 10 us each.
_AT_ONCE = 32
# RFC 4861, 6.2.1: of the longest time between two, for a time that is not all links'.
_SHORTEST = 0.75


@define(eq=False)
class Advertiser(Service):
    """
    Tells all guests, once in a period and when their bindings are read.

    :ivar reactor: An ``IReactorTime``.
    :ivar period_s: The longest time between two rounds.
    :ivar sent: How many advertisements were sent.
    :ivar unsent: How many could not be, since a tap was down or had no room.
    """

    reactor: Any
    clients: Clients
    period_s: float
    sent: int = field(init=False, default=0)
    unsent: int = field(init=False, default=0)
    _round: IDelayedCall | None = field(init=False, default=None)
    _next: IDelayedCall | None = field(init=False, default=None)
    _due: dict[Client, None] = field(init=False, factory=dict)

    def startService(self) -> None:
        super().startService()
        self._wait()

    def stopService(self) -> None:
        super().stopService()
        for call in (self._round, self._next):
            if call is not None:
                call.cancel()
        self._round = self._next = None
        self._due.clear()

    def tell(self, client: Client) -> None:
        """Have a guest told, as soon as others allow."""
        if not self.running or client.compiled.get(_KIND) is None:
            return
        self._due[client] = None
        if self._next is None:
            self._next = self.reactor.callLater(0, self._some)

    def _wait(self) -> None:
        wait_s = self.period_s * random.uniform(_SHORTEST, 1)
        self._round = self.reactor.callLater(wait_s, self._all)

    def _all(self) -> None:
        self._wait()
        for client in self.clients:
            self.tell(client)

    def _some(self) -> None:
        self._next = None
        for _ in range(min(_AT_ONCE, len(self._due))):
            client = next(iter(self._due))
            del self._due[client]
            if client.gone:
                continue
            if client.link.send(client.compiled[_KIND].frame):
                self.unsent += 1
            else:
                self.sent += 1
        if self._due:
            self._next = self.reactor.callLater(0, self._some)
