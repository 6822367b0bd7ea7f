"""How often threads take turns."""

import sys

from twisted.application.service import IService
from twisted.trial.unittest import SynchronousTestCase

from snf.tap.turns import ShortTurns


class TurnTests(SynchronousTestCase):
    """What holds in the whole process."""

    def test_short(self) -> None:
        """A daemon's threads take turns far more often than Python has them."""
        before = sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, before)
        sys.setswitchinterval(0.005)
        ShortTurns().startService()
        self.assertLessEqual(sys.getswitchinterval(), 0.001)

    def test_service(self) -> None:
        """It starts with the daemon that it is a part of."""
        self.assertTrue(IService.providedBy(ShortTurns()))
