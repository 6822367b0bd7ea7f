"""How ``./cloud test`` counts."""

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.checks import FAILED, Count, summary


class SummaryTests(SynchronousTestCase):
    """``summary``, of what trial prints last."""

    def test_all_passed(self):
        """Successes are passed."""
        self.assertEqual(
            Count(passed=12),
            summary("Ran 12 tests in 1s\n\nPASSED (successes=12)\n", 0),
        )

    def test_skipped(self):
        """Skipped tests, and those known to fail, are neither."""
        text = "PASSED (skips=2, expectedFailures=1, successes=3)\n"
        self.assertEqual(Count(passed=3, skipped=3), summary(text, 0))

    def test_failed(self):
        """Failures, errors, and successes that nobody expected are failed."""
        text = "FAILED (failures=1, errors=2, unexpectedSuccesses=4, successes=3)\n"
        self.assertEqual(Count(passed=3, failed=7), summary(text, 1))

    def test_no_tests(self):
        """No test at all is a failure."""
        self.assertEqual(FAILED, summary("Ran 0 tests in 0.000s\n\nPASSED\n", 0))

    def test_no_summary(self):
        """Trial that died is a failure, whatever it printed before."""
        self.assertEqual(FAILED, summary("Traceback (most recent call last):\n", 1))
        self.assertEqual(FAILED, summary("", 0))

    def test_bad_exit_code(self):
        """An error code without a failed test is one failure."""
        self.assertEqual(
            Count(passed=3, failed=1), summary("PASSED (successes=3)\n", 1)
        )

    def test_last_line_counts(self):
        """A summary that a test printed itself is not trial's."""
        text = "PASSED (successes=99)\nFAILED (failures=1)\n"
        self.assertEqual(Count(failed=1), summary(text, 1))


class CountTests(SynchronousTestCase):
    """The last line."""

    def test_words(self):
        """Skipped tests are named only where there are some."""
        self.assertEqual("3 passed, 0 failed", str(Count(3)))
        self.assertEqual("3 passed, 1 failed, 2 skipped", str(Count(3, 1, 2)))

    def test_sum(self):
        """Counts add up."""
        self.assertEqual(Count(2, 2, 2), Count(1, 2, 0) + Count(1, 0, 2))
