"""Spoiled packets of all kinds: each has a verdict, and none does harm."""

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.nfdhcpd.service import responders
from snf.nfdhcpd.settings import Nfdhcpd
from tests.nfdhcpd.guest import FOREIGN, MAC, message
from tests.nfdhcpd.million import one
from tests.nfdhcpd.questions import WHOLE, Edit, spoiled
from tests.nfdhcpd.verdicts import Node, Wrong

KINDS = [responder.kind for responder in responders(Nfdhcpd())]
PACKETS = [(kind, packet) for kind in KINDS for packet in WHOLE[kind]]
EDITS = st.lists(
    st.builds(Edit, st.integers(0, 1500), st.integers(0, 40), st.binary(max_size=300)),
    max_size=6,
)
SOURCES = st.sampled_from((MAC, None, FOREIGN))
# An identifier as long as a packet can hold, which is to be returned.
LONG = message("discover", *[("client_id", b"x" * 255)] * 5, file=b"\0")


class SpoiledTests(SynchronousTestCase):
    """Every kind of packets that is answered."""

    @settings(max_examples=500)
    @given(st.sampled_from(PACKETS), EDITS, st.booleans(), SOURCES, st.booleans())
    @example(("dhcp", LONG), [], True, MAC, True)
    def test_edited(
        self,
        whole: tuple[str, bytes],
        edits: list[Edit],
        repaired: bool,
        source: bytes | None,
        routed: bool,
    ) -> None:
        """With some octets replaced, and lengths and checksums right again or not."""
        kind, packet = whole
        Node(routed).put(kind, spoiled(packet, edits, repaired), source)

    @settings(max_examples=200)
    @given(st.sampled_from(KINDS), st.binary(max_size=1500), SOURCES)
    def test_anything(self, kind: str, packet: bytes, source: bytes | None) -> None:
        """What is no packet at all."""
        Node().put(kind, packet, source)

    def test_many(self) -> None:
        """The first of the million that ``tests.nfdhcpd.million`` tries by hand."""
        dice = random.Random(1)
        node = Node()
        answered = dict.fromkeys(KINDS, 0)
        for number in range(4000):
            kind = KINDS[number % len(KINDS)]
            answered[kind] += len(node.put(kind, one(dice, WHOLE[kind])))
        # Not all of it is refused at the door.
        self.assertTrue(all(count > 50 for count in answered.values()), answered)

    def test_whole(self) -> None:
        """What is not spoiled is answered, unless there is nothing to say."""
        silent = {"dhcp": 2, "rs": 0, "ns": 2, "dhcpv6": 0}
        for kind in KINDS:
            node = Node()
            frames = [node.put(kind, packet) for packet in WHOLE[kind]]
            self.assertEqual(silent[kind], frames.count([]), kind)

    def test_foreign(self) -> None:
        """From another MAC address nothing is answered."""
        for kind, packet in PACKETS:
            self.assertEqual([], Node().put(kind, packet, FOREIGN))

    def test_wrong(self) -> None:
        """Of what must not happen the tests would hear."""
        node = Node()
        queue = node.queues["dhcp"]
        self.patch(queue, "taken", lambda interface, raw: raw.drop() or True)
        with self.assertRaises(Wrong):
            node.put("dhcp", WHOLE["dhcp"][0])
