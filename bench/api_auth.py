"""What a token costs a request, and what logins cost those who are in.

    sudo .venv/bin/python -m bench.api_auth [--rounds N]

A token is looked up in the request's own transaction, by one statement.  Then 100 small
requests a second are asked, first alone, which is the peer, and then beside people who
log in with passwords: 50 a second, or as many as keep four fifths of a core at work on
nothing but passwords, where that is less.
"""

import argparse
import os
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from bench.load import Load, end, run, start
from bench.results import Target, judge, median
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
    connection = made.connect()
    kept = passwords.digest(world.PASSWORD, os.urandom(16))
    names = [f"user-{number}" for number in range(count)]
    with connection, connection.cursor() as txn:
        for name in names:
            user = User(uuid4(), name, default_project=world.PROJECT_A.id)
            users.add_user(txn, user, kept)
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


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    each = check_s()
    rate = min(_LOGINS, 0.8 / each)
    found: dict[str, list[Any]] = {"open": [], "known": [], "alone": [], "beside": []}
    logins, lookups = [], []
    with stack() as made, made.serving():
        asked = people(made, 40)
        small = get("/network/v2.0/extensions", TOKEN)
        quiet = Load(made.port, [small], 8, options.seconds, rate=100)
        flood = Load(made.port, asked, 32, options.seconds + 1, rate=rate, expected=201)
        for _ in range(options.rounds):
            lookups.append(token_s(made))
            seconds = options.seconds / 2
            found["open"].append(
                run(Load(made.port, [get("/compute/v2.1/")], seconds=seconds))
            )
            found["known"].append(run(Load(made.port, [small], seconds=seconds)))
            found["alone"].append(run(quiet))
            others = start(flood)
            time.sleep(0.5)
            found["beside"].append(run(quiet))
            logins.append(end(others))
    cost = [
        known.ms(50) - unknown.ms(50)
        for known, unknown in zip(found["known"], found["open"], strict=True)
    ]
    delay = [
        beside.ms(99) - alone.ms(99)
        for beside, alone in zip(found["beside"], found["alone"], strict=True)
    ]
    judge(
        "api: tokens and logins",
        {
            "rounds": options.rounds,
            "a request without a token, p50 ms": round(
                median([one.ms(50) for one in found["open"]]), 2
            ),
            "looking a token up, ms": round(median(lookups) * 1000, 3),
            "a request with a token and no other query, ms more": round(
                median(cost), 2
            ),
            "checking a password, ms of a core": round(each * 1000, 1),
            "logins/s": round(median([one.rate for one in logins]), 1),
            "a login, p50 ms": round(median([one.ms(50) for one in logins]), 1),
            "100 requests/s alone, p99 ms": round(
                median([one.ms(99) for one in found["alone"]]), 2
            ),
            "100 requests/s beside logins, p99 ms": round(
                median([one.ms(99) for one in found["beside"]]), 2
            ),
            "delay by logins, p99 ms": round(median(delay), 2),
        },
        Target("looking a token up, ms", 0.3),
        Target("delay by logins, p99 ms", 20),
    )


if __name__ == "__main__":
    main()
