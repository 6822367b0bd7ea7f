"""Guests are answered in turns, so that none waits for another's flood."""

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from snf.nfdhcpd.client import Client
from snf.nfdhcpd.responder import Packet, Responder

# Packets that wait, of all guests together; what comes beyond is dropped, and no loss:
# clients ask again, and nobody asks that often.
WAITING = 1024
# Packets of one guest that wait in any case.
_LEAST = 4
# Packets answered before the reactor looks after others: some 30 us each.
_AT_ONCE = 32


@define(eq=False)
class Turns:
    """
    Has ``answer`` called for each packet, one of each guest in turn.

    Whoever adds packets calls ``begin`` after the last of them: so they are answered in the
    reactor's turn that has read them, unless there are more than that is for.

    :ivar clock: An ``IReactorTime``.
    """

    clock: Any
    answer: Callable[[Client, Responder, Packet], None]
    _ring: deque[Client] = field(init=False, factory=deque)
    _waiting: int = field(init=False, default=0)
    _next: IDelayedCall | None = field(init=False, default=None)

    def has_room(self, client: Client) -> bool:
        """
        Return whether a packet of the guest's may be added.

        It has as many waiting as there are places left at most. So one that floods is
        given half of them, and several leave a share of their own to all others.
        """
        own = len(client.waiting)
        return own < _LEAST or own < WAITING - self._waiting

    def add(self, client: Client, responder: Responder, packet: Packet) -> None:
        """Have a packet answered."""
        if not client.waiting:
            self._ring.append(client)
        client.waiting.append((responder, packet))
        self._waiting += 1

    def begin(self) -> None:
        """Have what was added answered; what waits already goes before it."""
        if self._next is None:
            self._some()

    def stop(self) -> None:
        """Answer nothing more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._ring.clear()
        self._waiting = 0

    def _some(self) -> None:
        self._next = None
        ring = self._ring
        for _ in range(_AT_ONCE):
            if not ring:
                return
            client = ring.popleft()
            if client.gone:
                self._waiting -= len(client.waiting)
                client.waiting.clear()
                continue
            self._waiting -= 1
            responder, packet = client.waiting.popleft()
            if client.waiting:
                ring.append(client)
            self.answer(client, responder, packet)
        if ring:
            self._next = self.clock.callLater(0, self._some)
