"""What single kinds of news do: progress, moves, refusals, resets."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.news import fold, level, progress, refuse
from snf.core.order import MOVES, Kind, State
from snf.core.report import JobStatus, ProgressReport, Sighting
from snf.core.server import Fault, Life, Observed, Status, reset, with_order
from tests.core.test_news import SERVER, order, report


class OtherNewsTests(SynchronousTestCase):
    """Refusals and progress."""

    def test_refused_build(self):
        """A build that Ganeti would not take is an ERROR with Ganeti's words."""
        life = with_order(Life(), order(1, Kind.CREATE))
        life = refuse(life, life.orders[0], "no such OS", 3.0)
        self.assertEqual(Fault("no such OS", 3.0), life.fault)
        self.assertEqual((Status.ERROR, None), (life.status, life.task))

    def test_refused_stop(self):
        """A stop that Ganeti would not take leaves the server as it was."""
        life = Life(observed=Observed.UP, clock=(1.0, 1))
        life = with_order(life, order(1, Kind.STOP))
        life = refuse(life, life.orders[0], "no", 3.0)
        self.assertEqual((Status.ACTIVE, None), (life.status, life.task))

    @given(st.lists(st.integers(-10, 1000)))
    def test_progress(self, percents):
        """Progress stays between 0 and 100 and never goes back."""
        life = Life()
        for percent in percents:
            before, life = (
                life.progress,
                progress(life, ProgressReport(SERVER, percent)),
            )
            self.assertGreaterEqual(life.progress, before)
            self.assertLessEqual(life.progress, 100)


class ToldTests(SynchronousTestCase):
    """What users are told of builds that fail."""

    def fault(self, error: str) -> str:
        """Return what is told of a build that Ganeti gives up with these words."""
        life = with_order(Life(), order(1, Kind.CREATE, state=State.SUBMITTED, job=3))
        life = fold(life, report(Kind.CREATE, JobStatus.ERROR, 3, error=error))
        assert life.fault is not None
        self.assertIs(Status.ERROR, life.status)
        return life.fault.message

    def test_plain(self) -> None:
        """Ganeti's own words are told."""
        self.assertEqual("no room", self.fault("no room"))

    def test_server_group(self) -> None:
        """Where the server's group stood in the way, this is said first."""
        error = "No valid allocation solutions, failure reasons: FailTags: 2"
        told = self.fault(error)
        self.assertTrue(told.startswith("No valid host was found."), told)
        self.assertIn("server group", told)
        self.assertTrue(told.endswith(error), told)


class MoveTests(SynchronousTestCase):
    """Going to another node."""

    def test_as_it_was(self):
        """A move says nothing of whether a server runs; its end is the order's."""
        for kind in MOVES:
            for observed in (Observed.UP, Observed.DOWN, Observed.UNKNOWN):
                for status, error in (
                    (JobStatus.SUCCESS, None),
                    (JobStatus.ERROR, "disk layout 'file' does not allow it"),
                ):
                    life = with_order(Life(observed), order(1, kind))
                    told = report(kind, status, 5.0, order=UUID(int=1), error=error)
                    after = fold(life, told)
                    self.assertIs(observed, after.observed)
                    [ended] = after.orders
                    self.assertFalse(ended.state.open)
                    self.assertEqual(error, ended.error)


class ResetTests(SynchronousTestCase):
    """A fault that an admin has ended."""

    def test_levelled(self):
        """It is what Ganeti says then: up, stopped, or in ERROR since not there."""
        for observed in (Observed.DOWN, Observed.GONE):
            life = reset(Life(observed, fault=Fault("no", 1.0), clock=(1.0, 1)))
            for present, running, status in (
                (True, True, Status.ACTIVE),
                (True, False, Status.SHUTOFF),
                (True, None, Status.UNKNOWN),
                (False, None, Status.ERROR),
            ):
                after = level(life, Sighting(SERVER, 9.0, present, running))
                self.assertIs(status, after.status)
