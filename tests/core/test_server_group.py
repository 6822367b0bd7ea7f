"""Slots: which members of a group Ganeti keeps on different machines."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.server_group import next_slot


class SlotTests(SynchronousTestCase):
    """``next_slot``."""

    def test_one(self) -> None:
        """Where a machine may have one member, all members have the same slot."""
        self.assertEqual(0, next_slot([], 1))
        self.assertEqual(0, next_slot([0, 0, 0], 1))

    def test_gap(self) -> None:
        """A new member takes the place of one that has gone."""
        self.assertEqual(0, next_slot([1, 1, 0, 2, 2], 3))
        self.assertEqual(1, next_slot([0, 2], 3))

    @given(st.integers(1, 2**31), st.integers(0, 40))
    def test_even(self, per_node: int, members: int) -> None:
        """There are never more slots than allowed, and all are used alike."""
        taken: list[int] = []
        for _ in range(members):
            taken.append(next_slot(taken, per_node))
        self.assertTrue(all(0 <= slot < per_node for slot in taken))
        counts = [Counter(taken)[slot] for slot in range(min(per_node, members))]
        self.assertLessEqual(max(counts, default=0) - min(counts, default=0), 1)
