"""``GET /servers/{id}``: how long one takes, and how many a process answers.

    sudo .venv/bin/python -m bench.api_show [--rounds N]

The limit beside it is a constant body of the same size from the same server.
"""

import argparse

from bench.load import Load, run
from bench.results import Target, judge, median
from bench.stack import TOKEN, add_servers, cpu_s, fetch, get, stack
from snf.testing import world


def main() -> None:
    """Measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    ones, many, limits, taken = [], [], [], []
    with stack() as made:
        add_servers(made, world.PROJECT_A, 1000)
        paths = [
            f"/compute/v2.1/servers/{one}" for one in made.servers(world.PROJECT_A, 100)
        ]
        asked = [get(path, TOKEN) for path in paths]
        busy = Load(made.port, asked, 16, options.seconds)
        with made.serving() as pids:
            body = fetch(made.port, asked[0])
            with made.static(body) as static:
                for _ in range(options.rounds):
                    ones.append(run(Load(made.port, asked, seconds=options.seconds)))
                    limits.append(run(Load(static, asked, 16, options.seconds)))
                    before = cpu_s(pids)
                    many.append(run(busy))
                    answers = len(many[-1].delays) + many[-1].rate * busy.warm_s
                    taken.append((cpu_s(pids) - before) / answers)
    judge(
        "api: a server",
        {
            "rounds": options.rounds,
            "1 at a time, p50 ms": round(median([one.ms(50) for one in ones]), 2),
            "1 at a time, p99 ms": round(median([one.ms(99) for one in ones]), 2),
            "16 at a time, answers/s": round(median([one.rate for one in many])),
            "16 at a time, p50 ms": round(median([one.ms(50) for one in many]), 1),
            "16 at a time, p99 ms": round(median([one.ms(99) for one in many]), 1),
            "16 at a time, ms of a processor": round(median(taken) * 1000, 3),
            "the bytes alone (limit), 16 at a time, answers/s": round(
                median([one.rate for one in limits])
            ),
        },
        Target("1 at a time, p50 ms", 5),
        Target("16 at a time, answers/s", 800, most=False),
    )


if __name__ == "__main__":
    main()
