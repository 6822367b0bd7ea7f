"""Descriptors that are there, are not, and are lost."""

import os

from attrs import define, field
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from snf.descriptor import Descriptor


@define(eq=False)
class Pipe(Descriptor):
    """The end of a pipe, if ``problem`` is not what there is instead."""

    problem: str = ""
    ends: list[int] = field(init=False, factory=list)
    heard: list[str] = field(init=False, factory=list)

    def make(self) -> None:
        if self.problem:
            raise OSError(self.problem)
        self.ends = list(os.pipe())

    def made(self, again: bool) -> None:
        self.heard.append("made again" if again else "made")

    def unmake(self) -> None:
        for end in self.ends:
            os.close(end)
        self.ends = []

    def say(self, problem: str) -> None:
        self.heard.append(problem)

    def fileno(self) -> int:
        return self.ends[0] if self.ends else -1


class DescriptorTests(SynchronousTestCase):
    """What a service that reads does without being told."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def pipe(self, problem: str = "") -> Pipe:
        """Return one that runs until the test ends."""
        pipe = Pipe(self.reactor, problem)
        pipe.startService()
        self.addCleanup(pipe.unmake)
        return pipe

    def test_there(self) -> None:
        """It is read from the start to the end of the service."""
        pipe = self.pipe()
        self.assertEqual([pipe], self.reactor.getReaders())
        pipe.stopService()
        self.assertEqual([], self.reactor.getReaders())
        self.assertEqual(([], ["made"]), (pipe.ends, pipe.heard))

    def test_later(self) -> None:
        """Until it can be had it is tried again, and each reason is said once."""
        pipe = self.pipe("none")
        for _ in range(3):
            self.reactor.advance(2)
        pipe.problem = "somebody else's"
        self.reactor.advance(2)
        self.assertEqual([], self.reactor.getReaders())
        pipe.problem = ""
        self.reactor.advance(2)
        self.assertEqual(["none", "somebody else's", "made again"], pipe.heard)
        self.assertEqual([pipe], self.reactor.getReaders())
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_lost(self) -> None:
        """One that the reactor gives up is given back, and made anew."""
        pipe = self.pipe()
        before = pipe.ends
        pipe.connectionLost(Failure(ConnectionDone("gone")))
        self.assertEqual([], self.reactor.getReaders())
        self.assertRaises(OSError, os.fstat, before[0])
        self.reactor.advance(2)
        self.assertEqual([pipe], self.reactor.getReaders())
        self.assertEqual("made again", pipe.heard[-1])

    def test_stopped(self) -> None:
        """After the end of the service nothing is tried."""
        pipe = self.pipe("none")
        pipe.stopService()
        self.assertEqual([], self.reactor.getDelayedCalls())
        pipe = self.pipe()
        pipe.stopService()
        pipe.connectionLost(Failure(ConnectionDone("gone")))
        self.assertEqual([], self.reactor.getDelayedCalls())
