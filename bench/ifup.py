"""How long it takes to set up a NIC on a node, and whether that grows with the NICs.

    sudo .venv/bin/python -m bench.ifup [--taps N] [--rounds N]

Beside it stands ``ip link set up``, which Ganeti would need in any case.  Everything
happens in namespaces that are gone afterwards.  On a machine that has other things to do
only the CPU times mean anything: those of all processes that a way takes.
"""

import argparse
import resource
import subprocess
import time
from collections.abc import Callable
from functools import partial

from bench.results import keep, median
from tests.node.lab import ROUTER4, SUBNET4, SUBNET6, TABLE, Lab, NodeNamespace, batch

_KINDS = {
    "routed": {
        "MODE": "routed",
        "LINK": TABLE,
        "NETWORK_SUBNET": SUBNET4,
        "NETWORK_GATEWAY": ROUTER4,
        "NETWORK_SUBNET6": SUBNET6,
        "NETWORK_TAGS": "ip-less-routed public nfdhcpd",
    },
    "VXLAN": {
        "MODE": "openvswitch",
        "LINK": "snfv77",
        "NETWORK_TAGS": "vxlan vni:77 private",
    },
}


def variables(number: int, kind: str) -> dict[str, str]:
    """Return what Ganeti says of a NIC."""
    high, low = divmod(number, 250)
    routed = {"IP": f"198.18.1{high}.{low + 1}"} if kind == "routed" else {}
    return {
        **_KINDS[kind],
        **routed,
        "INTERFACE": f"tap{number}",
        "INTERFACE_INDEX": "0",
        "INTERFACE_NAME": f"snf-nic-{number}",
        "INSTANCE": f"snf-{number}",
        "MAC": f"aa:00:00:00:{high:02x}:{low:02x}",
        "TAGS": f"synnefo:network:snf-nic-{number}:limited",
    }


def taps(lab: Lab, node: NodeNamespace, numbers: range) -> None:
    """Make taps, whose other ends stay with the Internet."""
    lines = [
        f"link add tap{number} type veth peer name far{number} netns {lab.internet}"
        for number in numbers
    ]
    batch(node.namespace, *lines)


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long some work of other processes takes, and their CPU time; both s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = time.perf_counter()
    work()
    seconds = time.perf_counter() - before
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def one_round(
    lab: Lab, node: NodeNamespace, numbers: range
) -> dict[str, list[tuple[float, float]]]:
    """Return what each way takes, one after the other for each number."""
    inside = ("ip", "netns", "exec", node.namespace)
    figures: dict[str, list[tuple[float, float]]] = {"ip link set up": []} | {
        kind: [] for kind in _KINDS
    }
    for number in numbers:
        link = [*inside, "ip", "link", "set", f"tap{number}", "up"]
        figures["ip link set up"].append(
            taken(partial(subprocess.run, link, check=True))
        )
        for kind in _KINDS:
            batch(node.namespace, f"link del tap{number}")
            node.call("gc")
            taps(lab, node, range(number, number + 1))
            up = partial(node.up, variables(number, kind))
            figures[kind].append(taken(up))
    return figures


def main() -> None:
    """Measure with few taps, and with many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--taps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    lab = Lab()
    try:
        lab.open()
        node = lab.node()
        measured = range(1000, 1000 + options.rounds)
        taps(lab, node, measured)
        few = one_round(lab, node, measured)
        crowd = range(options.taps)
        taps(lab, node, crowd)
        for number in crowd:
            node.up(variables(number, "VXLAN" if number % 2 else "routed"))
        many = one_round(lab, node, measured)
    finally:
        lab.close()
    link, link_cpu = _medians(few["ip link set up"])
    figures: dict[str, object] = {
        "ip link set up, ms": _ms(link),
        "ip link set up, CPU ms": _ms(link_cpu),
    }
    met = True
    for kind in _KINDS:
        first, cpu = _medians(few[kind])
        crowded, crowded_cpu = _medians(many[kind])
        figures[f"{kind}, alone, CPU ms"] = _ms(cpu)
        figures[f"{kind}, beside {options.taps}, CPU ms"] = _ms(crowded_cpu)
        figures[f"{kind}, alone, ms"] = _ms(first)
        figures[f"{kind}, beside {options.taps}, ms"] = _ms(crowded)
        figures[f"{kind}, growth"] = round(crowded / first, 2)
        met = met and max(first, crowded) - link < 0.1 and crowded < 2 * first
    figures["target"] = "100 ms more than ip link set up; growth under 2"
    figures["met"] = met
    keep("ifup", figures)


def _medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    return median([one for one, _ in found]), median([cpu for _, cpu in found])


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


if __name__ == "__main__":
    main()
