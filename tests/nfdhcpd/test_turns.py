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
        while self.add(flooder):
            pass
        self.assertTrue(self.add(other))
        self.turns.begin()
        self.assertEqual(
            ["tap1", "tap2", "tap1"], [name for name, _ in self.answered][:3]
        )

    def test_at_once(self) -> None:
        """What few ask is answered in the reactor's turn that has read it."""
        both = client("tap1"), client("tap2")
        for who in both:
            self.add(who)
        self.assertEqual([], self.answered)
        self.turns.begin()
        self.assertEqual(["tap1", "tap2"], [name for name, _ in self.answered])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_backlog(self) -> None:
        """While some wait, reading more does not have more answered in a turn."""
        flooder, other = client("tap1"), client("tap2")
        while self.add(flooder):
            pass
        self.turns.begin()
        before = len(self.answered)
        self.add(other)
        self.turns.begin()
        self.assertEqual(before, len(self.answered))
        self.through()
        self.assertEqual(WAITING // 2 + 1, len(self.answered))

    def test_bound(self) -> None:
        """A guest has half of all places, and can have them again."""
        flooder = client("tap1")
        for _ in range(2):
            taken = [self.add(flooder) for _ in range(WAITING)]
            half = WAITING // 2
            self.assertEqual([True] * half + [False] * half, taken)
            self.through()
            self.assertEqual(half, len(self.answered))
            self.answered.clear()

    def test_floods(self) -> None:
        """However many flood, there is an end to what waits, and others have places."""
        flooders = [client(f"tap{number}") for number in range(2, 60)]
        for _ in range(WAITING):
            for one in flooders:
                self.add(one)
        waiting = sum(len(one.waiting) for one in flooders)
        self.assertTrue(waiting <= WAITING, waiting)
        other = client("tap1")
        self.assertEqual([True] * 4, [self.add(other) for _ in range(4)])
        self.through()
        self.assertEqual(waiting + 4, len(self.answered))

    def test_ended(self) -> None:
        """The places of one that ends are others' again."""
        gone, other = client("tap1"), client("tap2")
        while self.add(gone):
            pass
        gone.end()
        self.through()
        for _ in range(WAITING // 2):
            self.assertTrue(self.add(other))

    def through(self) -> None:
        """Have all that waits answered."""
        self.turns.begin()
        while self.clock.getDelayedCalls():
            self.clock.advance(0)

    def test_order(self) -> None:
        """Packets of one guest keep their order."""
        both = client("tap1"), client("tap2")
        for number in range(40):
            for who in both:
                self.add(who, bytes((number,)))
        self.through()
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
            for _ in range(64):
                self.add(who)
        self.through()
        self.assertEqual(8 * 64, len(self.answered))
        for before, after in pairwise(turns):
            self.assertTrue(0 < after - before < 64)

    def test_gone(self) -> None:
        """Who ends is not answered, and keeps nobody else from it."""
        gone, other = client("tap1"), client("tap2")
        self.add(gone)
        self.add(other)
        gone.end()
        self.turns.begin()
        self.assertEqual(["tap2"], [name for name, _ in self.answered])

    def test_stop(self) -> None:
        """Nothing is left to do afterwards."""
        who = client("tap1")
        while self.add(who):
            pass
        self.turns.begin()
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
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
