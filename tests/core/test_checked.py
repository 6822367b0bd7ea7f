"""Passwords that were right are known for a while, and no longer."""

from twisted.trial.unittest import SynchronousTestCase

from snf.core.checked import Checked
from snf.core.passwords import digest

KEY = b"a key that the tests have in place of a random one"
KEPT = digest("right", b"0" * 16, cost=2)
OTHER = digest("right", b"1" * 16, cost=2)


class CheckedTests(SynchronousTestCase):
    """What is remembered of passwords."""

    def setUp(self) -> None:
        self.checked = Checked(KEY, lifetime_s=300.0, most=3)
        self.checked.add("right", KEPT, 1000.0)

    def test_known(self) -> None:
        """The two that matched are known, and no other two."""
        self.assertTrue(self.checked.knows("right", KEPT, 1000.0))
        self.assertFalse(self.checked.knows("wrong", KEPT, 1000.0))
        self.assertFalse(self.checked.knows("right", OTHER, 1000.0))
        self.assertFalse(self.checked.knows("", f"{KEPT}\0right", 1000.0))

    def test_ends(self) -> None:
        """It ends in time, whether or not it was asked for meanwhile."""
        self.assertTrue(self.checked.knows("right", KEPT, 1299.0))
        self.assertFalse(self.checked.knows("right", KEPT, 1300.0))

    def test_clock_set_back(self) -> None:
        """What would be of the future is not known, and is dropped."""
        self.assertFalse(self.checked.knows("right", KEPT, 999.0))
        self.assertIsNone(self.checked.tidy(999.0))
        self.assertEqual(0, len(self.checked))

    def test_tidied(self) -> None:
        """What is too old is dropped, and the next one's time is told."""
        self.checked.add("right", OTHER, 1100.0)
        self.assertEqual(100.0, self.checked.tidy(1200.0))
        self.assertEqual(100.0, self.checked.tidy(1300.0))
        self.assertEqual(1, len(self.checked))
        self.assertIsNone(self.checked.tidy(1400.0))
        self.assertEqual(0, len(self.checked))

    def test_bound(self) -> None:
        """The oldest are dropped where there are too many; another check makes one new."""
        for number in range(2):
            self.checked.add(f"other {number}", KEPT, 1001.0)
        self.checked.add("right", KEPT, 1002.0)
        self.checked.add("one more", KEPT, 1003.0)
        self.assertEqual(3, len(self.checked))
        self.assertTrue(self.checked.knows("right", KEPT, 1004.0))
        self.assertFalse(self.checked.knows("other 0", KEPT, 1004.0))

    def test_no_password(self) -> None:
        """Neither the password nor what is kept of it can be read from it."""
        self.assertNotIn("right", repr(self.checked))
        told = b"".join(self.checked._since)
        self.assertNotIn(b"right", told)
        self.assertNotIn(KEPT.rpartition("$")[2].encode(), told)

    def test_other_process(self) -> None:
        """Another process marks the same two otherwise."""
        other = Checked(b"another key")
        other.add("right", KEPT, 1000.0)
        self.assertNotEqual([*other._since], [*self.checked._since])

    def test_odd_passwords(self) -> None:
        """What cannot be written in UTF-8 can be asked for."""
        self.assertFalse(self.checked.knows("\ud800", KEPT, 1000.0))
