"""What nfdhcpd counts, and how Prometheus reads it."""

from collections.abc import Iterable, Mapping
from typing import IO

from attrs import frozen

_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


@frozen
class Metric:
    """A metric, with a value for each set of labels."""

    name: str
    help: str
    kind: str
    values: tuple[tuple[tuple[tuple[str, str], ...], float], ...]


def of_packets(packets: Mapping[tuple[str, str], int]) -> Metric:
    """Return the counts of packets by their kind and what became of them."""
    return Metric(
        "nfdhcpd_packets_total",
        "Packets by kind and what became of them.",
        "counter",
        tuple(
            ((("kind", kind), ("outcome", outcome)), count)
            for (kind, outcome), count in sorted(packets.items())
        ),
    )


def exposition(metrics: Iterable[Metric]) -> str:
    """Return metrics in Prometheus's text format."""
    lines = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.values:
            inner = ",".join(
                f'{name}="{text.translate(_ESCAPED)}"' for name, text in labels
            )
            lines.append(f"{metric.name}{{{inner}}} {value}".replace("{}", ""))
    return "\n".join(lines) + "\n"


def dropped(file: IO[bytes] | None) -> dict[int, tuple[int, int, int]]:
    """
    Return the kernel's counts of each queue: waiting now, dropped, and not delivered.

    :param file: ``/proc/net/netfilter/nfnetlink_queue``, which only root may open.
    """
    if file is None:
        return {}
    file.seek(0)
    found = {}
    for line in file.read().decode("ascii").splitlines():
        words = [int(word) for word in line.split()]
        # linux/net/netfilter/nfnetlink_queue.c, seq_show
        found[words[0]] = (words[2], words[5], words[6])
    return found
