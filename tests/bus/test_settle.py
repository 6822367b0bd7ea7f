"""Getting verdicts from a receiver that cannot give them yet."""

from itertools import islice

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from snf.bus.interface import ACK, Delivery
from snf.bus.settle import Settler, Stopped, delays

BATCH = [Delivery("q", "k", b"1", False), Delivery("q", "k", b"2", False)]


class DelaysTests(SynchronousTestCase):
    """``delays``."""

    def test_growth(self) -> None:
        """Delays double up to the cap; jitter takes up to half of each away."""
        self.assertEqual(
            [1, 2, 4, 5, 5], list(islice(delays(1, 5, jitter=lambda: 1.0), 5))
        )
        self.assertEqual(
            [0.5, 1, 2, 2.5], list(islice(delays(1, 5, jitter=lambda: 0.0), 4))
        )

    def test_for_ever(self) -> None:
        """After very many attempts there still is a delay."""
        self.assertEqual(5, next(islice(delays(1, 5, lambda: 1.0), 5000, None)))


class SettlerTests(SynchronousTestCase):
    """``Settler``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list = []
        self.given: list = []
        self.wanted = True
        self.settler = Settler(self.clock, self.receive)

    async def receive(self, batch):
        self.given.append(batch)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def verdicts(self) -> "Deferred":
        return Deferred.fromCoroutine(self.settler.verdicts(BATCH, lambda: self.wanted))

    def test_again(self) -> None:
        """The same batch is handed over again, later, not at once."""
        self.answers = [OSError("away"), [ACK, ACK]]
        verdicts = self.verdicts()
        self.assertNoResult(verdicts)
        self.assertEqual(1, len(self.given))
        self.clock.advance(1)
        self.assertEqual([ACK, ACK], self.successResultOf(verdicts))
        self.assertEqual([BATCH, BATCH], self.given)
        self.flushLoggedErrors(OSError)

    def test_wrong_number(self) -> None:
        """Verdicts that do not fit the batch settle nothing."""
        self.answers = [[ACK], [ACK, ACK]]
        verdicts = self.verdicts()
        self.assertNoResult(verdicts)
        self.clock.advance(1)
        self.successResultOf(verdicts)
        self.flushLoggedErrors(ValueError)

    def test_stopped_while_waiting(self) -> None:
        """A batch that waits is given up when that is asked for."""
        self.answers = [OSError("away")]
        verdicts = self.verdicts()
        self.settler.stop()
        self.failureResultOf(verdicts, Stopped)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.flushLoggedErrors(OSError)

    def test_not_wanted(self) -> None:
        """A batch that failed and that nobody waits for is not handed over again."""
        self.answers = [OSError("away")]
        self.wanted = False
        self.failureResultOf(self.verdicts(), Stopped)
        self.flushLoggedErrors(OSError)
