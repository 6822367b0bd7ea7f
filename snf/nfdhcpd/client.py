"""A guest that nfdhcpd answers, and all guests by their taps."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import Factory, define, field

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.link import Link
from snf.nfdhcpd.responder import Packet, Responder


@define(eq=False)
class Client:
    """
    A guest.

    :ivar compiled: What each kind of packets is answered from; ``None`` for a kind that
        is not to be answered.
    :ivar waiting: Packets that are there and not answered yet; see ``Turns``.
    :ivar noted: When a sentence about it was last logged, in seconds of the clock.
    """

    binding: Binding
    link: Link
    compiled: Mapping[str, Any]
    waiting: deque[tuple[Responder, Packet]] = Factory(deque)
    noted: float = float("-inf")
    gone: bool = False

    def end(self) -> None:
        """Answer nothing more."""
        self.gone = True


@define(eq=False)
class Clients:
    """
    All guests; by the interface's index, which no other interface has while it lives.

    Names of taps are given again at once, and a packet of the old one may still be on
    its way.
    """

    _by_number: dict[int, Client] = field(init=False, factory=dict)
    _by_name: dict[str, Client] = field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Client]:
        return iter(sorted(self._by_name.values(), key=lambda one: one.link.name))

    def get(self, number: int) -> Client | None:
        """Return the guest of an interface, if there is one."""
        return self._by_number.get(number)

    def put(self, client: Client) -> None:
        """Have a guest in place of whoever had its tap's name."""
        self.drop(client.link.name)
        before = self._by_number.get(client.link.number)
        if before is not None:  # its tap has been renamed
            self.drop(before.link.name)
        self._by_name[client.link.name] = client
        self._by_number[client.link.number] = client

    def drop(self, name: str) -> bool:
        """Forget the guest of a tap, and return whether there was one."""
        client = self._by_name.pop(name, None)
        if client is None:
            return False
        del self._by_number[client.link.number]
        client.end()
        return True
