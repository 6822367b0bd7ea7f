"""Pages and single servers with 1,000, 10,000 and 100,000 servers in the database.

    sudo .venv/bin/python -m bench.api_growth [--rounds N]

Each has a database of its own, and they are asked in turns, so that what else the
machine does meets all of them.  A fifth of the servers are deleted, and they belong to
several projects; the one that is asked for has half of them.  What does not grow with
the database takes as long with the largest as with the smallest, which is the peer.
"""

import argparse
from contextlib import ExitStack
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


def fill(made: Stack, size: int) -> None:
    """Have so many servers."""
    add_servers(made, world.PROJECT_A, size * 4 // 10)
    add_servers(made, world.PROJECT_A, size // 10, deleted=True)
    add_servers(made, world.PROJECT_B, size * 4 // 10)
    add_servers(made, world.PROJECT_B, size // 10, deleted=True)


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


def measure(rounds: int, seconds: float) -> dict[str, list[list[float]]]:
    """Return the milliseconds that each takes in each round, by size, in the middle."""
    taken: dict[str, list[list[float]]] = {}
    with ExitStack() as all_of_them:
        asked = []
        for size in _SIZES:
            made = all_of_them.enter_context(stack())
            fill(made, size)
            # At once: who listens takes the port from the next one.
            all_of_them.enter_context(made.serving())
            asked.append((made.port, questions(made)))
        for _ in range(rounds):
            for name in asked[0][1]:
                loads = [
                    Load(port, its[name], seconds=seconds, warm_s=0.2)
                    for port, its in asked
                ]
                its_round = [run(load).ms(50) for load in loads]
                taken.setdefault(name, []).append(its_round)
    return taken


def main() -> None:
    """Measure all sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    figures: dict[str, object] = {"rounds": options.rounds}
    taken = measure(options.rounds, options.seconds)
    for name, rounds in taken.items():
        for size, its in zip(_SIZES, zip(*rounds, strict=True), strict=True):
            figures[f"{name}, of {size}, p50 ms"] = round(median(its), 2)
        growth = median([one[-1] / one[0] for one in rounds])
        figures[f"{name}, growth"] = round(growth, 2)
    judge(
        "api: with the size of the database",
        figures,
        *(Target(f"{name}, growth", 1.5) for name in taken),
    )


if __name__ == "__main__":
    main()
