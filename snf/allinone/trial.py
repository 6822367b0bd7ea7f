"""Trial's runs, several at once, and what they counted."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

from attrs import define, field, frozen

_SUMMARY = re.compile(
    r"^(?:PASSED|FAILED)(?: \(([a-zA-Z]+=\d+(?:, [a-zA-Z]+=\d+)*)\))?$", re.MULTILINE
)
# Failures with their tracebacks come before the summary, in any number.
_KEPT_LINES = 20
_READ_WITHIN_S = 10


@frozen
class Count:
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


FAILED = Count(failed=1)


def summary(output: str, code: int) -> Count:
    """
    Return the counts in what trial printed last; ``code`` is how it ended.

    Tests that are known to fail, and do, count as skipped.  No tests at all, or no
    summary, is a failure.
    """
    lines = _SUMMARY.findall(output)
    if not lines:
        return FAILED
    pairs = (pair.split("=") for pair in lines[-1].split(", ") if pair)
    found = {name: int(number) for name, number in pairs}
    count = Count(
        passed=found.get("successes", 0),
        failed=sum(
            found.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses")
        ),
        skipped=found.get("skips", 0) + found.get("expectedFailures", 0),
    )
    silent = code != 0 and not count.failed
    return count + FAILED if silent or count == Count() else count


def groups(tests: Path, apart: Sequence[Sequence[str]]) -> list[list[str]]:
    """
    Return the names of all tests below a package in groups to run at once.

    :param tests: The package's directory.
    :param apart: The packages in it of each group but the last, which has all others.
    """
    package = tests.name
    modules = {
        path.stem if path.is_file() else path.name
        for path in tests.iterdir()
        if path.match("test_*.py") or (path / "__init__.py").is_file()
    }
    every = [*apart, sorted(modules.difference(*apart))]
    return [[f"{package}.{name}" for name in group] for group in every]


@define
class Run:
    """
    One run of trial.

    As a context it is over at the end, killed if need be.  Lines are printed as they
    come, or held back until then, since two runs' lines mixed cannot be read.
    """

    _process: subprocess.Popen[str]
    _shown: bool
    _held: list[str] = field(factory=list)
    _last: list[str] = field(factory=list)
    _reader: Thread | None = None

    @classmethod
    def start(
        cls,
        names: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        temporary: Path,
        shown: bool,
    ) -> "Run":
        """
        Start one.

        :param directory: Where the tests' package is.
        :param temporary: Trial's own directory, of which no other run knows.
        :param shown: Print from the beginning.
        """
        command = [sys.executable, "-m", "twisted.trial", "--reporter=timing"]
        command += [f"--temp-directory={temporary}", *names]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        run = cls(process, shown)
        run._reader = Thread(target=run._read, daemon=True)
        run._reader.start()
        return run

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last = [*self._last[-_KEPT_LINES:], line]
            if self._shown:
                print(line, end="", flush=True)
            else:
                self._held.append(line)

    def wait(self) -> Count:
        """Return what it counted, when it has ended."""
        code = self._process.wait()
        self._read_all()
        return summary("".join(self._last), code)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._read_all()
        print(*self._held, sep="", end="", flush=True)

    def _read_all(self) -> None:
        # Not for ever: a daemon that outlived it may hold its standard output open.
        assert self._reader is not None
        self._reader.join(_READ_WITHIN_S)
