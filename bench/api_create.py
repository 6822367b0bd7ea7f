"""``POST /servers`` by ten at once, while the submitter carries the orders to Ganeti.

    sudo .venv/bin/python -m bench.api_create [--rounds N]

One process serves the API; another simulates a Ganeti cluster, and has submitter,
dispatcher and reconciler at work.  A server is accepted (202) when it and its order are
committed.  Then, with the other process stopped, so that there is no Ganeti at all:
what waits for it would not be answered.

The limit beside it: as many commits of one row each as PostgreSQL makes for ten.
"""

import argparse
import threading
import time
from typing import Any

from bench.load import Load, run
from bench.results import Target, judge, median
from bench.stack import Stack, post, stack
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
            "SELECT count(*), count(*) FILTER (WHERE state IN ('submitted', 'done'))"
            " FROM orders"
        )
        [(all_of_them, carried)] = txn.fetchall()
    connection.close()
    return all_of_them, carried


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    figures: dict[str, list[Any]] = {"with": [], "without": [], "commits": []}
    with stack() as made, made.serving():
        load = Load(made.port, [_ASKED], _AT_ONCE, options.seconds, expected=202)
        for _ in range(options.rounds):
            figures["commits"].append(commits(made, 1.0))
            with made.simulated():
                figures["with"].append(run(load))
            figures["without"].append(run(load))
        asked, carried = orders(made)
    alone = figures["without"]
    ours = figures["with"]
    judge(
        "api: servers asked for, 10 at once",
        {
            "rounds": options.rounds,
            "accepted/s": round(median([one.rate for one in ours])),
            "p50 ms": round(median([one.ms(50) for one in ours]), 1),
            "p99 ms": round(median([one.ms(99) for one in ours]), 1),
            "without any Ganeti, accepted/s": round(
                median([one.rate for one in alone])
            ),
            "without any Ganeti, p50 ms": round(
                median([one.ms(50) for one in alone]), 1
            ),
            "without any Ganeti, p99 ms": round(
                median([one.ms(99) for one in alone]), 1
            ),
            "commits of one row (limit), 10 at once, 1/s": round(
                median(figures["commits"])
            ),
            "orders, carried to Ganeti meanwhile": f"{asked}, {carried}",
        },
        Target("accepted/s", 300, most=False),
        Target("p50 ms", 20),
    )


if __name__ == "__main__":
    main()
