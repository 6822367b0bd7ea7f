"""What the benches share: they print their figures and keep them in results.json."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

_FILE = Path(__file__).with_name("results.json")


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which a percentage of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    """Return the value in the middle."""
    return percentile(values, 50)


@frozen
class Target:
    """What a figure should be.

    :ivar name: Of the figure.
    :ivar most: Whether ``bound`` is the most that it may be, or else the least.
    """

    name: str
    bound: float
    most: bool = True

    def met(self, figures: Mapping[str, Any]) -> bool:
        """Whether it is so."""
        value = figures[self.name]
        return value <= self.bound if self.most else value >= self.bound


def judge(claim: str, figures: Mapping[str, Any], *targets: Target) -> None:
    """Keep the figures of a claim, and say of each target whether it is met."""
    verdicts = {
        f"target: {one.name} {'<=' if one.most else '>='} {one.bound:g}": (
            "met" if one.met(figures) else "NOT MET"
        )
        for one in targets
    }
    keep(claim, {**figures, **verdicts})


def keep(claim: str, figures: Mapping[str, Any]) -> None:
    """Print the figures of a claim and keep them beside those of the others."""
    width = max(len(name) for name in figures)
    print(claim)
    for name, value in figures.items():
        print(f"  {name.ljust(width)}  {value}")
    known = json.loads(_FILE.read_text("utf-8")) if _FILE.exists() else {}
    known[claim] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}",
        "figures": dict(figures),
    }
    _FILE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", "utf-8")
