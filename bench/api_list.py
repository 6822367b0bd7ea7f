"""``GET /servers/detail`` with 200 and with 1,000 servers, by one process and by two.

    sudo .venv/bin/python -m bench.api_list [--rounds N]

The limit beside it, measured in turns with it: the list's one query as psycopg2 takes
it, and the answer's bytes as a constant body from the same server.  What is more than
the two together is what Cyclades itself takes: the caller's token, and JSON made of
rows.

JSON of servers that have not changed is kept from list to list.  What a list takes of
which none is kept is measured beside it, after a change of all its servers.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen

from bench.load import Figures, Load, run
from bench.results import Target, judge, median
from bench.stack import (
    OTHER_TOKEN,
    TOKEN,
    Stack,
    add_servers,
    cpu_s,
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
class Turn:
    """What one turn gave: medians in seconds, of an answer each.

    :ivar first: With nothing kept, on a new connection; ``bare`` the constant body so.
    """

    query: float
    static: float
    one: float
    first: float
    bare: float

    @property
    def times_the_limit(self) -> float:
        """How long an answer took, in those of the query and the body alone."""
        return self.one / (self.query + self.static)

    @property
    def first_times_the_limit(self) -> float:
        """The same of an answer of which nothing is kept."""
        return self.first / (self.query + self.bare)


@frozen
class Round:
    """What one round gave; ``two`` are two processes.

    :ivar processor_s: What an answer takes of a processor, 16 at a time.
    """

    turns: list[Turn]
    one: Figures
    one_at_16: Figures
    two_at_16: Figures
    processor_s: float
    rss: float


def query_s(made: Stack, project: Project, count: int) -> float:
    """Return the seconds that a list's query takes, rows fetched."""
    connection = made.connect()
    wanted = search.Wanted(project=project.id)
    taken = []
    with connection, connection.cursor() as txn:
        for _ in range(20):
            before = time.perf_counter()
            txn.execute(search.query(wanted), arguments(wanted, limit=1000))
            rows = txn.fetchall()
            taken.append(time.perf_counter() - before)
            assert len(rows) == count
    connection.close()
    return median(taken)


def first_s(made: Stack, case: Case) -> tuple[float, float]:
    """Return the seconds of an answer with nothing kept, and of the constant body."""
    ours, bare = [], []
    for number in range(5):
        made.execute(
            f"UPDATE server SET description = 'changed {number}' || clock_timestamp()"
            f" WHERE project_id = '{case.project.id}'",
            "VACUUM server",
        )
        for taken, port in ((ours, made.port), (bare, case.static_port)):
            before = time.perf_counter()
            fetch(port, get(_PATH, case.token))
            taken.append(time.perf_counter() - before)
    return median(ours), median(bare)


def one_turn(made: Stack, case: Case, load: Load) -> tuple[Turn, Figures]:
    """Measure each thing once, one after the other."""
    query = query_s(made, case.project, case.count)
    static = run(evolve(load, port=case.static_port, seconds=load.seconds / 2))
    one = run(load)
    first, bare = first_s(made, case)
    return Turn(query, median(static.delays), median(one.delays), first, bare), one


def one_round(made: Stack, case: Case, seconds: float) -> Round:
    """Measure a case, in three turns, and then the many at a time."""
    asked = [get(_PATH, case.token)]
    load = Load(made.port, asked, seconds=seconds)
    busy = Load(made.port, asked, 16, seconds=seconds * 3, warm_s=1.0)
    with made.serving() as pids:
        turns = [one_turn(made, case, load) for _ in range(3)]
        before = cpu_s(pids)
        one_at_16 = run(busy)
        answers = len(one_at_16.delays) + one_at_16.rate * busy.warm_s
        processor = (cpu_s(pids) - before) / answers
        rss = rss_mb(pids)
    with made.serving(2):
        two_at_16 = run(busy)
    alone = [figures for _, figures in turns]
    one = evolve(alone[0], delays=[each for its in alone for each in its.delays])
    one = evolve(one, seconds=sum(its.seconds for its in alone))
    return Round([turn for turn, _ in turns], one, one_at_16, two_at_16, processor, rss)


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

    turns = [turn for one in rounds for turn in one.turns]

    def each(of: Any) -> float:
        return round(median([of(one) for one in turns]), 2)

    judge(
        f"api: a list of {case.count} servers with details",
        {
            "rounds of three turns": len(rounds),
            "bytes": case.body,
            "1 at a time, p50 ms": middle(lambda one: one.one.ms(50), 2),
            "1 at a time, p99 ms": middle(lambda one: one.one.ms(99), 2),
            "1 at a time, answers/s": middle(lambda one: one.one.rate),
            "the query alone (limit), ms": each(lambda one: one.query * 1000),
            "the bytes alone (limit), p50 ms": each(lambda one: one.static * 1000),
            "times both limits": each(lambda one: one.times_the_limit),
            "all of it changed, p50 ms": each(lambda one: one.first * 1000),
            "all of it changed, times both limits": each(
                lambda one: one.first_times_the_limit
            ),
            "16 at a time, answers/s": middle(lambda one: one.one_at_16.rate),
            "16 at a time, p50 ms": middle(lambda one: one.one_at_16.ms(50)),
            "16 at a time, p99 ms": middle(lambda one: one.one_at_16.ms(99)),
            "16 at a time, p99 in p50s": middle(
                lambda one: one.one_at_16.ms(99) / one.one_at_16.ms(50), 2
            ),
            "16 at a time, ms of a processor": middle(
                lambda one: one.processor_s * 1000, 2
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
    parser.add_argument("--seconds", type=float, default=1.0)
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
