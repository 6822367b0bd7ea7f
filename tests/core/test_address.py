"""Addresses of interfaces."""

import os

from twisted.trial.unittest import SynchronousTestCase

from snf.core.address import mac_address


class MacAddressTests(SynchronousTestCase):
    """MAC addresses begin as told."""

    def test_prefix(self):
        """The prefix stays, the rest is random."""
        self.assertEqual(
            "aa:00:0b:ff:ff:ff", mac_address("aa:00:0b", lambda count: b"\xff" * count)
        )
        self.assertRegex(mac_address("aa:00:0b", os.urandom), r"^aa:00:0b(:..){3}$")
