"""The public network of an all-in-one, as far as it needs no cloud."""

import json
import os
import subprocess
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from unittest import skipIf
from uuid import uuid4

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.bridge import Bridge
from snf.allinone.layout import Instance
from snf.allinone.namespace import may_change_networks
from snf.allinone.public import TABLE, Public

# Of a number that is never chosen.
INSTANCE = Instance("fbtest", 251, 1, 2, 3, 4, 5)


class AddressTests(SynchronousTestCase):
    """Which addresses it has."""

    def test_nobody_elses(self):
        """They are of ranges that are not used on the Internet."""
        self.assertTrue(INSTANCE.public4.subnet_of(IPv4Network("198.18.0.0/15")))
        self.assertTrue(INSTANCE.public6.subnet_of(IPv6Network("fd00::/8")))

    def test_side_by_side(self):
        """Two clouds on one machine have other ones; the same cloud always the same."""
        other = evolve(INSTANCE, id="20test", octet=20)
        self.assertFalse(INSTANCE.public4.overlaps(other.public4))
        self.assertFalse(INSTANCE.public6.overlaps(other.public6))
        self.assertEqual(INSTANCE.public6, evolve(INSTANCE, api_port=9).public6)


@skipIf(os.getuid() != 0 or not may_change_networks(), "root is needed")
class RouteTests(SynchronousTestCase):
    """What leads to it, on the real kernel."""

    def setUp(self):
        self.public = Public(Path(self.mktemp()), INSTANCE)

    def routes(self, *words: str) -> list[tuple[str, str]]:
        """Return the destinations and the types or devices of routes."""
        command = ["ip", "-j", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return [
            (one["dst"], one.get("dev", "") if one.get("type") is None else one["type"])
            for one in json.loads(done.stdout or "[]")
        ]

    def test_guarded(self):
        """While all is down nothing for it leaves the machine; in the end that is gone."""
        self.addCleanup(self.public.forget)
        for _ in range(2):
            self.public.guard()
        for family, subnet in (("-4", INSTANCE.public4), ("-6", INSTANCE.public6)):
            found = self.routes(family, "route", "show", "type", "unreachable")
            self.assertIn(str(subnet), dict(found))
        for _ in range(2):
            self.public.forget()
        for family, subnet in (("-4", INSTANCE.public4), ("-6", INSTANCE.public6)):
            found = self.routes(family, "route", "show", "type", "unreachable")
            self.assertNotIn(str(subnet), dict(found))

    def test_node(self):
        """A node has a table that leads out in both families, however often it is told."""
        bridge = Bridge(f"cyclades-test-{uuid4().hex[:8]}", self.public.log)
        self.addCleanup(bridge.remove)
        bridge.make()
        for _ in range(2):
            self.public.route(bridge)
        for family, subnet in (("-4", INSTANCE.public4), ("-6", INSTANCE.public6)):
            table = ("-n", bridge.namespace, family, "route", "show", "table", TABLE)
            self.assertEqual(
                {str(subnet): "gnt0", "default": "gnt0"}, dict(self.routes(*table))
            )
