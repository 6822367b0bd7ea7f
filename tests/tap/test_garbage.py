"""The search for garbage in a daemon."""

import gc

from twisted.application.service import IService
from twisted.trial.unittest import SynchronousTestCase

from snf.tap.garbage import Frozen


class Node:
    """Something that may refer to itself."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        Node.removed += 1

    removed = 0


class FrozenTests(SynchronousTestCase):
    """A daemon that has started."""

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        Node.removed = 0

    def test_itself(self) -> None:
        """What there was at the start is not looked at; what came later is."""
        early = Node()
        Frozen().startService()
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertFalse(any(known is early for known in gc.get_objects()))
        del early
        late = Node()
        del late
        gc.collect()
        self.assertEqual(1, Node.removed)

    def test_service(self) -> None:
        """It is a service, like what it is started with."""
        self.assertTrue(IService.providedBy(Frozen()))
