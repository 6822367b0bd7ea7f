"""Services of which each needs the ones before it."""

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.tap.layers import Layers


class Slow(Service):
    """A service that notes what it is told, and stops when it is let."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name_, self.told = name, told
        self.end: Deferred[None] = Deferred()

    def startService(self) -> None:
        super().startService()
        self.told.append(f"start {self.name_}")

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.told.append(f"stop {self.name_}")
        return self.end


class LayersTests(SynchronousTestCase):
    """``Layers``."""

    def setUp(self) -> None:
        self.told: list[str] = []
        self.layers = Layers()
        self.below, self.above = (Slow(name, self.told) for name in ("below", "above"))
        for service in (self.below, self.above):
            service.setServiceParent(self.layers)
        self.layers.startService()
        self.assertEqual(["start below", "start above"], self.told)
        self.told.clear()

    def test_stop(self) -> None:
        """The one below is told to stop only when the one above has."""
        stopped = self.layers.stopService()
        self.assertEqual(["stop above"], self.told)
        self.above.end.callback(None)
        self.assertEqual(["stop above", "stop below"], self.told)
        self.assertNoResult(stopped)
        self.below.end.callback(None)
        self.successResultOf(stopped)

    def test_failure(self) -> None:
        """One that fails to stop keeps no other from it."""
        stopped = self.layers.stopService()
        self.above.end.errback(RuntimeError("no"))
        self.below.end.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(["stop above", "stop below"], self.told)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
