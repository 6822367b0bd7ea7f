"""Bridges in network namespaces, and cables: on the real kernel."""

import os
from pathlib import Path
from unittest import skipIf
from uuid import uuid4

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.bridge import Bridge, connect
from snf.allinone.namespace import may_change_networks


@skipIf(os.getuid() != 0 or not may_change_networks(), "root is needed")
class BridgeTests(SynchronousTestCase):
    """Two of them."""

    def setUp(self):
        log = Path(self.mktemp())
        self.one, self.two = (
            Bridge(f"cyclades-test-{uuid4().hex[:8]}", log) for _ in range(2)
        )
        for bridge in (self.one, self.two):
            self.addCleanup(bridge.remove)
            bridge.make()

    def cable(self):
        connect(self.one, "uplink", self.two, "node1")

    def plugged(self):
        return self.one.has("uplink"), self.two.has("node1")

    def test_connected(self):
        """A cable has two ends, and a second one is not made."""
        self.assertEqual((False, False), self.plugged())
        self.cable()
        self.cable()
        self.assertEqual((True, True), self.plugged())

    def test_other_end_gone(self):
        """A bridge that was made anew is connected again."""
        self.cable()
        self.two.remove()
        self.two.make()
        self.assertFalse(self.two.has("node1"))
        # The end here may be there still, until the kernel has come to it.
        self.cable()
        self.assertEqual((True, True), self.plugged())
        name = f"link-netns {self.two.namespace}"
        self.assertIn(name, self.one.ip("link", "show", "uplink"))

    def test_half_made(self):
        """A cable that nobody came to plug in is replaced."""
        self.one.ip("link", "add", "uplink", *self.two.peer("node1"))
        self.assertEqual((False, False), self.plugged())
        self.cable()
        self.assertEqual((True, True), self.plugged())

    def test_removed(self):
        """What was removed is not there, and may be removed again."""
        self.assertTrue(self.one.is_there())
        self.one.remove()
        self.one.remove()
        self.assertFalse(self.one.is_there())
