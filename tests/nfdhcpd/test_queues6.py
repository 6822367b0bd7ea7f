"""What feeds the queues, and what is in them that nobody can make sense of."""

import random
import signal

from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.feeding import unfed
from tests.nfdhcpd.case import QUEUES
from tests.nfdhcpd.flood import Flood
from tests.nfdhcpd.questions import WHOLE
from tests.nfdhcpd.test_kernel6 import Guests6TestCase
from tests.node.inside import sends
from tests.node.lab import Guest

KINDS6 = ("dhcpv6", "ns", "rs")
NUMBERS = {"dhcp": 42, "rs": 43, "ns": 44, "dhcpv6": 45}


def frame_of(guest: Guest, packet: bytes) -> bytes:
    """Return the frame of a guest's packet, for whoever hears it."""
    source = bytes.fromhex(guest.mac.replace(":", ""))
    group = b"\x33\x33" + packet[36:40].ljust(4, b"\0")
    return group + source + b"\x86\xdd" + packet


class FeedingTests(SynchronousTestCase):
    """What is read of rules."""

    def test_unfed(self) -> None:
        """Queues are found in what each program prints, alone or in a row."""
        for text, left in (
            ("", ["dhcp", "rs", "ns", "dhcpv6"]),
            ("-A PREROUTING -j NFQUEUE --queue-num 42\n", ["rs", "ns", "dhcpv6"]),
            ("-j NFQUEUE --queue-num 43 --queue-bypass", ["dhcp", "ns", "dhcpv6"]),
            ("-j NFQUEUE --queue-balance 42:44", ["dhcpv6"]),
            ("udp dport 67 counter queue num 42", ["rs", "ns", "dhcpv6"]),
            ("icmpv6 queue num 43 bypass", ["dhcp", "ns", "dhcpv6"]),
            ("queue flags bypass to 43-45", ["dhcp"]),
            ("queue to 42", ["rs", "ns", "dhcpv6"]),
            ("udp dport 42 --queue-num 420 queue 1", ["dhcp", "rs", "ns", "dhcpv6"]),
        ):
            self.assertEqual(left, unfed(NUMBERS, text), text)
        self.assertEqual([], unfed({}, ""))


class RulesTests(Guests6TestCase):
    """The script that adds the rules, and the warning that some are not there."""

    def rules(self, program: str) -> list[str]:
        """Return the rules of a node that feed queues."""
        text = self.on_node(f"{program}-save", "-t", "mangle")
        return [line for line in text.splitlines() if "NFQUEUE" in line]

    def test_all(self) -> None:
        """Each is there once however often they are added, and none after the end."""
        self.on_node(str(QUEUES), "up")
        self.assertEqual(2, len(self.rules("iptables")))
        self.assertEqual(6, len(self.rules("ip6tables")))
        self.on_node(str(QUEUES), "check")
        self.on_node(str(QUEUES), "up")
        self.on_node(str(QUEUES), "down")
        for program in ("iptables", "ip6tables"):
            self.assertEqual([], self.rules(program))
        self.assertRaises(AssertionError, self.on_node, str(QUEUES), "check")
        self.on_node(str(QUEUES), "down")

    def test_others(self) -> None:
        """Other queues and interfaces, and a queue that is not wanted."""
        self.on_node(str(QUEUES), "down")
        self.on_node("env", "TAPS=vif+", "NS_QUEUE=-1", "RS_QUEUE=7", str(QUEUES), "up")
        found = "\n".join(self.rules("ip6tables"))
        self.assertEqual(4, len(self.rules("ip6tables")))
        self.assertIn("-i vif+", found)
        self.assertIn("--queue-num 7", found)
        self.assertNotIn("--queue-num 44", found)

    def test_warning(self) -> None:
        """nfdhcpd says in a line which queues nothing is put into."""
        self.on_node(str(QUEUES), "down")
        self.on_node("env", "NS_QUEUE=-1", "DHCPV6_QUEUE=-1", str(QUEUES), "up")
        self.start()
        [line] = [line for line in self.text().splitlines() if "no rule of" in line]
        self.assertIn("queue 44 (ns), queue 45 (dhcpv6)", line)
        self.assertNotIn("queue 43", line)

    def test_no_warning(self) -> None:
        """It has nothing to say where all are there."""
        self.start()
        self.assertNotIn("no rule of", self.text())


class SpoiledTests(Guests6TestCase):
    """Spoiled packets on real queues."""

    def test_verdicts(self) -> None:
        """Each has its verdict, nothing fails, and who asks properly is answered."""
        process = self.start()
        guest = self.public_guest()
        self.configured(guest, 1)
        # Without what protects the queues from a guest that asks too often.
        self.on_node("nft", "delete", "table", "netdev", "snf")
        chosen = random.Random(6)
        for _ in range(300):
            kind = chosen.choice(KINDS6)
            packet = bytearray(chosen.choice(WHOLE[kind]))
            for _ in range(chosen.randint(0, 3)):
                packet[chosen.randrange(8, len(packet))] = chosen.randrange(256)
            if chosen.random() < 0.2:
                del packet[chosen.randrange(40, len(packet)) :]
            self.say(guest, bytes(packet))
        for kind in KINDS6:
            self.until(
                lambda: self.answered(guest, kind),  # noqa: B023
                f"nobody is answered any more: {kind}",
            )
        self.until(lambda: self.waiting() == [0] * 4, "packets have no verdict")
        self.assertNotIn("Traceback", self.text())
        self.assertNotIn('outcome="failed"', self.metrics())
        self.assertTrue(self.count("dhcpv6", "malformed") > 0)
        process.send_signal(signal.SIGTERM)
        process.wait(20)

    def say(self, guest: Guest, packet: bytes) -> None:
        """Send a packet of a guest's, to whoever hears it."""
        sends(guest.namespace, guest.device, frame_of(guest, packet))

    def answered(self, guest: Guest, kind: str) -> bool:
        """Return whether what is not spoiled is answered."""
        outcomes = {"rs": "ra", "ns": "na", "dhcpv6": "advertise"}
        before = self.count(kind, outcomes[kind])
        self.say(guest, WHOLE[kind][0])
        return self.count(kind, outcomes[kind]) > before


class FloodTests(Guests6TestCase):
    """One guest that floods, and another one."""

    def test_other(self) -> None:
        """Whatever one floods with, another is answered, and its neighbors are found."""
        self.start()
        guests = [self.public_guest(1), self.public_guest(2)]
        for number, guest in enumerate(guests, 1):
            self.configured(guest, number)
        # Without what protects the queues from a guest that asks too often.
        self.on_node("nft", "delete", "table", "netdev", "snf")
        flooder, other = guests
        self.in_guest(other, "ip", "link", "set", "eth0", "down")
        for kind in KINDS6:
            frame = frame_of(flooder, WHOLE[kind][0])
            with Flood(flooder.namespace, flooder.device, frame):
                self.in_guest(other, "ip", "link", "set", "eth0", "up")
                self.configured(other, 2)
                self.in_guest(other, "ip", "link", "set", "eth0", "down")
            self.assertTrue(self.count(kind, "flood") > 0, kind)
        self.until(lambda: self.waiting() == [0] * 4, "packets have no verdict")
