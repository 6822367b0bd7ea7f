"""Addresses taken by sixteen at once, and how that depends on how full the pool is.

    sudo .venv/bin/python -m bench.ipam [--rounds N]

``POST /v2.0/floatingips`` from a /20, with one process that serves the API and with two:
each is an address taken, counted against a quota, and committed.  The same for ports by
the storage's own functions, without HTTP: in a pool of which 10 % are taken, and in one of
which 95 % are, with gaps all over.

The limit beside it: as many commits of one row each as PostgreSQL makes for ten.
"""

import argparse
import os
import random
import time
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

from attrs import evolve

from bench.api_create import commits
from bench.load import Load, run
from bench.results import Target, judge, median
from bench.stack import Stack, post, stack
from snf.storage import networks, ports, subnets
from snf.testing.world import EXTERNAL, EXTERNAL_SUBNET, PROJECT_A

_AT_ONCE = 16
_WHOLE = ip_network("172.16.0.0/20")
_POOL = _WHOLE.num_addresses - 12

_ASKED = post(
    "/network/v2.0/floatingips",
    {"floatingip": {"floating_network_id": str(EXTERNAL.id)}},
)


def prepare(made: Stack) -> None:
    """Store the network that addresses are taken from."""
    connection = made.connect()
    with connection, connection.cursor() as txn:
        networks.add(txn, EXTERNAL)
        subnets.add(txn, EXTERNAL_SUBNET)
        txn.execute(
            "UPDATE subnet SET cidr = %s, gateway = %s WHERE id = %s",
            (str(_WHOLE), str(_WHOLE[1]), EXTERNAL_SUBNET.id),
        )
        txn.execute(
            "UPDATE allocation_pool SET first = %s, last = %s WHERE subnet_id = %s",
            (str(_WHOLE[10]), str(_WHOLE[-3]), EXTERNAL_SUBNET.id),
        )
    connection.close()


def value(made: Stack, query: str) -> Any:
    """Return the one value that a query has."""
    connection = made.connect()
    with connection, connection.cursor() as txn:
        txn.execute(query)
        [(found,)] = txn.fetchall()
    connection.close()
    return found


def by_http(made: Stack, processes: int, seconds: float) -> tuple[float, float, int]:
    """Return addresses a second, the median in ms, and how many were had twice."""
    with made.serving(processes):
        got = run(Load(made.port, [_ASKED], _AT_ONCE, seconds, expected=201))
    if got.refused:
        raise SystemExit(f"{got.refused} requests were refused")
    twice = value(made, "SELECT count(*) - count(DISTINCT address) FROM address")
    made.execute("DELETE FROM floating_ip", "DELETE FROM quota_usage", "VACUUM ANALYZE")
    return got.rate, got.ms(50), twice


def take(connection: Any, count: int) -> list[float]:
    """Store ports, each in a transaction of its own; the ms that each took."""
    delays = []
    for _ in range(count):
        began = time.perf_counter()
        with connection, connection.cursor() as txn:
            ports.add(
                txn, uuid4(), _network, PROJECT_A.id, None, 0, "aa:00:00", os.urandom
            )
        delays.append((time.perf_counter() - began) * 1000)
    return delays


_network = evolve(EXTERNAL, subnets=(EXTERNAL_SUBNET.id,))


def by_fill(made: Stack, share: float, count: int) -> float:
    """Return the median of the ms that a port takes in a pool so full, gaps all over."""
    connection = made.connect()
    take(connection, _POOL)
    with connection, connection.cursor() as txn:
        txn.execute("SELECT id FROM port ORDER BY id")
        known = [port for (port,) in txn.fetchall()]
        gone = random.Random(0).sample(known, round(_POOL * (1 - share)))
        txn.execute("DELETE FROM port WHERE id = ANY(%s)", (gone,))
    made.execute("VACUUM ANALYZE")
    delays = take(connection, count)
    connection.close()
    made.execute("DELETE FROM port", "VACUUM ANALYZE")
    return median(delays)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    figures: dict[str, list[Any]] = {
        name: [] for name in ("one", "two", "low", "high", "limit")
    }
    with stack() as made:
        prepare(made)
        for _ in range(options.rounds):
            figures["limit"].append(commits(made, 1.0))
            figures["one"].append(by_http(made, 1, options.seconds))
            figures["two"].append(by_http(made, 2, options.seconds))
            figures["low"].append(by_fill(made, 0.10, 200))
            figures["high"].append(by_fill(made, 0.95, 150))
        deadlocks = value(
            made,
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
        )
    low, high = median(figures["low"]), median(figures["high"])
    judge(
        "ipam: addresses taken, 16 at once",
        {
            "rounds": options.rounds,
            "one process, addresses/s": round(median([it[0] for it in figures["one"]])),
            "one process, p50 ms": round(median([it[1] for it in figures["one"]]), 1),
            "two processes, addresses/s": round(
                median([it[0] for it in figures["two"]])
            ),
            "two processes, p50 ms": round(median([it[1] for it in figures["two"]]), 1),
            "had twice": sum(it[2] for it in figures["one"] + figures["two"]),
            "deadlocks": deadlocks,
            "a port, pool 10 % full, p50 ms": round(low, 2),
            "a port, pool 95 % full, p50 ms": round(high, 2),
            "95 % against 10 %": round(high / low, 2),
            "commits of one row (limit), 10 at once, 1/s": round(
                median(figures["limit"])
            ),
        },
        Target("had twice", 0),
        Target("deadlocks", 0),
        Target("95 % against 10 %", 1.5),
    )


if __name__ == "__main__":
    main()
