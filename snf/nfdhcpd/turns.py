"""Guests are answered in turns, so that none waits for another's flood."""

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from snf.nfdhcpd.client import Client
from snf.nfdhcpd.responder import Packet, Responder

# Packets of one guest that wait; what comes beyond is dropped, and no loss: clients ask
# again, and nobody asks that often.
WAITING = 64
# Packets answered before the reactor looks after others: some 30 us each.
_AT_ONCE = 32


@define(eq=False)
class Turns:
    """
    Has ``answer`` called for each packet, one of each guest in turn.

    :ivar clock: An ``IReactorTime``.
    """

    clock: Any
    answer: Callable[[Client, Responder, Packet], None]
    _ring: deque[Client] = field(init=False, factory=deque)
    _next: IDelayedCall | None = field(init=False, default=None)

    def has_room(self, client: Client) -> bool:
        """Return whether a packet of the guest's may be added."""
        return len(client.waiting) < WAITING

    def add(self, client: Client, responder: Responder, packet: Packet) -> None:
        """Have a packet answered."""
        if not client.waiting:
            self._ring.append(client)
        client.waiting.append((responder, packet))
        if self._next is None:
            self._next = self.clock.callLater(0, self._some)

    def stop(self) -> None:
        """Answer nothing more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._ring.clear()

    def _some(self) -> None:
        self._next = None
        ring = self._ring
        for _ in range(_AT_ONCE):
            if not ring:
                return
            client = ring.popleft()
            if not client.waiting:  # it ended meanwhile
                continue
            responder, packet = client.waiting.popleft()
            if client.waiting:
                ring.append(client)
            self.answer(client, responder, packet)
        if ring:
            self._next = self.clock.callLater(0, self._some)
