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
from bench.results import Target, judge, median
from bench.stack import OTHER_TOKEN, add_servers, get, stack
from snf.testing import world


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0)
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

    def middle(figures: list[Figures], percent: float) -> float:
        return round(median([one.ms(percent) for one in figures]), 2)

    delay = [two.ms(99) - one.ms(99) for one, two in zip(alone, beside, strict=True)]
    judge(
        "api: others beside 8 lists of 1,000 servers at a time",
        {
            "rounds": options.rounds,
            "alone, p50 ms": middle(alone, 50),
            "alone, p99 ms": middle(alone, 99),
            "beside lists, p50 ms": middle(beside, 50),
            "beside lists, p99 ms": middle(beside, 99),
            "delay by lists, p99 ms": round(median(delay), 2),
            "lists/s": round(median([one.rate for one in lists]), 1),
            "a list, p50 ms": middle(lists, 50),
        },
        Target("delay by lists, p99 ms", 10),
    )


if __name__ == "__main__":
    main()
