"""What many ask for at once, done in one go."""

from collections.abc import Sequence
from itertools import chain

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from snf.logic.together import Together


@define
class Worker:
    """Does what it is told when it is let."""

    batches: list[list[int]] = field(factory=list)
    under_way: "list[Deferred[None]]" = field(factory=list)

    async def work(self, things: Sequence[int]) -> None:
        self.batches.append(list(things))
        self.under_way.append(Deferred())
        await self.under_way[-1]


class TogetherTests(SynchronousTestCase):
    """Who asks while something is under way is served together with the others."""

    def setUp(self) -> None:
        self.worker = Worker()
        self.together = Together(self.worker.work)

    def ask(self, thing: int) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.together.do(thing))

    def test_alone(self) -> None:
        """Who is alone does not wait for others."""
        asked = self.ask(1)
        self.assertEqual([[1]], self.worker.batches)
        self.assertNoResult(asked)
        self.worker.under_way[0].callback(None)
        self.assertIsNone(self.successResultOf(asked))

    def test_meanwhile(self) -> None:
        """What is asked for meanwhile is done in one go, and then the next."""
        first = self.ask(1)
        others = [self.ask(2), self.ask(3)]
        self.worker.under_way[0].callback(None)
        self.successResultOf(first)
        self.assertEqual([[1], [2, 3]], self.worker.batches)
        last = self.ask(4)
        self.worker.under_way[1].callback(None)
        for other in others:
            self.successResultOf(other)
        self.assertNoResult(last)
        self.worker.under_way[2].callback(None)
        self.successResultOf(last)
        self.assertEqual([[1], [2, 3], [4]], self.worker.batches)

    def test_many(self) -> None:
        """There is an end to how much is done in one go; nothing is left out."""
        asked = [self.ask(one) for one in range(500)]
        while not asked[-1].called:
            self.worker.under_way[-1].callback(None)
        self.assertEqual([1, 200, 200, 99], list(map(len, self.worker.batches)))
        self.assertEqual(list(range(500)), [*chain(*self.worker.batches)])
        for one in asked:
            self.successResultOf(one)

    def test_failure(self) -> None:
        """If it fails, all of them hear so; those after them are served."""
        first = self.ask(1)
        others = [self.ask(2), self.ask(3)]
        self.worker.under_way[0].callback(None)
        self.successResultOf(first)
        after = self.ask(4)
        self.worker.under_way[1].errback(ValueError("no"))
        for other in others:
            self.failureResultOf(other, ValueError)
        self.worker.under_way[2].callback(None)
        self.successResultOf(after)

    def test_hung_up(self) -> None:
        """Who no longer waits keeps nobody else from being served."""
        first, second = self.ask(1), self.ask(2)
        first.cancel()
        self.failureResultOf(first)
        self.worker.under_way[0].callback(None)
        self.worker.under_way[1].callback(None)
        self.successResultOf(second)
