"""Private networks that span nodes by VXLAN, made and removed as they are needed."""

from tests.node.case import mac
from tests.node.inside import datagrams, heard, pings, sniffer
from tests.node.lab import Guest, NodeNamespace, batch, run
from tests.node.test_bridged import BridgedTestCase

TAGS = "vxlan vni:4097 private snf:mtu:1450"


class VxlanTests(BridgedTestCase):
    """A network, its bridge ``snfv4097`` on each node, and the tunnel between them."""

    def setUp(self) -> None:
        super().setUp()
        self.second = self.lab.node()
        self.third = self.lab.node()

    def on(self, node: NodeNamespace, number: int, segment: int = 4097) -> Guest:
        """Return a guest of the network on a node."""
        tags = TAGS.replace("4097", str(segment))
        return self.member(
            number, f"snfv{segment}", tags, mac(number), node, MODE="openvswitch"
        )

    def test_spans_nodes(self) -> None:
        """Guests on three nodes reach each other, on both families."""
        one, two = self.on(self.node, 1), self.on(self.second, 2)
        three = self.on(self.third, 3)
        for guest, other in ((one, 2), (two, 3), (three, 1)):
            self.assertTrue(pings(guest.namespace, f"10.1.0.{other}", 1))
            self.assertTrue(pings(guest.namespace, f"fd00:1::{other}", 1))
        self.assertTrue(self.hears(one, three))

    def test_apart(self) -> None:
        """Another network's guests do not hear them, on the same node or another."""
        one = self.on(self.node, 1)
        here, there = self.on(self.node, 2, 4098), self.on(self.second, 3, 4098)
        for other in (here, there):
            self.assertFalse(self.hears(one, other))
        self.assertTrue(pings(here.namespace, "10.1.0.3", 1))
        self.assertFalse(pings(one.namespace, "10.1.0.3"))

    def test_made_and_removed(self) -> None:
        """Bridge and tunnel are there as long as a guest is on them."""
        one, two = self.on(self.node, 1), self.on(self.node, 2)
        self.lab.unplug(one, self.node)
        self.node.call("gc")
        self.assertIn("snfv4097", self.links())
        self.lab.unplug(two, self.node)
        self.node.call("gc")
        self.assertNotIn("4097", self.links())

    def test_forged(self) -> None:
        """Frames that somebody else than a node has packed reach nobody."""
        one = self.on(self.node, 1)
        batch(self.lab.internet, "addr add 198.18.2.200/24 dev link0")
        stranger = (self.lab.internet, "198.18.2.200")
        self.assertFalse(self.gets(one, *stranger))
        self.assertTrue(self.gets(one, self.second.namespace, self.second.address))

    def test_alone(self) -> None:
        """On the only node of a cluster they reach nobody either."""
        nodes = self.node.directory / "nodes"
        [own] = [
            line for line in nodes.read_text().splitlines() if self.node.address in line
        ]
        nodes.write_text(f"{own}\n")
        one = self.on(self.node, 1)
        batch(self.lab.internet, "addr add 198.18.2.200/24 dev link0")
        self.assertFalse(self.gets(one, self.lab.internet, "198.18.2.200"))

    def gets(self, guest: Guest, place: str, address: str) -> bool:
        """Return whether a guest gets a frame that is packed at some place."""
        packed = b"\x08" + bytes(3) + (4097).to_bytes(3, "big") + b"\0"
        packed += bytes.fromhex(guest.mac.replace(":", "") + "aa0000000099" + "88b5")
        ear = self.kept(sniffer(guest.namespace, "eth0"))
        sender = self.kept(datagrams(place, address))
        sender.sendto(packed + b"forged", (self.node.address, 4789))
        return heard(ear, b"forged")

    def test_a_node_more(self) -> None:
        """A node that the cluster gets later is reached once a NIC comes up."""
        one = self.on(self.node, 1)
        far = self.on(self.lab.node(), 2)
        self.on(self.node, 3)
        self.assertTrue(pings(one.namespace, "10.1.0.2", 1))
        self.assertTrue(pings(far.namespace, "10.1.0.3", 1))

    def test_nodes_unknown(self) -> None:
        """Without the list of nodes the NIC does not come up, and leaves nothing."""
        (self.node.directory / "nodes").write_text("elsewhere 192.0.2.1\n")
        guest = self.lab.guest(self.node, "tap1", mac(1))
        done = self.node.call("up", **self.private(guest, 1, "snfv4097", TAGS))
        self.assertEqual(1, done.returncode)
        self.assertIn("none of the nodes' addresses is on this node", done.stderr)
        self.assertNotIn("4097", self.links())

    def links(self) -> str:
        """Return the links of the first node."""
        return run("ip", "-n", self.node.namespace, "-br", "link")
