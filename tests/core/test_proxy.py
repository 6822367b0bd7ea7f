"""Who a client is behind reverse proxies."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.proxy import client

OURS = (ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/48"))


class ProxyTests(SynchronousTestCase):
    """What is believed of ``X-Forwarded-For``, and from whom."""

    def test_told(self) -> None:
        """The first from the right that is no proxy of ours, whatever is before it."""
        for told, expected in (
            (["203.0.113.7"], "203.0.113.7"),
            (["10.9.9.9, 203.0.113.7"], "203.0.113.7"),
            (["203.0.113.7, 192.0.2.5"], "203.0.113.7"),
            (["10.9.9.9", "203.0.113.7,192.0.2.5 , 192.0.2.6"], "203.0.113.7"),
            (["2001:db8::7"], "2001:db8::7"),
            (["[2001:db8::7]:4711"], "2001:db8::7"),
            (["203.0.113.7:4711"], "203.0.113.7"),
            (["::ffff:203.0.113.7"], "203.0.113.7"),
            (["2001:db8:9::1, 2001:db8:1::2"], "2001:db8:9::1"),
        ):
            self.assertEqual(expected, client("192.0.2.1", told, OURS), told)

    def test_nobody_else(self) -> None:
        """Who is no proxy of ours is believed nothing."""
        for peer in ("203.0.113.9", "2001:db8::9", "", "a socket"):
            self.assertEqual(peer, client(peer, ["198.51.100.1"], OURS))
        self.assertEqual("192.0.2.1", client("192.0.2.1", ["198.51.100.1"], ()))

    def test_nothing_of_use(self) -> None:
        """Without a word that makes sense it is the last proxy that is known."""
        for told in ([], [""], ["unknown"], ["203.0.113.7, _hidden"], ["1.2.3"]):
            self.assertEqual("192.0.2.1", client("192.0.2.1", told, OURS), told)
        self.assertEqual("192.0.2.5", client("192.0.2.1", ["x, 192.0.2.5"], OURS))

    @given(st.lists(st.text(max_size=60), max_size=5))
    def test_anything(self, told: list[str]) -> None:
        """Whatever a client writes before it, the proxy's word counts."""
        self.assertEqual(
            "203.0.113.7", client("192.0.2.1", [*told, "203.0.113.7"], OURS)
        )
