"""How ``./cloud test`` runs trial, and counts."""

import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf.allinone.trial import FAILED, Count, Run, groups, summary


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


class GroupTests(SynchronousTestCase):
    """``groups``, which run at the same time."""

    def test_all_once(self):
        """Each package and module of tests is in one group; what is apart is first."""
        tests = Path(self.mktemp())
        for name in ("slow", "slower", "long", "quick"):
            (tests / name).mkdir(parents=True)
            (tests / name / "__init__.py").touch()
        (tests / "notes").mkdir()
        for name in ("test_docs.py", "case.py"):
            (tests / name).touch()
        slow, both, others = groups(tests, [["slow"], ["slower", "long"]])
        self.assertEqual([f"{tests.name}.slow"], slow)
        self.assertEqual([f"{tests.name}.slower", f"{tests.name}.long"], both)
        self.assertEqual([f"{tests.name}.quick", f"{tests.name}.test_docs"], others)


class RunTests(SynchronousTestCase):
    """``Run``, of a module of tests written for it."""

    def setUp(self):
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        (self.directory / "sample.py").write_text(
            "import time\n"
            "from unittest import TestCase\n"
            "class Tests(TestCase):\n"
            "    def test_good(self): pass\n"
            "    def test_bad(self): self.fail()\n"
            "class Long(TestCase):\n"
            "    def test_long(self): time.sleep(60)\n"
        )

    def start(self, name, shown):
        """Return a run of the tests of a name."""
        path = {**os.environ, "PYTHONPATH": str(self.directory)}
        temporary = self.directory / "trial"
        return Run.start([name], self.directory, path, temporary, shown)

    def test_counted(self):
        """What passed and what failed is counted, and printed if only at the end."""
        printed = StringIO()
        with redirect_stdout(printed), self.start("sample.Tests", shown=False) as run:
            self.assertEqual(Count(1, 1), run.wait())
            self.assertEqual("", printed.getvalue())
        self.assertIn("test_good", printed.getvalue())

    def test_shown(self):
        """The run that is shown prints as it goes."""
        printed = StringIO()
        with redirect_stdout(printed), self.start("sample.Tests", shown=True) as run:
            run.wait()
            self.assertIn("test_good", printed.getvalue())

    def test_interrupted(self):
        """A run that is left before it has ended is ended."""
        printed = StringIO()
        with redirect_stdout(printed), self.start("sample.Long", shown=False) as run:
            pass
        self.assertEqual(FAILED, run.wait())
