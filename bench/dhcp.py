"""How fast DHCP is answered, beside Kea and dnsmasq.

    sudo .venv/bin/python -m bench.dhcp [--rounds N]

perfdhcp, of Kea, asks all in turns over the same link, as a relay of 1,000 clients does.
Kea keeps its leases in a file and has a thread a core. Dnsmasq keeps them in a file, too,
as it is installed; and it is measured without one, since nfdhcpd has no leases. Both lend
addresses of a pool; nfdhcpd answers all clients from one binding.

Everything is in namespaces that are gone afterwards. A rate is what was asked, not what was
meant to be. On a machine that has other things to do only ratios mean anything.
"""

import argparse
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bench.dhcp_bindings import changed_s, loaded_s
from bench.dhcp_servers import DNSMASQ, KEA, NFDHCPD, NO_FILE, SERVER, Place, Running
from bench.results import Target, judge, median, percentile
from tests.node.lab import require, run

_SERVERS = (NFDHCPD, KEA, DNSMASQ, NO_FILE)
_PACKAGES = {
    "perfdhcp": "kea-admin",
    "kea-dhcp4": "kea-dhcp4-server",
    "dnsmasq": "dnsmasq-base",
    "iptables": "iptables",
}
_MOST_DROPS = 0.01
# Exchanges a second, each of two questions and two answers.
_LADDER = tuple(round(200 * 1.2**step) for step in range(25))
_AROUND = 3  # steps of the ladder
_USUAL = 500
_BINDINGS = (10, 100, 1000)
_STAMP = re.compile(r"sent / received: (\d+)\.(\d+) / (\d+)\.(\d+)")


@frozen
class Load:
    """
    What perfdhcp saw.

    :ivar rate: Exchanges that it began each second.
    :ivar dropped: The share of questions without an answer, of the kind that has more.
    :ivar delays: Of all answers, in ms.
    :ivar packets: How many questions there were.
    """

    rate: float
    dropped: float
    delays: list[float]
    packets: int


def load(place: Place, rate: int, seconds: int) -> Load:
    """Return what comes of asking so many times a second."""
    argv = ["ip", "netns", "exec", place.client, "perfdhcp", "-4", "-l", "perf0"]
    argv += ["-r", str(rate), "-R", "1000", "-p", str(seconds), "-W", "300000"]
    text = run(*argv, "-x", "t", SERVER, check=False)
    sent = [int(one) for one in re.findall(r"sent packets: (\d+)", text)]
    lost = [int(one) for one in re.findall(r"\ndrops: (-?\d+)", text)]
    if len(sent) != 2 or len(lost) != 2:
        raise SystemExit(f"perfdhcp did not say what it did:\n{text[:2000]}")
    delays = [
        (int(to_s) - int(from_s)) * 1e3 + (int(to_us) - int(from_us)) / 1e3
        for from_s, from_us, to_s, to_us in _STAMP.findall(text)
    ]
    share = max(max(0, gone) / max(1, of) for gone, of in zip(lost, sent, strict=True))
    return Load(sent[0] / seconds, share, delays, sum(sent))


def highest(place: Place, before: float) -> float:
    """
    Return the highest rate with next to no drops, by halving the ladder.

    :param before: What it was in an earlier round; 0 if there was none.
    """
    low, high, best = 0, len(_LADDER), 0.0
    if before:
        near = sum(rate < before for rate in _LADDER)
        low, high = max(0, near - _AROUND), min(high, near + _AROUND)
    while low < high:
        middle = (low + high) // 2
        for _ in range(2):  # what else the machine does must spoil both
            seen = load(place, _LADDER[middle], 1)
            kept = seen.dropped < _MOST_DROPS and seen.rate > 0.9 * _LADDER[middle]
            if kept:
                break
        if kept:
            low, best = middle + 1, max(best, seen.rate)
        else:
            high = middle
    return best or float(_LADDER[max(0, low - 1)])


def usual(place: Place, server: Running) -> dict[str, float]:
    """Return delays, and the CPU time of a question, at a rate that all can do."""
    before = server.cpu_s()
    seen = load(place, _USUAL, 2)
    spent = server.cpu_s() - before
    return {
        "p50": percentile(seen.delays, 50),
        "p99": percentile(seen.delays, 99),
        "cpu": spent / seen.packets * 1e6,
    }


def memory_mb(place: Place, bindings: int) -> dict[str, float]:
    """Return what each has with so many bindings, in megabytes."""
    found = {}
    for server in (NFDHCPD, KEA, DNSMASQ):
        with server.running(place, bindings) as process:
            if server is NFDHCPD:
                loaded_s(place, bindings)
            found[server.name] = process.rss_mb()
    return found


def main() -> None:
    """Measure all of them, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    require()
    absent = [name for tool, name in _PACKAGES.items() if shutil.which(tool) is None]
    if absent:
        raise SystemExit(f"not installed: apt-get install {' '.join(absent)}")
    directory = Path(tempfile.mkdtemp(prefix="bench-dhcp-", dir="/tmp"))
    place = Place(f"bd{os.getpid()}c", f"bd{os.getpid()}s", directory)
    try:
        place.open(max(_BINDINGS))
        figures = bindings(place) | questions(place, options.rounds)
    finally:
        place.close()
    judge(
        "dhcp: beside Kea and dnsmasq",
        figures,
        Target("highest rate, of Kea's", 1, most=False),
        Target("highest rate, of dnsmasq's", 5, most=False),
        Target("delay p50, of Kea's", 1),
        Target("delay p50, of dnsmasq's", 1),
        Target("delay p99, of Kea's", 1),
        Target("delay p99, of dnsmasq's", 1),
        Target("nfdhcpd, RSS with 1000 bindings, MB", 60),
        Target("1000 bindings loaded, median s", 1),
        Target("a changed binding, median ms", 20),
    )


def bindings(place: Place) -> dict[str, float]:
    """Return what bindings cost."""
    figures = {}
    for many in _BINDINGS:
        for name, megabytes in memory_mb(place, many).items():
            figures[f"{name}, RSS with {many} bindings, MB"] = round(megabytes, 1)
    loads, changes = [], []
    for _ in range(3):
        with NFDHCPD.running(place, max(_BINDINGS), answering=False):
            loads.append(loaded_s(place, max(_BINDINGS)))
            changes += changed_s(place)
    figures["1000 bindings loaded, median s"] = round(median(loads), 3)
    figures["a changed binding, median ms"] = round(median(changes) * 1e3, 1)
    figures["a changed binding, worst ms"] = round(max(changes) * 1e3, 1)
    return figures


def questions(place: Place, rounds: int) -> dict[str, float]:
    """Return how questions are answered."""
    seen: dict[str, list[dict[str, float]]] = {one.name: [] for one in _SERVERS}
    end = time.monotonic() + 60 * rounds
    for _ in range(rounds):
        for server in _SERVERS:
            before = seen[server.name]
            with server.running(place, 10) as process:
                found = usual(place, process)
                found["rate"] = highest(place, before[-1]["rate"] if before else 0)
            before.append(found)
        if time.monotonic() > end:
            break
    figures: dict[str, float] = {"rounds": len(seen[KEA.name])}
    for name, of in seen.items():
        figures[f"{name}, highest rate, exchanges/s"] = round(_of(of, "rate"))
        figures[f"{name}, CPU of a question at {_USUAL}/s, us"] = round(_of(of, "cpu"))
        for key in ("p50", "p99"):
            figures[f"{name}, delay at {_USUAL}/s, {key} ms"] = round(_of(of, key), 3)
    ours = seen[NFDHCPD.name]
    for name in (KEA.name, DNSMASQ.name, NO_FILE.name):
        for key, what in (
            ("rate", "highest rate"),
            ("p50", "delay p50"),
            ("p99", "delay p99"),
        ):
            ratios = [a[key] / b[key] for a, b in zip(ours, seen[name], strict=True)]
            figures[f"{what}, of {name}'s"] = round(median(ratios), 2)
    return figures


def _of(rounds: Sequence[dict[str, float]], key: str) -> float:
    return median([one[key] for one in rounds])


if __name__ == "__main__":
    main()
