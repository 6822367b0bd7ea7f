#!/usr/bin/env python3
"""Seconds that ``./cloud up``, ``up`` with kept state, ``down`` and ``demo`` take.

Run as root: ``python3 bench/up.py``.  Packages and virtual environment are expected to
be there.  Beside each figure stands its limit from the same run: the slowest single
part, since parts start side by side, or the target where there is no such limit.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CLOUD = str(HERE.parent / "cloud")
RESULTS = HERE / "results.json"


def timed(*arguments: str) -> tuple[float, str]:
    """Run ``./cloud`` and return the seconds it took and its progress lines."""
    start = time.monotonic()
    done = subprocess.run(
        [CLOUD, *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return time.monotonic() - start, done.stderr


def slowest(progress: str) -> float:
    """Return when the last part that others do not wait for was ready."""
    parts = re.findall(r"^\[(\d+) s\] (?:Ganeti|RabbitMQ|KVM):", progress, re.MULTILINE)
    return max(map(float, parts), default=0.0)


def measure(state: str) -> dict[str, dict[str, float]]:
    """Return figure, limit and target of each step, in seconds."""
    figures = {}
    try:
        for name, arguments, target in (
            ("up, nothing kept", ("up",), 120),
            ("up, already up", ("up",), 5),
            ("down", ("down",), 20),
            ("up, state kept", ("up",), 25),
        ):
            options = ("--state", state, "--port", "18765")
            seconds, progress = timed(*arguments, *options[: 4 if "up" in name else 2])
            figure = {"seconds": round(seconds, 1), "target": target}
            if last := slowest(progress):
                figure["slowest part"] = last
            figures[name] = figure
    finally:
        timed("down", "--purge", "--state", state)
    return figures


def demo(state: str) -> dict[str, dict[str, float]]:
    """Return the same of ``./cloud demo``."""
    try:
        seconds, _ = timed("demo", "--state", state, "--port", "18766")
    finally:
        timed("demo", "--down", "--purge", "--state", state)
    return {"demo": {"seconds": round(seconds, 1), "target": 15}}


def main() -> None:
    """Measure, print, and add the figures to ``results.json``."""
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        Path(parent).chmod(0o755)
        figures = measure(f"{parent}/up") | demo(f"{parent}/demo")
    for name, figure in figures.items():
        row = "  ".join(f"{key} {value:g}" for key, value in figure.items())
        print(f"{name:<18} {row}")
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(known | {"up": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
