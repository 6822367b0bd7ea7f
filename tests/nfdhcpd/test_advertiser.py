"""Router advertisements that nobody asked for."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.advertiser import Advertiser
from snf.nfdhcpd.binding import parse
from snf.nfdhcpd.client import Client, Clients
from snf.nfdhcpd.link import Link
from tests.nfdhcpd.guest6 import bound

PERIOD_S = 100.0


class AdvertiserTests(SynchronousTestCase):
    """All guests, again and again."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clients = Clients()
        self.sent: list[str] = []
        self.refusing: set[str] = set()
        self.patch(Link, "send", lambda link, frame: self.send(link, frame))
        self.advertiser = Advertiser(self.clock, self.clients, PERIOD_S)
        self.advertiser.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.advertiser.running:
            self.advertiser.stopService()
        self.assertEqual([], self.clock.getDelayedCalls())

    def send(self, link: Link, frame: bytes) -> str:
        self.assertEqual(bytes.fromhex("333300000001"), frame[:6])
        if link.name in self.refusing:
            return "is down"
        self.sent.append(link.name)
        return ""

    def guest(self, number: int, **values: str) -> Client:
        """Return a guest that is there."""
        known = bound("rs", **values)[1]
        name = f"tap{number}"
        binding = parse(name, f"MAC=aa:00:00:00:00:{number:02x}\nHOSTNAME=x\n")
        client = Client(binding, Link(name, number), {"rs": known})
        self.clients.put(client)
        return client

    def test_read(self) -> None:
        """A guest whose binding has been read is told at once, if it has IPv6."""
        self.advertiser.tell(self.guest(1))
        self.advertiser.tell(self.guest(2, SUBNET6=""))
        self.clock.advance(0)
        self.assertEqual(["tap1"], self.sent)

    def test_rounds(self) -> None:
        """Each is told once in a period, no sooner than after three quarters of it."""
        for number in range(1, 101):
            self.guest(number)
        for count in range(1, 4):
            self.clock.advance(PERIOD_S * 0.74)
            self.assertEqual(100 * (count - 1), len(self.sent))
            for _ in range(27):
                self.clock.advance(PERIOD_S * 0.01)
                if len(self.sent) > 100 * (count - 1):
                    break
            self.clock.pump([0] * 4)
            self.assertEqual(100 * count, len(self.sent))
            self.assertEqual(100, len(set(self.sent[-100:])))
        self.assertEqual(300, self.advertiser.sent)

    def test_others_between(self) -> None:
        """After some, the reactor sees to others."""
        later = self.clock.callLater
        turns: list[int] = []

        def noted(*arguments: Any) -> Any:
            turns.append(len(self.sent))
            return later(*arguments)

        self.patch(self.clock, "callLater", noted)
        for number in range(1, 101):
            self.advertiser.tell(self.guest(number))
        self.clock.advance(0)
        self.assertEqual([0, 32, 64, 96], turns)
        self.assertEqual(100, len(self.sent))

    def test_once(self) -> None:
        """Who has been read when a round begins is not told twice."""
        guests = [self.guest(number) for number in range(1, 101)]
        [round_] = self.clock.getDelayedCalls()
        self.clock.callLater(
            round_.getTime(), lambda: [self.advertiser.tell(one) for one in guests]
        )
        self.clock.advance(round_.getTime())
        self.assertEqual(sorted(one.link.name for one in guests), sorted(self.sent))

    def test_gone(self) -> None:
        """Who is gone meanwhile is not told; who has no way to be told stops nobody."""
        for number in (1, 2, 3):
            self.advertiser.tell(self.guest(number))
        self.clients.drop("tap1")
        self.refusing.add("tap2")
        self.clock.advance(0)
        self.assertEqual(["tap3"], self.sent)
        self.assertEqual((1, 1), (self.advertiser.sent, self.advertiser.unsent))

    def test_stop(self) -> None:
        """Nothing is left to do afterwards, and nothing new begins."""
        client = self.guest(1)
        self.advertiser.tell(client)
        self.advertiser.stopService()
        self.advertiser.tell(client)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([], self.sent)
