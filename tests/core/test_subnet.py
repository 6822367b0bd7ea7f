"""Subnets: what their pools may be, for all that clients may say."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from twisted.trial.unittest import SynchronousTestCase

from snf.core.address import eui64, mac_address
from snf.core.errors import SnfError
from snf.core.network import number_prefix, prefix_number
from snf.core.subnet import IPNetwork, network_of, pools_of, usual_gateway, usual_pools

_WHOLE = ip_network("198.51.100.0/28")
_ADDRESS = st.integers(-2, 18).map(lambda n: str(_WHOLE.network_address + n))


def _networks() -> SearchStrategy[IPNetwork]:
    four = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 30)).map(
        lambda one: ip_network((one[0] >> 32 - one[1] << 32 - one[1], one[1]))
    )
    six = st.tuples(st.integers(0, 2**64 - 1)).map(
        lambda one: ip_network((one[0] << 64, 64))
    )
    return four | six


class CidrTests(SynchronousTestCase):
    """What a subnet is."""

    @given(st.text(max_size=40))
    def test_text(self, text: str) -> None:
        """Whatever a client writes is a subnet or a refusal."""
        try:
            whole = network_of(text, None)
        except SnfError:
            return
        self.assertGreaterEqual(whole.num_addresses, 4)

    @given(_networks())
    def test_usual(self, whole: IPNetwork) -> None:
        """The usual pools are within the usual subnet, without the gateway."""
        try:
            found = network_of(str(whole), whole.version)
        except SnfError:
            return
        self.assertEqual(whole, found)
        gateway = usual_gateway(whole)
        pools = usual_pools(whole, gateway)
        again = pools_of([(str(p.first), str(p.last)) for p in pools], whole, gateway)
        self.assertEqual(pools, again)


class PoolTests(SynchronousTestCase):
    """Pools that somebody asks for."""

    @given(
        st.lists(st.tuples(_ADDRESS, _ADDRESS), max_size=5),
        st.none() | _ADDRESS.map(ip_address),
    )
    def test_pools(self, wanted: list[tuple[str, str]], gateway) -> None:
        """Those that are taken have each host once at most, and never the gateway."""
        hosts = set(_WHOLE.hosts())
        every = [
            set(map(ip_address, range(int(ip_address(a)), int(ip_address(b)) + 1)))
            for a, b in wanted
        ]
        sound = all(
            one and one <= hosts and gateway not in one for one in every
        ) and sum(map(len, every)) == len(set().union(*every))
        try:
            pools = pools_of(wanted, _WHOLE, gateway)
        except SnfError:
            self.assertFalse(sound, wanted)
            return
        self.assertTrue(sound, wanted)
        self.assertEqual(
            sorted(wanted), sorted((str(p.first), str(p.last)) for p in pools)
        )


class AddressTests(SynchronousTestCase):
    """MAC addresses, and what follows from them."""

    def test_prefix(self) -> None:
        """A prefix of 20 bits is a number, and the beginning of a MAC address."""
        self.assertEqual("aa:01:0", number_prefix(prefix_number("aa:01:0")))
        self.assertEqual(
            "aa:01:0b:cd:ef:12",
            mac_address("aa:01:0", lambda count: b"\x7b\xcd\xef\x12"[:count]),
        )

    def test_eui64(self) -> None:
        """The example of RFC 4291, appendix A, in a prefix."""
        self.assertEqual(
            ip_address("2001:db8::3656:78ff:fe9a:bcde"),
            eui64("2001:db8::/64", "34:56:78:9a:bc:de"),
        )
        self.assertRaises(ValueError, eui64, "2001:db8::/65", "34:56:78:9a:bc:de")
