"""Addresses taken by sixteen at once, and how that depends on how full the pool is.

    sudo .venv/bin/python -m bench.ipam [--rounds N]

A thousand times ``POST /v2.0/ports`` on a /20, with one process that serves the API and
with two: each is an address taken, counted against a quota, and committed.  The same by
the storage's own functions, without HTTP: in a pool of which 10 % are taken, and in one of
which 95 % are, with gaps all over; and what that costs on connections that have seen the
pool empty, and so have planned for it, while it is being filled.

The limit beside it: as many commits of one row each as PostgreSQL makes for ten.  In each
round all of it is measured; on a machine that has other things to do, only ratios mean
anything.
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

_COUNT = 1000
# Nobody waits longer for them; a second of the machine's is a second of this.
_LONGEST_S = 60.0

_ASKED = post(
    "/network/v2.0/ports", {"port": {"network_id": str(EXTERNAL.id), "name": "bench"}}
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


def by_http(made: Stack, processes: int) -> tuple[float, float, int]:
    """Return ports a second, the median in ms, and how many addresses were had twice."""
    with made.serving(processes):
        load = Load(
            made.port,
            [_ASKED],
            _AT_ONCE,
            _LONGEST_S,
            warm_s=0.0,
            expected=201,
            most=_COUNT,
        )
        got = run(load)
    if len(got.delays) != _COUNT:
        raise SystemExit(f"{len(got.delays)} of {_COUNT} ports in {_LONGEST_S:g} s")
    stored = value(made, "SELECT count(DISTINCT address) FROM address")
    made.execute("DELETE FROM port", "DELETE FROM quota_usage", "VACUUM ANALYZE")
    return got.rate, got.ms(50), _COUNT - stored


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


def filling(made: Stack) -> tuple[float, float]:
    """Return the medians of the ms that the first and the last tenth of a pool take."""
    made.execute("VACUUM ANALYZE")
    connection = made.connect()
    delays = take(connection, _POOL)
    connection.close()
    tenth = _POOL // 10
    return median(delays[:tenth]), median(delays[-tenth:])


def by_fill(made: Stack, share: float, count: int) -> float:
    """
    Return the median of the ms that a port takes in a pool so full, gaps all over.

    The pool is full before, and is afterwards as full as it is to be.
    """
    connection = made.connect()
    with connection, connection.cursor() as txn:
        txn.execute("SELECT id FROM port ORDER BY id")
        known = [port for (port,) in txn.fetchall()]
        gone = random.Random(0).sample(known, round(_POOL * (1 - share)))
        txn.execute("DELETE FROM port WHERE id = ANY(%s)", (gone,))
    made.execute("VACUUM ANALYZE")
    delays = take(connection, count)
    connection.close()
    return median(delays)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, list[Any]] = {
        name: [] for name in ("one", "two", "first", "last", "low", "high", "limit")
    }
    with stack() as made:
        prepare(made)
        for _ in range(options.rounds):
            figures["limit"].append(commits(made, 1.0))
            figures["one"].append(by_http(made, 1))
            figures["two"].append(by_http(made, 2))
            first, last = filling(made)
            figures["first"].append(first)
            figures["last"].append(last)
            figures["high"].append(by_fill(made, 0.95, 150))
            figures["low"].append(by_fill(made, 0.10, 150))
            made.execute("DELETE FROM port", "VACUUM ANALYZE")
        deadlocks = value(
            made,
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
        )
    low, high = median(figures["low"]), median(figures["high"])
    first, last = median(figures["first"]), median(figures["last"])
    judge(
        "ipam: 1,000 ports, 16 at once",
        {
            "rounds": options.rounds,
            "one process, ports/s": round(median([it[0] for it in figures["one"]])),
            "one process, p50 ms": round(median([it[1] for it in figures["one"]]), 1),
            "two processes, ports/s": round(median([it[0] for it in figures["two"]])),
            "two processes, p50 ms": round(median([it[1] for it in figures["two"]]), 1),
            "had twice": sum(it[2] for it in figures["one"] + figures["two"]),
            "deadlocks": deadlocks,
            "a port, pool 10 % full, p50 ms": round(low, 2),
            "a port, pool 95 % full, p50 ms": round(high, 2),
            "95 % against 10 %": round(high / low, 2),
            "a port, first tenth of a pool being filled, p50 ms": round(first, 2),
            "a port, last tenth of a pool being filled, p50 ms": round(last, 2),
            "last tenth against first": round(last / first, 2),
            "commits of one row (limit), 10 at once, 1/s": round(
                median(figures["limit"])
            ),
        },
        Target("had twice", 0),
        Target("deadlocks", 0),
        Target("95 % against 10 %", 1.5),
        Target("last tenth against first", 1.5),
    )


if __name__ == "__main__":
    main()
