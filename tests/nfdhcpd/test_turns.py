"""Who is answered when."""

from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.binding import Binding
from snf.nfdhcpd.client import Client, Clients
from snf.nfdhcpd.dhcp4 import Dhcp4
from snf.nfdhcpd.link import Link
from snf.nfdhcpd.responder import Packet
from snf.nfdhcpd.settings import Dhcp
from snf.nfdhcpd.turns import WAITING, Turns

DHCP4 = Dhcp4(Dhcp())


def client(name: str, number: int = 1) -> Client:
    """Return a guest."""
    return Client(Binding(name, name, bytes(6), "snf-1"), Link(name, number), {})


class TurnsTests(SynchronousTestCase):
    """Packets of several guests."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answered: list[tuple[str, bytes]] = []
        self.turns = Turns(self.clock, self.answer)

    def answer(self, who: Client, responder: Any, packet: Packet) -> None:
        self.answered.append((who.link.name, packet.payload))

    def add(self, who: Client, payload: bytes = b"") -> bool:
        room = self.turns.has_room(who)
        if room:
            self.turns.add(who, DHCP4, Packet(payload))
        return room

    def test_flood(self) -> None:
        """Who comes while another floods is answered after one packet of his."""
        flooder, other = client("tap1"), client("tap2")
        for _ in range(WAITING):
            self.assertTrue(self.add(flooder))
        self.assertTrue(self.add(other))
        self.clock.advance(0)
        self.assertEqual(
            ["tap1", "tap2", "tap1"], [name for name, _ in self.answered][:3]
        )

    def test_bound(self) -> None:
        """A guest has so many packets waiting, and no more."""
        flooder = client("tap1")
        taken = [self.add(flooder) for _ in range(WAITING + 10)]
        self.assertEqual([True] * WAITING + [False] * 10, taken)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        self.assertEqual(WAITING, len(self.answered))
        self.assertTrue(self.add(flooder))

    def test_order(self) -> None:
        """Packets of one guest keep their order."""
        both = client("tap1"), client("tap2")
        for number in range(40):
            for who in both:
                self.add(who, bytes((number,)))
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        for who in both:
            seen = [
                packet[0] for name, packet in self.answered if name == who.link.name
            ]
            self.assertEqual(list(range(40)), seen)

    def test_others_between(self) -> None:
        """After some packets, the reactor sees to others."""
        turns: list[int] = []
        later = self.clock.callLater

        def noted(*arguments: Any) -> Any:
            turns.append(len(self.answered))
            return later(*arguments)

        self.patch(self.clock, "callLater", noted)
        for number in range(8):
            who = client(f"tap{number}")
            for _ in range(WAITING):
                self.add(who)
        self.clock.advance(0)
        self.assertEqual(8 * WAITING, len(self.answered))
        for before, after in pairwise(turns):
            self.assertTrue(0 < after - before < WAITING)

    def test_gone(self) -> None:
        """Who ends is not answered, and keeps nobody else from it."""
        gone, other = client("tap1"), client("tap2")
        self.add(gone)
        self.add(other)
        gone.end()
        self.clock.advance(0)
        self.assertEqual(["tap2"], [name for name, _ in self.answered])

    def test_stop(self) -> None:
        """Nothing is left to do afterwards."""
        self.add(client("tap1"))
        self.turns.stop()
        self.assertEqual([], self.clock.getDelayedCalls())


class ClientsTests(SynchronousTestCase):
    """The table of guests."""

    def test_reused(self) -> None:
        """A tap's name that is given again means the new one; the old number nobody."""
        clients = Clients()
        old, new = client("tap1", 5), client("tap1", 9)
        clients.put(old)
        clients.put(new)
        self.assertIsNone(clients.get(5))
        self.assertIs(new, clients.get(9))
        self.assertTrue(old.gone)
        self.assertEqual(1, len(clients))

    def test_renamed(self) -> None:
        """A tap that has another name now is there once."""
        clients = Clients()
        clients.put(client("tap1", 5))
        clients.put(client("tap2", 5))
        self.assertEqual(["tap2"], [one.link.name for one in clients])

    def test_drop(self) -> None:
        """Who is forgotten is neither there by name nor by number."""
        clients = Clients()
        clients.put(client("tap1", 5))
        self.assertTrue(clients.drop("tap1"))
        self.assertFalse(clients.drop("tap1"))
        self.assertIsNone(clients.get(5))
        self.assertEqual(0, len(clients))
