"""What a token costs a request, and what logins cost those who are in.

    sudo .venv/bin/python -m bench.api_auth [--rounds N]

A token is looked up in the request's own transaction, by one statement.  Then 100 small
requests a second are asked, in turns: alone, which is the peer; beside 50 logins a
second, by people who have logged in within five minutes; and beside as many first
logins, or as many as keep four fifths of a core at work on nothing but passwords, where
that is less.  Delays are those of all turns together.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

from attrs import evolve, frozen

from bench.load import Figures, Load, end, run, start
from bench.results import Target, judge, median, percentile
from bench.stack import TOKEN, Stack, get, post, stack
from snf.core import passwords
from snf.core.identity import Role, User
from snf.storage import tokens, users
from snf.testing import world

_LOGINS = 50


def login(name: str, password: str) -> str:
    """Return the request that logs somebody in with a password."""
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    identity = {"methods": ["password"], "password": {"user": user}}
    return post("/identity/v3/auth/tokens", {"auth": {"identity": identity}})


def check_s() -> float:
    """Return the seconds of a core that it takes to check a password."""
    kept = passwords.digest("a password", b"salt of the bench")
    taken = []
    for _ in range(5):
        before = time.thread_time()
        passwords.matches("a password", kept)
        taken.append(time.thread_time() - before)
    return median(taken)


def people(made: Stack, count: int) -> list[str]:
    """Store users, with passwords kept as in a real cloud; their logins."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        salts = [os.urandom(16) for _ in range(count)]
        kept = list(
            pool.map(lambda salt: passwords.digest(world.PASSWORD, salt), salts)
        )
    connection = made.connect()
    names = [f"user-{number}" for number in range(count)]
    with connection, connection.cursor() as txn:
        for name, hashed in zip(names, kept, strict=True):
            user = User(uuid4(), name, default_project=world.PROJECT_A.id)
            users.add_user(txn, user, hashed)
            users.assign(txn, user.id, world.PROJECT_A.id, Role.MEMBER)
    connection.close()
    return [login(name, world.PASSWORD) for name in names]


def token_s(made: Stack) -> float:
    """Return the seconds that it takes to look a token up, in a transaction."""
    connection = made.connect()
    digest, now, taken = passwords.token_digest(TOKEN), datetime.now(UTC), []
    with connection, connection.cursor() as txn:
        for _ in range(1000):
            before = time.perf_counter()
            assert tokens.get(txn, digest, now) is not None
            taken.append(time.perf_counter() - before)
    connection.close()
    return median(taken)


@frozen
class Turn:
    """What one turn gave; ``again`` and ``first`` are logins, ``beside_*`` the others."""

    lookup: float
    open: Figures
    known: Figures
    alone: Figures
    beside_again: Figures
    again: Figures
    beside_first: Figures
    first: Figures


def beside(quiet: Load, flood: Load) -> tuple[Figures, Figures]:
    """Ask quietly while somebody logs in; the figures of both."""
    others = start(flood)
    time.sleep(flood.warm_s)
    return run(quiet), end(others)


def one_turn(made: Stack, seconds: float, again: Load, first: Load) -> Turn:
    """Measure each thing once."""
    small = get("/network/v2.0/extensions", TOKEN)
    quiet = Load(made.port, [small], 8, seconds, rate=100)
    half = seconds / 2
    lookup = token_s(made)
    unknown = run(Load(made.port, [get("/compute/v2.1/")], seconds=half))
    known = run(Load(made.port, [small], seconds=half))
    alone = run(quiet)
    return Turn(
        lookup, unknown, known, alone, *beside(quiet, again), *beside(quiet, first)
    )


def turns(rounds: int, seconds: float, first_rate: float) -> list[Turn]:
    """Measure everything in turns; nobody logs in first more than once."""
    each = int(first_rate * (seconds + 2)) + 32
    with stack() as made, made.serving():
        everybody = people(made, 40 + rounds * each)
        regulars, new = everybody[:40], everybody[40:]
        # Until all of these have been checked once.
        run(Load(made.port, regulars, 8, 40 / first_rate, expected=201))
        flood = Load(made.port, regulars, 32, seconds + 1, rate=_LOGINS, expected=201)
        return [
            one_turn(
                made,
                seconds,
                flood,
                evolve(
                    flood,
                    requests=new[turn * each : (turn + 1) * each],
                    rate=first_rate,
                ),
            )
            for turn in range(rounds)
        ]


def together(figures: list[Figures], percent: float) -> float:
    """Return a percentile of the delays of all turns, in milliseconds."""
    return percentile([each for one in figures for each in one.delays], percent) * 1000


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    check = check_s()
    found = turns(options.rounds, options.seconds, min(_LOGINS, 0.8 / check))
    cost = median([one.known.ms(50) - one.open.ms(50) for one in found])
    alone = together([one.alone for one in found], 99)
    beside_again = together([one.beside_again for one in found], 99)
    beside_first = together([one.beside_first for one in found], 99)
    judge(
        "api: tokens and logins",
        {
            "rounds": options.rounds,
            "a request without a token, p50 ms": round(
                together([one.open for one in found], 50), 2
            ),
            "looking a token up, ms": round(
                median([one.lookup for one in found]) * 1000, 3
            ),
            "a request with a token and no other query, ms more": round(cost, 2),
            "checking a password, ms of a core": round(check * 1000, 1),
            "logins/s": round(median([one.again.rate for one in found]), 1),
            "a login, p50 ms": round(together([one.again for one in found], 50), 1),
            "first logins/s": round(median([one.first.rate for one in found]), 1),
            "a first login, p50 ms": round(
                together([one.first for one in found], 50), 1
            ),
            "100 requests/s alone, p99 ms": round(alone, 2),
            "100 requests/s beside logins, p99 ms": round(beside_again, 2),
            "100 requests/s beside first logins, p99 ms": round(beside_first, 2),
            "delay by logins, p99 ms": round(beside_again - alone, 2),
            "delay by first logins, p99 ms": round(beside_first - alone, 2),
        },
        Target("looking a token up, ms", 0.3),
        Target("logins/s", 0.95 * _LOGINS, most=False),
        Target("delay by logins, p99 ms", 20),
        Target("delay by first logins, p99 ms", 20),
    )


if __name__ == "__main__":
    main()
