"""When more orders of a cluster are looked for."""

from uuid import uuid4

from twisted.trial.unittest import SynchronousTestCase

from snf.logic.lane import MOMENT_S, Lane


class PauseTests(SynchronousTestCase):
    """How long a lane waits before it looks again."""

    def setUp(self) -> None:
        self.lane = Lane()

    def test_idle(self) -> None:
        """With nothing under way it looks at once."""
        self.assertEqual(0, self.lane.pause(100.0))

    def test_at_work(self) -> None:
        """While orders are being carried out it waits for some to be taken together."""
        self.lane.at_work_on.add(uuid4())
        self.assertEqual(MOMENT_S, self.lane.pause(100.0))

    def test_lone(self) -> None:
        """After a lone order it does not rest, however long the claim took."""
        self.lane.claimed(1, 3.0, 100.0)
        self.assertEqual(0, self.lane.pause(100.0))

    def test_several(self) -> None:
        """After several it rests ten times as long as the claim took."""
        self.lane.claimed(2, 0.01, 100.0)
        self.assertAlmostEqual(0.1, self.lane.pause(100.0))
        self.assertAlmostEqual(0.04, self.lane.pause(100.06))
        self.assertEqual(0, self.lane.pause(100.2))

    def test_at_most(self) -> None:
        """A database that hardly answers is not left alone for ever."""
        self.lane.claimed(8, 20.0, 100.0)
        self.assertAlmostEqual(0.25, self.lane.pause(100.0))

    def test_quick(self) -> None:
        """Where claims take next to no time, it waits no longer than before."""
        self.lane.at_work_on.add(uuid4())
        self.lane.claimed(8, 0.002, 100.0)
        self.assertEqual(MOMENT_S, self.lane.pause(100.0))
