"""What changes under a guest: floating addresses, other nodes, taps that come and go."""

import random
from concurrent.futures import ThreadPoolExecutor

from tests.node.case import NodeTestCase, address4, address6, mac, profile
from tests.node.inside import connects, listen, pings
from tests.node.lab import INTERNET4, Guest, batch, run

FLOATING = "198.18.1.200"


class FloatingTests(NodeTestCase):
    """Addresses that stand for a guest's own one to one."""

    def tag(self, number: int) -> str:
        """Return the tag that gives a guest the floating address."""
        return f"snf:fip:port{number}:{FLOATING}@{address4(number)}"

    def test_stands_for_it(self) -> None:
        """It leads to the guest, whose own connections come from it."""
        guest = self.routed(5)
        self.refresh(5, self.tag(5))
        self.kept(listen(guest.namespace, 80))
        self.assertTrue(connects(self.lab.internet, FLOATING, 80))
        far = self.kept(listen(self.lab.internet, 8080))
        self.assertTrue(connects(guest.namespace, INTERNET4, 8080))
        self.assertIn(FLOATING, far.accept()[1][0])

    def test_moves(self) -> None:
        """It goes from one guest to another, and leaves nothing at the first."""
        one, two = self.routed(5), self.routed(6)
        for guest, port in ((one, 81), (two, 82)):
            self.kept(listen(guest.namespace, port))
        self.refresh(5, self.tag(5))
        self.assertTrue(connects(self.lab.internet, FLOATING, 81))
        self.refresh(5)
        self.assertFalse(connects(self.lab.internet, FLOATING, 81))
        self.refresh(6, self.tag(6))
        self.assertTrue(connects(self.lab.internet, FLOATING, 82))

    def test_behind_the_firewall(self) -> None:
        """The NIC's profile holds for it too."""
        guest = self.routed(5)
        self.kept(listen(guest.namespace, 80))
        self.refresh(5, self.tag(5), profile(5, "protected"))
        self.assertFalse(connects(self.lab.internet, FLOATING, 80))
        self.assertTrue(pings(self.lab.internet, FLOATING))

    def test_gone_with_the_tap(self) -> None:
        """Nothing is left of it once the guest is off."""
        guest = self.routed(5)
        self.refresh(5, self.tag(5))
        self.lab.unplug(guest, self.node)
        self.node.call("gc")
        state = self.node.state()
        for part in ("rules", "proxy4", "route4"):
            self.assertNotIn(FLOATING, state[part])


class MigrationTests(NodeTestCase):
    """A guest goes on on another node."""

    def test_reached_at_once(self) -> None:
        """The Internet finds it on its new node at the first try, on both families."""
        second = self.lab.node()
        guest = self.routed(5)
        for address in (address4(5), address6(5)):
            self.assertTrue(pings(self.lab.internet, address))
        # Off from here on the old node, as its process there has ended.
        self.lab.unplug(guest, self.node)
        self.lab.plug(guest, second)
        second.up(self.public(guest, 5))
        self.addresses(guest, 5)
        for address in (address4(5), address6(5)):
            self.assertTrue(pings(self.lab.internet, address), address)
        self.node.call("gc")
        self.assertTrue(pings(self.lab.internet, address4(5)))
        state = self.node.state()
        self.assertNotIn(address4(5), state["proxy4"] + state["route4"])
        self.assertNotIn("tap5", state["rules"])

    def addresses(self, guest: Guest, number: int) -> None:
        """Give a guest's device, which is another one now, its addresses again."""
        batch(
            guest.namespace,
            f"addr replace {address4(number)}/24 dev eth0",
            "route replace default via 198.18.1.254",
            f"addr replace {address6(number)}/128 dev eth0 nodad",
            "route replace default via fe80::1 dev eth0",
        )


class CycleTests(NodeTestCase):
    """Whatever came and went, nothing is left."""

    def test_random_cycles(self) -> None:
        """After 100 random changes rules, routes and links are those of the start."""
        for bridge in ("prv0", "prv1"):
            self.bridge(bridge)
        chance = random.Random(7)
        up: dict[int, Guest] = {}
        self.visit(chance, up, 12)
        self.all_down(up)
        before = self.node.state()
        self.visit(chance, up, 100)
        self.all_down(up)
        after = self.node.state()
        for part, text in before.items():
            self.assertEqual(text, after[part], part)
        left = [path for name in ("state", "bindings") for path in self.files(name)]
        self.assertEqual([], left)

    def visit(self, chance: random.Random, up: dict[int, Guest], times: int) -> None:
        """Change something at random, many times."""
        for _ in range(times):
            number = chance.randrange(1, 7)
            guest = up.get(number)
            if guest is None:
                up[number] = self.lab.guest(self.node, f"tap{number}", mac(number))
                self.node.up(self.some_nic(chance, up[number], number))
            elif chance.random() < 0.3:
                # The same again, or another NIC on the same tap: its name came again.
                self.node.up(self.some_nic(chance, guest, number))
            elif chance.random() < 0.3:
                self.refresh(number, *self.some_tags(chance, number))
            else:
                self.lab.unplug(up.pop(number), self.node)

    def some_nic(
        self, chance: random.Random, guest: Guest, number: int
    ) -> dict[str, str]:
        """Return a NIC of any kind."""
        tags = self.some_tags(chance, number)
        kind = chance.randrange(4)
        if kind == 0:
            return self.public(guest, number, *tags)
        bridge, network = (
            ("prv0", "private-filtered private"),
            ("prv1", "physical-vlan private nfdhcpd"),
            ("snfv77", "vxlan vni:77 private"),
        )[kind - 1]
        return self.private(guest, number, bridge, network, *tags)

    def some_tags(self, chance: random.Random, number: int) -> list[str]:
        """Return what an instance may be tagged with."""
        return chance.sample(
            [
                profile(number, chance.choice(["protected", "limited", "unprotected"])),
                f"snf:rule:port{number}:4:udp:53-53:any",
                f"snf:fip:port{number}:198.18.1.{100 + number}@{address4(number)}",
                "owner:somebody",
            ],
            chance.randrange(4),
        )

    def all_down(self, up: dict[int, Guest]) -> None:
        """End every guest."""
        for number in list(up):
            self.lab.unplug(up.pop(number), self.node)
        self.assertEqual("", self.node.call("gc").stderr)

    def files(self, name: str) -> list[str]:
        """Return what is in one of the program's directories."""
        directory = self.node.directory / name
        return [path.name for path in directory.glob("*") if path.name != "lock"]

    def test_side_by_side(self) -> None:
        """Many NICs that come up at once all come up, and go down again."""
        numbers = range(1, 17)
        guests = {n: self.lab.guest(self.node, f"tap{n}", mac(n)) for n in numbers}
        with ThreadPoolExecutor(16) as pool:
            done = pool.map(
                lambda n: self.node.call("up", **self.public(guests[n], n)), numbers
            )
            self.assertEqual([""] * 16, [one.stderr for one in done])
        rules = self.rules_of("inet", "snf")
        for number in numbers:
            self.assertIn(f'"tap{number}" : ', rules)
        for guest in guests.values():
            self.lab.unplug(guest, self.node)
        with ThreadPoolExecutor(4) as pool:
            done = pool.map(lambda _: self.node.call("gc"), range(4))
            self.assertEqual([""] * 4, [one.stderr for one in done])
        self.assertNotIn('"tap', self.rules_of("inet", "snf"))

    def test_killed(self) -> None:
        """Whatever a run that was killed has left is taken down by the next."""
        guest = self.lab.guest(self.node, "tap5", mac(5))
        self.node.up(self.public(guest, 5))
        self.node.ip("route del 198.18.1.5 dev tap5 table 100", "link set tap5 down")
        run(
            *("ip", "netns", "exec", self.node.namespace),
            *("nft", "delete", "chain", "netdev", "snf", "from_tap5"),
        )
        self.node.up(self.public(guest, 5))
        self.assertIn("policy drop", self.rules_of("netdev", "snf"))
        self.lab.unplug(guest, self.node)
        self.assertEqual("", self.node.call("gc").stderr)

    def test_flushed(self) -> None:
        """Rules that somebody has flushed are there again after restore."""
        self.routed(5, profile(5, "protected"))
        before = self.node.state()["rules"]
        run("ip", "netns", "exec", self.node.namespace, "nft", "flush", "ruleset")
        self.assertEqual("", self.node.call("restore").stderr)
        self.assertEqual(before, self.node.state()["rules"])
        self.assertIn("tap5 snf-5", self.node.call("list").stdout)
