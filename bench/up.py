"""How long ``./cloud up``, ``down`` and ``demo`` take.

    sudo .venv/bin/python -m bench.up [--rounds N]

Bare is a new state directory on a machine that has the packages and downloads; kept is
the same directory after ``down``.  Beside ``up`` stands what of it is Ganeti's own:
``gnt-cluster init`` and the starts of its daemons cannot be made shorter by us.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench.results import keep, median

ROOT = Path(__file__).parents[1]


def seconds(*words: str) -> tuple[float, str]:
    """Return how long a ``./cloud`` command takes, and what it prints."""
    before = time.perf_counter()
    done = subprocess.run(
        [str(ROOT / "cloud"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"./cloud {' '.join(words)}: {done.stdout}")
    return time.perf_counter() - before, done.stdout


def one_round(port: int) -> dict[str, float]:
    """Return the seconds of each step of one round."""
    state = Path(tempfile.mkdtemp(prefix="bench-up-", dir="/var/tmp"))
    state.chmod(0o755)
    where = ("--state", str(state))
    figures = {}
    try:
        figures["up, bare"], said = seconds("up", *where, "--port", str(port))
        figures["until Ganeti answers, of it"] = _at(said, "Ganeti: cluster answers")
        figures["down"], _ = seconds("down", *where)
        figures["up, kept"], _ = seconds("up", *where)
        figures["up, running already"], _ = seconds("up", *where)
    finally:
        seconds("down", *where, "--purge")
        shutil.rmtree(state, ignore_errors=True)
    demo = Path(tempfile.mkdtemp(prefix="bench-demo-", dir="/var/tmp"))
    where = ("--state", str(demo))
    try:
        figures["demo, bare"], _ = seconds("demo", *where, "--port", str(port))
        seconds("demo", *where, "--down")
        figures["demo, kept"], _ = seconds("demo", *where)
    finally:
        seconds("demo", *where, "--down", "--purge")
        shutil.rmtree(demo, ignore_errors=True)
    return figures


def _at(said: str, text: str) -> float:
    """Return the second at which a line was printed."""
    found = re.search(rf"^\[(\d+) s\] {re.escape(text)}", said, re.MULTILINE)
    if found is None:
        raise SystemExit(f"no such line: {text}")
    return float(found[1])


_TARGETS = {"up, bare": 120, "up, kept": 25, "demo, bare": 15, "demo, kept": 15}


def main() -> None:
    """Measure some rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=18790)
    options = parser.parse_args()
    rounds = [one_round(options.port) for _ in range(options.rounds)]
    figures: dict[str, object] = {"rounds": options.rounds}
    for name in rounds[0]:
        value = round(median([one[name] for one in rounds]), 1)
        target = f" (target {_TARGETS[name]})" if name in _TARGETS else ""
        figures[f"{name}, median s"] = f"{value}{target}"
    keep("up: a whole cloud on one machine", figures)


if __name__ == "__main__":
    main()
