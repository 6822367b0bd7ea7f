"""Answers of every kind, as others read them."""

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.nfdhcpd.million import one
from tests.nfdhcpd.questions import WHOLE
from tests.nfdhcpd.tshark import CHECKSUMS, complaints, misread
from tests.nfdhcpd.verdicts import Node


class ParsedTests(SynchronousTestCase):
    """Scapy, which the answers are not made with, and tshark."""

    def test_whole(self) -> None:
        """What answers good questions is read alike, and nothing about it is odd."""
        frames = []
        for node in (Node(routed=True), Node(routed=False)):
            for kind in node.queues:
                for packet in WHOLE[kind]:
                    frames += node.put(kind, packet)
        self.assertTrue(len(frames) >= 24, len(frames))
        self.assertEqual([], [said for frame in frames if (said := misread(frame))])
        self.assertEqual("", complaints(frames))

    def test_spoiled(self) -> None:
        """Whatever was asked, lengths and checksums of answers are right.

        What is returned as the client sent it, tshark may well find odd.
        """
        dice = random.Random(2)
        node = Node()
        frames = []
        for kind in node.queues:
            for _ in range(600):
                frames += node.put(kind, one(dice, WHOLE[kind]))
        self.assertTrue(len(frames) > 100 * len(node.queues), len(frames))
        self.assertEqual("", complaints(frames, CHECKSUMS))

    def test_complaints(self) -> None:
        """Of what is wrong they do complain."""
        [frame] = Node().put("dhcp", WHOLE["dhcp"][0])
        for at in (24, 40, 290):
            wrong = bytearray(frame)
            wrong[at] ^= 0xFF
            self.assertNotEqual("", misread(bytes(wrong)) + complaints([bytes(wrong)]))
        # The length of an option, beyond the end; the checksum is right.
        cut = bytearray(frame)
        cut[-1], cut[40:42] = 0, bytes(2)
        cut[cut.index(b"\x35\x01\x02", 282) + 1] = 200
        self.assertNotEqual("", complaints([bytes(cut)]))
