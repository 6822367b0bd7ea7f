"""What lists of 1,000 servers, eight at a time, cost everybody else.

    sudo .venv/bin/python -m bench.api_reactor [--rounds N]

Fifty times a second something is asked that needs no database, so that the reactor
alone answers it: first with nothing else going on, which is the peer, then beside the
lists.  What is more is how long the reactor did not get to it.  It is measured from
outside, so it holds waits of the whole machine too, and of several turns of the reactor
and of its thread: a request takes about six system calls, and after each the
interpreter's lock has to be got back.
"""

import argparse
import time

from bench.load import Figures, Load, end, run, start
from bench.results import Target, judge, median, percentile
from bench.stack import OTHER_TOKEN, add_servers, get, stack
from snf.testing import world


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    alone: list[Figures] = []
    beside: list[Figures] = []
    lists: list[Figures] = []
    with stack() as made:
        add_servers(made, world.PROJECT_B, 1000)
        with made.serving():
            small = [get("/compute/v2.1/")]
            quiet = Load(made.port, small, 2, options.seconds, rate=50)
            asked = [get("/compute/v2.1/servers/detail", OTHER_TOKEN)]
            flood = Load(made.port, asked, 8, options.seconds + 1)
            for _ in range(options.rounds):
                alone.append(run(quiet))
                others = start(flood)
                time.sleep(0.7)
                beside.append(run(quiet))
                lists.append(end(others))

    def together(figures: list[Figures], percent: float) -> float:
        delays = [delay for one in figures for delay in one.delays]
        return round(percentile(delays, percent) * 1000, 2)

    delay = together(beside, 99) - together(alone, 99)
    judge(
        "api: others beside 8 lists of 1,000 servers at a time",
        {
            "rounds": options.rounds,
            "alone, p50 ms": together(alone, 50),
            "alone, p99 ms": together(alone, 99),
            "beside lists, p50 ms": together(beside, 50),
            "beside lists, p99 ms": together(beside, 99),
            "delay by lists, p99 ms": round(delay, 2),
            "lists/s": round(median([one.rate for one in lists]), 1),
            "a list, p50 ms": together(lists, 50),
        },
        Target("delay by lists, p99 ms", 10),
    )


if __name__ == "__main__":
    main()
