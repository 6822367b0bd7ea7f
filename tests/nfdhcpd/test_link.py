"""How answers get to taps: real interfaces, in namespaces."""

from ipaddress import IPv6Address

from snf.nfdhcpd.link import Link, mac_of, number_of
from snf.nfdhcpd.link_local import link_local_of
from tests.nfdhcpd.case import GuestsTestCase
from tests.node.inside import heard, inside, sniffer
from tests.node.lab import run

FRAME = bytes.fromhex("ffffffffffff") + bytes(6) + b"\x88\xb5" + b"snf" * 20


class LinkTests(GuestsTestCase):
    """A tap that is there, goes, and is there again."""

    def test_sent(self) -> None:
        """A frame is sent to the tap whose number it is."""
        guest, other = self.plain_guest(1), self.plain_guest(2)
        raw, others = (
            self.kept(sniffer(one.namespace, one.device)) for one in (guest, other)
        )
        self.assertEqual("", inside(self.node.namespace, self.sent, guest.tap))
        self.assertTrue(heard(raw, FRAME))
        self.assertFalse(heard(others, FRAME))

    def sent(self, tap: str) -> str:
        """Send a frame to a tap; return what is said of it."""
        link = Link(tap, number_of(tap))
        self.addCleanup(link.outlet.close)
        return link.send(FRAME)

    def test_named_again(self) -> None:
        """Another tap that has the name now is sent nothing."""
        guest, other = self.plain_guest(1), self.plain_guest(2)
        raw = self.kept(sniffer(other.namespace, other.device))

        def renamed() -> list[str]:
            link = Link(guest.tap, number_of(guest.tap))
            self.addCleanup(link.outlet.close)
            said = [link.send(FRAME)]
            run("ip", "link", "del", guest.tap)
            run("ip", "link", "set", other.tap, "down")
            run("ip", "link", "set", other.tap, "name", guest.tap)
            run("ip", "link", "set", guest.tap, "up")
            return [*said, link.send(FRAME)]

        self.assertEqual(
            ["", "No such device or address"], inside(self.node.namespace, renamed)
        )
        self.assertFalse(heard(raw, FRAME))

    def test_down(self) -> None:
        """A tap that is down, and up again, can be sent to again."""
        guest = self.plain_guest(1)

        def sent() -> list[str]:
            link = Link(guest.tap, number_of(guest.tap))
            self.addCleanup(link.outlet.close)
            run("ip", "link", "set", guest.tap, "down")
            said = [link.send(FRAME)]
            run("ip", "link", "set", guest.tap, "up")
            return [*said, link.send(FRAME)]

        self.assertEqual(["Network is down", ""], inside(self.node.namespace, sent))

    def test_mac(self) -> None:
        """An interface has a MAC address, unless it is of another kind or not there."""
        self.plain_guest(1)
        found = [
            inside(self.node.namespace, mac_of, name)
            for name in ("tap1", "lo", "tap9", "tap1" + "x" * 20)
        ]
        self.assertEqual([bytes.fromhex("eeeeeeeeeeee"), None, None, None], found)

    def test_link_local(self) -> None:
        """A node has the address that it was given, or the one that the kernel made."""
        for number in (1, 2):
            self.plain_guest(number)
        self.node.ip(
            "addr add fe80::1/64 dev tap1 nodad",
            "addr add 2001:db8::1/64 dev tap2 nodad",
        )
        found = [
            inside(self.node.namespace, link_local_of, name)
            for name in ("tap1", "tap2", "lo", "tap9")
        ]
        made = IPv6Address("fe80::ecee:eeff:feee:eeee")
        self.assertEqual([IPv6Address("fe80::1"), made, None, None], found)
