"""Pages and single servers with 1,000, 10,000 and 100,000 servers in the database.

    sudo .venv/bin/python -m bench.api_growth [--rounds N]

A fifth of the servers are deleted, and they belong to several projects; the one that is
asked for has half of them.  What does not grow with the database takes as long at the
end as at the beginning, which is the peer that it is compared with.
"""

import argparse
from uuid import UUID

from bench.load import Load, run
from bench.results import Target, judge, median
from bench.stack import (
    ADMIN_TOKEN,
    Stack,
    add_servers,
    get,
    stack,
)
from snf.testing import world

_SIZES = (1_000, 10_000, 100_000)

_DETAIL = "/compute/v2.1/servers/detail"


def grow(made: Stack, before: int, after: int) -> None:
    """Have so many servers more."""
    more = after - before
    add_servers(made, world.PROJECT_A, more * 4 // 10)
    add_servers(made, world.PROJECT_A, more // 10, deleted=True)
    add_servers(made, world.PROJECT_B, more * 4 // 10)
    add_servers(made, world.PROJECT_B, more // 10, deleted=True)


def deep(made: Stack) -> UUID:
    """Return the server behind which there are a hundred more of the project."""
    connection = made.connect()
    with connection, connection.cursor() as txn:
        txn.execute(
            "SELECT uuid FROM server WHERE project_id = %s AND deleted IS NULL"
            " ORDER BY created, id LIMIT 1 OFFSET 101",
            (world.PROJECT_A.id,),
        )
        [(found,)] = txn.fetchall()
    connection.close()
    return found


def questions(made: Stack) -> dict[str, list[str]]:
    """Return what is asked, by what it is called."""
    page = f"{_DETAIL}?limit=100"
    return {
        "a server": [
            get(f"/compute/v2.1/servers/{one}")
            for one in made.servers(world.PROJECT_A, 50)
        ],
        "a page": [get(page)],
        "the last page": [get(f"{page}&marker={deep(made)}")],
        "a page by status": [get(f"{page}&status=ACTIVE")],
        "a page of none by status": [get(f"{page}&status=ERROR")],
        "a page by name": [get(f"{page}&name=%5Eweb-1")],
        "a page of changes": [get(f"{page}&changes-since=2026-01-01T00:00:00Z")],
        "a page of all projects": [get(f"{page}&all_tenants=1", ADMIN_TOKEN)],
    }


def measure(made: Stack, rounds: int, seconds: float) -> dict[str, float]:
    """Return the milliseconds that each takes, in the middle."""
    taken: dict[str, list[float]] = {}
    with made.serving():
        asked = questions(made)
        for _ in range(rounds):
            for name, requests in asked.items():
                figures = run(Load(made.port, requests, seconds=seconds, warm_s=0.3))
                taken.setdefault(name, []).append(figures.ms(50))
    return {name: median(its) for name, its in taken.items()}


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.7)
    options = parser.parse_args()
    figures: dict[str, object] = {"rounds": options.rounds}
    by_size = []
    with stack() as made:
        before = 0
        for size in _SIZES:
            grow(made, before, size)
            before = size
            by_size.append(measure(made, options.rounds, options.seconds))
    for name, first in by_size[0].items():
        for size, its in zip(_SIZES, by_size, strict=True):
            figures[f"{name}, of {size}, p50 ms"] = round(its[name], 2)
        figures[f"{name}, growth"] = round(by_size[-1][name] / first, 2)
    judge(
        "api: with the size of the database",
        figures,
        *(Target(f"{name}, growth", 1.5) for name in by_size[0]),
    )


if __name__ == "__main__":
    main()
