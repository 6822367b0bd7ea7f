"""Choosing addresses."""

import os
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.address import first_free, mac_address

_START, _END = ip_address("192.0.2.10"), ip_address("192.0.2.40")


class FirstFreeTests(SynchronousTestCase):
    """The lowest address that nobody has."""

    @given(st.sets(st.ip_addresses(network="192.0.2.0/26"), max_size=64))
    def test_lowest(self, taken):
        """It is from the pool, not taken, and none below it is free."""
        found = first_free(_START, _END, sorted(taken))
        pool = [ip_address(number) for number in range(int(_START), int(_END) + 1)]
        free = [address for address in pool if address not in taken]
        self.assertEqual(free[0] if free else None, found)

    def test_v6(self):
        """IPv6 pools work the same."""
        start, end = ip_address("2001:db8::1"), ip_address("2001:db8::ffff")
        self.assertEqual(
            ip_address("2001:db8::2"),
            first_free(start, end, [ip_address("2001:db8::1")]),
        )


class MacAddressTests(SynchronousTestCase):
    """MAC addresses begin as told."""

    def test_prefix(self):
        """The prefix stays, the rest is random."""
        self.assertEqual(
            "aa:00:0b:ff:ff:ff", mac_address("aa:00:0b", lambda count: b"\xff" * count)
        )
        self.assertRegex(mac_address("aa:00:0b", os.urandom), r"^aa:00:0b(:..){3}$")
