"""What others wrote for the console's page: fetched once, by npm."""

import os
import shutil
import sys
from pathlib import Path

from snf.allinone import packages
from snf.allinone.failure import Failure
from snf.allinone.process import clean_environment, run
from snf.allinone.progress import Progress
from snf.allinone.scripts import CHECKOUT

_PROGRAM = CHECKOUT / "ui" / "vendor.py"
_LIMIT_S = 330


def have(log: Path, progress: Progress) -> None:
    """Have it; without it there is no page, and all else works: so that is only said."""
    try:
        _fetch(log, progress)
    except Failure as failure:
        progress.say("console", f"no page for now: {failure}")


def have_for_tests(log: Path, progress: Progress) -> None:
    """
    Have it, and what looks at the page in tests.

    :raises Failure: It cannot be had.
    """
    _fetch(log, progress, "--tests")


def _fetch(log: Path, progress: Progress, *options: str) -> None:
    if shutil.which("npm") is None and os.getuid() == 0:
        packages.install(("npm",), log, progress)
    proxies = {
        name: value
        for name, value in os.environ.items()
        if name.lower().endswith("_proxy") or name.lower().startswith("npm_config_")
    }
    environment = clean_environment(HOME=os.environ.get("HOME", "/"), **proxies)
    command = [sys.executable, str(_PROGRAM), *options]
    said = run(
        command,
        log,
        "ui/vendor.py",
        timeout_s=_LIMIT_S,
        environment=environment,
    )
    if "made" in said:
        progress.say("console", "page: what others wrote is there")
