"""``GET /servers/detail`` with 200 and with 1,000 servers, by one process and by two.

    sudo .venv/bin/python -m bench.api_list [--rounds N]

The limit beside it, in each round: the list's one query as psycopg2 takes it, and the
answer's bytes as a constant body from the same server.  What is more than the two
together is what Cyclades itself takes: the caller's token, servers made of rows, and
JSON made of servers.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from bench.load import Figures, Load, run
from bench.results import Target, judge, median
from bench.stack import (
    OTHER_TOKEN,
    TOKEN,
    Stack,
    add_servers,
    fetch,
    get,
    rss_mb,
    stack,
)
from snf.core.identity import Project
from snf.storage import search
from snf.storage.rows import arguments
from snf.testing import world

_PATH = "/compute/v2.1/servers/detail"


@frozen
class Case:
    """A project with so many servers, and what its list is as bytes."""

    count: int
    project: Project
    token: str
    static_port: int
    body: int


@frozen
class Round:
    """What one round gave, in seconds; ``two`` are two processes."""

    query: float
    static: Figures
    one: Figures
    one_at_16: Figures
    two_at_16: Figures
    rss: float

    @property
    def times_the_limit(self) -> float:
        """How long an answer took, in those of the query and the body alone."""
        return median(self.one.delays) / (self.query + median(self.static.delays))


def query_s(made: Stack, project: Project, count: int) -> float:
    """Return the seconds that a list's query takes, rows fetched."""
    connection = made.connect()
    wanted = search.Wanted(project=project.id)
    taken = []
    with connection, connection.cursor() as txn:
        for _ in range(40):
            before = time.perf_counter()
            txn.execute(search.query(wanted), arguments(wanted, limit=1000))
            rows = txn.fetchall()
            taken.append(time.perf_counter() - before)
            assert len(rows) == count
    connection.close()
    return median(taken)


def one_round(made: Stack, case: Case, seconds: float) -> Round:
    """Measure a case, the limits between ours."""
    asked = [get(_PATH, case.token)]
    ours = Load(made.port, asked, seconds=seconds)
    busy = Load(made.port, asked, 16, seconds=seconds * 3)
    with made.serving() as pids:
        one = run(ours)
        query = query_s(made, case.project, case.count)
        static = run(Load(case.static_port, asked, seconds=seconds / 2))
        one_at_16 = run(busy)
        rss = rss_mb(pids)
    with made.serving(2):
        two_at_16 = run(busy)
    return Round(query, static, one, one_at_16, two_at_16, rss)


@contextmanager
def cases(made: Stack) -> Iterator[list[Case]]:
    """Have two projects with servers, and their lists served as constants."""
    projects = ((200, world.PROJECT_A, TOKEN), (1000, world.PROJECT_B, OTHER_TOKEN))
    for count, project, _ in projects:
        add_servers(made, project, count)
    with made.serving():
        bodies = [fetch(made.port, get(_PATH, token)) for _, _, token in projects]
    with made.static(bodies[0]) as small, made.static(bodies[1]) as large:
        yield [
            Case(*project, port, len(body))
            for project, port, body in zip(
                projects, (small, large), bodies, strict=True
            )
        ]


def tell(case: Case, rounds: list[Round]) -> None:
    """Keep what a case's rounds gave: their medians."""

    def middle(of: Any, digits: int = 1) -> float:
        return round(median([of(one) for one in rounds]), digits)

    judge(
        f"api: a list of {case.count} servers with details",
        {
            "rounds": len(rounds),
            "bytes": case.body,
            "1 at a time, p50 ms": middle(lambda one: one.one.ms(50), 2),
            "1 at a time, p99 ms": middle(lambda one: one.one.ms(99), 2),
            "1 at a time, answers/s": middle(lambda one: one.one.rate),
            "the query alone (limit), ms": middle(lambda one: one.query * 1000, 2),
            "the bytes alone (limit), p50 ms": middle(lambda one: one.static.ms(50), 2),
            "times both limits": middle(lambda one: one.times_the_limit, 2),
            "16 at a time, answers/s": middle(lambda one: one.one_at_16.rate),
            "16 at a time, p50 ms": middle(lambda one: one.one_at_16.ms(50)),
            "16 at a time, p99 ms": middle(lambda one: one.one_at_16.ms(99)),
            "16 at a time, p99 in p50s": middle(
                lambda one: one.one_at_16.ms(99) / one.one_at_16.ms(50), 2
            ),
            "16 at a time, two processes, answers/s": middle(
                lambda one: one.two_at_16.rate
            ),
            "memory, MB": middle(lambda one: one.rss, 0),
        },
        Target("times both limits", 2),
        Target("16 at a time, p99 in p50s", 10),
    )


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    with stack() as made, cases(made) as both:
        rounds = [
            [one_round(made, case, options.seconds) for case in both]
            for _ in range(options.rounds)
        ]
    for case, its in zip(both, zip(*rounds, strict=True), strict=True):
        tell(case, list(its))


if __name__ == "__main__":
    main()
