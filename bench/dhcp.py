"""How fast DHCP is answered, beside Kea and dnsmasq.

    sudo .venv/bin/python -m bench.dhcp [--rounds N] [--delays]

perfdhcp, of Kea, asks all in turns over the same link, as a relay of 1,000 clients does.
Kea keeps its leases in a file and has a thread a core. Dnsmasq keeps them in a file, too,
as it is installed; and it is measured without one, since nfdhcpd has no leases. Both lend
addresses of a pool; nfdhcpd answers all clients from one binding. With ``--delays`` only
delays are measured: more rounds in the same time, on a machine that has other things to do.

Everything is in namespaces that are gone afterwards. A rate is what was asked, not what was
meant to be. On a machine that has other things to do only ratios mean anything.
"""

import argparse
import os
import re
import shutil
import tempfile
import time
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
# What a round finds: its words, its unit, and how many digits mean something.
_WORDS = {
    "rate": ("highest rate", "exchanges/s", None),
    "cpu": (f"CPU of a question at {_USUAL}/s", "us", None),
    "p50": (f"delay at {_USUAL}/s p50", "ms", 3),
    "p99": (f"delay at {_USUAL}/s p99", "ms", 3),
}
_DELAYS = (
    Target(f"delay at {_USUAL}/s p50, of Kea's", 1),
    Target(f"delay at {_USUAL}/s p50, of dnsmasq's", 1),
    Target(f"delay at {_USUAL}/s p99, of Kea's", 1),
    Target(f"delay at {_USUAL}/s p99, of dnsmasq's", 1),
)
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
    parser.add_argument("--delays", action="store_true")
    options = parser.parse_args()
    require()
    absent = [name for tool, name in _PACKAGES.items() if shutil.which(tool) is None]
    if absent:
        raise SystemExit(f"not installed: apt-get install {' '.join(absent)}")
    directory = Path(tempfile.mkdtemp(prefix="bench-dhcp-", dir="/tmp"))
    place = Place(f"bd{os.getpid()}c", f"bd{os.getpid()}s", directory)
    try:
        place.open(max(_BINDINGS))
        figures = questions(place, options.rounds, not options.delays)
        if not options.delays:
            figures |= bindings(place)
    finally:
        place.close()
    if options.delays:
        judge("dhcp: delays beside Kea's and dnsmasq's", figures, *_DELAYS)
        return
    judge(
        "dhcp: beside Kea and dnsmasq",
        figures,
        Target("highest rate, of Kea's", 1, most=False),
        Target("highest rate, of dnsmasq's", 5, most=False),
        *_DELAYS,
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


def questions(place: Place, rounds: int, rates: bool) -> dict[str, float]:
    """
    Return how questions are answered.

    :param rates: Whether to look for the highest rates as well.
    """
    seen: dict[str, list[dict[str, float]]] = {one.name: [] for one in _SERVERS}
    end = time.monotonic() + 60 * rounds
    for _ in range(rounds):
        for server in _SERVERS:
            before = seen[server.name]
            with server.running(place, 10) as process:
                found = usual(place, process)
                if rates:
                    last = before[-1]["rate"] if before else 0
                    found["rate"] = highest(place, last)
            before.append(found)
        if time.monotonic() > end:
            break
    return _figures(seen)


def _figures(seen: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Return the medians of all rounds, and of what ours is of the others' in each."""
    figures: dict[str, float] = {"rounds": len(seen[KEA.name])}
    known = {key: words for key, words in _WORDS.items() if key in seen[KEA.name][0]}
    for name, of in seen.items():
        for key, (words, unit, digits) in known.items():
            value = median([one[key] for one in of])
            figures[f"{name}, {words}, {unit}"] = round(value, digits)
    ours = seen[NFDHCPD.name]
    for name in (KEA.name, DNSMASQ.name, NO_FILE.name):
        for key, (words, _, _) in known.items():
            ratios = [a[key] / b[key] for a, b in zip(ours, seen[name], strict=True)]
            figures[f"{words}, of {name}'s"] = round(median(ratios), 2)
    return figures


if __name__ == "__main__":
    main()
