"""``POST /servers`` by ten at once, while the submitter carries the orders to Ganeti.

    sudo .venv/bin/python -m bench.api_create [--rounds N]

One process serves the API; another simulates a Ganeti cluster, and has submitter,
dispatcher and reconciler at work.  A server is accepted (202) when it and its order are
committed.  Then with the other process stopped, so that there is no Ganeti at all: what
waits for it would not be answered.  Then with two processes on the API's port.

The limits beside it: as many commits of one row each as PostgreSQL makes for ten, and as
many servers, each with all its rows, as plain SQL stores.  With each rate goes the
processor time that each part of it takes, which on few cores is what limits it.
"""

import argparse
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from attrs import frozen

from bench import plain
from bench.load import Figures, Load, run
from bench.results import Target, judge, median
from bench.stack import Stack, cpu_s, post, stack
from snf.testing import world

_AT_ONCE = 10

_ASKED = post(
    "/compute/v2.1/servers",
    {
        "server": {
            "name": "bench",
            "flavorRef": str(world.SMALL.id),
            "imageRef": str(world.TINY.id),
        }
    },
)


@frozen
class Round:
    """What came of a load, and the milliseconds of processor that each server took."""

    figures: Figures
    cpu_ms: Mapping[str, float]


def commits(made: Stack, seconds: float) -> float:
    """Return the commits a second of ten that each store a row again and again."""
    made.execute("CREATE TABLE IF NOT EXISTS bench (text text)")
    counts: list[int] = []
    end = time.perf_counter() + seconds

    def store() -> None:
        connection = made.connect()
        count = 0
        with connection.cursor() as txn:
            while time.perf_counter() < end:
                txn.execute("INSERT INTO bench VALUES ('a row of a bench')")
                connection.commit()
                count += 1
        connection.close()
        counts.append(count)

    threads = [threading.Thread(target=store) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def orders(made: Stack) -> tuple[int, int]:
    """Return how many orders there are, and how many have been carried to Ganeti."""
    connection = made.connect()
    with connection, connection.cursor() as txn:
        txn.execute(
            "SELECT count(*), count(job) FROM orders WHERE request_id IS NOT NULL"
        )
        [(all_of_them, carried)] = txn.fetchall()
    connection.close()
    return all_of_them, carried


def measure(made: Stack, serving: list[int], seconds: float, ganeti: bool) -> Round:
    """Ask for servers for some seconds, with or without a Ganeti."""
    load = Load(made.port, [_ASKED], _AT_ONCE, seconds, expected=202)
    with made.simulated() if ganeti else nullcontext() as simulation:
        parts = {
            "API": serving,
            "PostgreSQL": [made.postgres.daemon.pid() or 0],
            "Ganeti and what talks with it": [simulation] if simulation else [],
        }
        before = {name: cpu_s(pids) for name, pids in parts.items()}
        figures = run(load)
        taken = {name: cpu_s(pids) - before[name] for name, pids in parts.items()}
    taken["load"] = figures.cpu_s
    return Round(
        figures, {name: 1000 * cpu / figures.sent for name, cpu in taken.items()}
    )


def shown(name: str, rounds: list[Round]) -> dict[str, Any]:
    """Return the middle of some rounds."""
    taken = {
        part: round(median([one.cpu_ms[part] for one in rounds]), 1)
        for part in rounds[0].cpu_ms
    }
    return {
        f"{name}accepted/s": round(median([one.figures.rate for one in rounds])),
        f"{name}p50 ms": round(median([one.figures.ms(50) for one in rounds]), 1),
        f"{name}p99 ms": round(median([one.figures.ms(99) for one in rounds]), 1),
        f"{name}CPU ms a server": taken,
    }


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    ours: list[Round] = []
    alone: list[Round] = []
    both: list[Round] = []
    bare: list[float] = []
    by_sql: list[float] = []
    with stack() as made:
        with made.serving() as pids:
            for _ in range(options.rounds):
                bare.append(commits(made, 1.0))
                ours.append(measure(made, pids, options.seconds, ganeti=True))
                alone.append(measure(made, pids, options.seconds, ganeti=False))
                by_sql.append(plain.rate(made, _AT_ONCE, 2))
        with made.serving(2) as pids:
            for _ in range(options.rounds):
                both.append(measure(made, pids, options.seconds, ganeti=True))
        asked, carried = orders(made)
    judge(
        "api: servers asked for, 10 at once",
        {
            "rounds": options.rounds,
            **shown("", ours),
            **shown("without any Ganeti, ", alone),
            **shown("two processes, ", both),
            "the same rows by plain SQL (limit), 10 at once, 1/s": round(
                median(by_sql)
            ),
            "commits of one row (limit), 10 at once, 1/s": round(median(bare)),
            "orders, carried to Ganeti meanwhile": f"{asked}, {carried}",
        },
        Target("accepted/s", 300, most=False),
        Target("p50 ms", 20),
    )


if __name__ == "__main__":
    main()
