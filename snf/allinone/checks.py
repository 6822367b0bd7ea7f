"""``./cloud test``: every check and every test, with the real parts, counted.

The parts are two all-in-ones of its own, a demo beside them for the clients' tests, and
a database and a broker for all other tests, in a temporary state directory.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from attrs import evolve, frozen

from snf.allinone import packages, pages
from snf.allinone.cloud import Cloud, check_machine, test_environment
from snf.allinone.demo import Demo
from snf.allinone.failure import Failure
from snf.allinone.layout import (
    Instance,
    Layout,
    choose,
    octet_is_free,
    port_is_free,
)
from snf.allinone.progress import Progress
from snf.allinone.scripts import CHECKOUT
from snf.allinone.trial import FAILED, Count, Run, groups

LIMIT_S = 40 * 60
"""After this, what still runs counts as failed."""

# Each of these uses a cloud of its own, one test at a time, and mostly waits for it.
_CLOUDS = ("live", "cluster")
# These wait too: for the demo, machines that boot, the kernel, and a browser.
_WAITING = (
    *((name,) for name in _CLOUDS),
    ("clients",),
    ("allinone", "nfdhcpd", "node", "browser"),
)

_CHECKS = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
)


class Interrupted(BaseException):
    """Somebody, or the time limit, wants this to end; the text says why."""


def run(names: Sequence[str], progress: Progress) -> Count:
    """
    Run all checks and tests, or the tests of these names, and clean up.

    The result counts each check, and each part's coming up, as one.
    """
    total = Count()
    try:
        with _limited(), ThreadPoolExecutor(len(_CHECKS)) as pool:
            checks = [] if names else [pool.submit(_check, *one) for one in _CHECKS]
            try:
                total += _with_cloud(names, progress)
            finally:
                for check in checks:
                    total += _reported(check)
    except Interrupted as reason:
        print(f"cloud: stopped: {reason}")
        total += FAILED
    return total


def _with_cloud(names: Sequence[str], progress: Progress) -> Count:
    made: list[_Part] = []
    state: Path | None = None
    try:
        check_machine("test")
        # Not in a TMPDIR that may be closed to PostgreSQL's account.
        state = Path(tempfile.mkdtemp(prefix="cyclades-test-", dir="/tmp"))
        state.chmod(0o711)
        total = Count()
        clouds = []
        # Tests that are named run one after the other.
        for group in _CLOUDS[: 1 if names else None]:
            cloud = _new_cloud(Layout(state / group), progress)
            made.append(_Part(cloud.layout, cloud.up, cloud.down, cloud.purge))
            total += _up(made[-1])
            clouds.append(cloud)
        demo = _new_demo(Layout(state / "demo"), progress)
        made.append(_Part(demo.layout, demo.up, demo.down))
        total += _up(made[-1])
        # Of the cloud's own the live tests see how it does without them.
        services = _new_cloud(Layout(state / "services"), progress)
        packages.install(packages.TESTS, services.layout.log, progress)
        pages.have_for_tests(services.layout.log, progress)
        made.append(_Part(services.layout, services.up_services, services.down))
        total += _up(made[-1])
        environments = [_environment(cloud, demo, services) for cloud in clouds]
        return total + _trial(names, environments, state)
    except Failure as failure:
        print(f"cloud: {failure}")
        return FAILED
    finally:
        with _undisturbed():
            for part in reversed(made):
                part.down()
            for part in made:
                part.purge()
            if state is not None:
                shutil.rmtree(state)


@frozen
class _Part:
    """What the tests use, as it comes and goes."""

    layout: Layout
    up: Callable[[], None]
    down: Callable[[], None]
    purge: Callable[[], None] = lambda: None


def _new_cloud(layout: Layout, progress: Progress) -> Cloud:
    layout.create()
    # A second node takes few seconds, and some of the live tests need one.
    instance = evolve(_chosen(layout, range(18_774, 18_874)), node_count=2)
    layout.save(instance)
    return Cloud(layout, instance, progress, durable=False)


def _new_demo(layout: Layout, progress: Progress) -> Demo:
    layout.create()
    instance = evolve(_chosen(layout, range(18_874, 18_974)), demo=True)
    layout.save(instance)
    return Demo(layout, instance, progress)


def _chosen(layout: Layout, ports: range) -> Instance:
    port = next((port for port in ports if port_is_free(port)), ports[-1])
    return choose(layout.state, port, port_is_free, octet_is_free)


def _up(part: _Part) -> Count:
    try:
        part.up()
    except Failure as failure:
        print(f"cloud: {failure}")
        _show_logs(part.layout)
        return FAILED
    return Count(passed=1)


def _environment(cloud: Cloud, demo: Demo, services: Cloud) -> dict[str, str]:
    return {
        **os.environ,
        **test_environment(services),
        "CYCLADES_TEST_STATE": str(cloud.layout.state),
        "CYCLADES_TEST_DEMO": str(demo.layout.state),
        "PYTHONPATH": str(CHECKOUT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }


def _trial(
    names: Sequence[str], environments: Sequence[Mapping[str, str]], state: Path
) -> Count:
    """
    Run the tests of these names, or else all, what waits beside what computes.

    :param environments: With each of the clouds; others do with the first.
    """
    together = [names] if names else groups(CHECKOUT / "tests", _WAITING)
    with ExitStack() as running:
        runs = [
            running.enter_context(
                Run.start(
                    group,
                    CHECKOUT,
                    environments[number if number < len(environments) else 0],
                    state / f"trial-{number}",
                    not number,
                )
            )
            for number, group in enumerate(together)
        ]
        return sum((run.wait() for run in runs), Count())


def _check(name: str, command: Sequence[str]) -> tuple[str, int, str]:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [str(program), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=CHECKOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return name, done.returncode, done.stdout


def _reported(check: "Future[tuple[str, int, str]]") -> Count:
    try:
        name, code, output = check.result()
    except OSError as failure:
        print(f"cloud: {failure}")
        return FAILED
    print(f"{name}: {'failed' if code else 'passed'}")
    if code:
        print(output)
        return FAILED
    return Count(passed=1)


def _show_logs(layout: Layout) -> None:
    """Print the ends of the logs, which are about to be deleted."""
    for path in sorted((layout / "log").glob("*.log")):
        lines = path.read_text("utf-8", "replace").splitlines()
        print(f"--- {path.name}", *lines[-15:], sep="\n")


@contextmanager
def _limited() -> Iterator[None]:
    """Turn signals that would end this, and too long a time, into Interrupted."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        late = number == signal.SIGALRM
        raise Interrupted(
            f"not done within {LIMIT_S // 60} minutes"
            if late
            else signal.Signals(number).name
        )

    numbers = (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no further signal keep this from cleaning up."""
    numbers = (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
