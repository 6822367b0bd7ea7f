"""Whether anything puts packets into the queues."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

# Tables of the older kind that are there: listing another one would make it.
_TABLES = {
    "iptables-legacy-save": Path("/proc/net/ip_tables_names"),
    "ip6tables-legacy-save": Path("/proc/net/ip6_tables_names"),
}

# Rules of either kind of iptables, and of nft itself; those that are not installed, or
# that the kernel does not have, say nothing.
_LISTS = (
    ("iptables-save", "-t", "mangle"),
    ("ip6tables-save", "-t", "mangle"),
    ("iptables-legacy-save", "-t", "mangle"),
    ("ip6tables-legacy-save", "-t", "mangle"),
    ("nft", "list", "ruleset"),
)
_NUMBERS = re.compile(
    r"(?:--queue-num|--queue-balance|\bqueue(?: flags \S+)?(?: num| to)) (\d+)(?:[:-](\d+))?"
)
_TIMEOUT_S = 10.0
# Not everybody's path leads to them.
_PATH = "/usr/sbin:/sbin"


def rules() -> str | None:
    """Return all rules of the node that can be listed; ``None`` if none can."""
    known = (_printed(command) for command in _LISTS if _is_there(command[0]))
    texts = [text for text in known if text is not None]
    return "\n".join(texts) if texts else None


def unfed(queues: Mapping[str, int], text: str) -> list[str]:
    """Return which queues no rule puts packets into, by their kinds.

    :param text: The rules.
    """
    fed = set(_fed(text))
    return [kind for kind, number in queues.items() if number not in fed]


def _fed(text: str) -> Iterable[int]:
    for first, last in _NUMBERS.findall(text):
        yield from range(int(first), int(last or first) + 1)


def _is_there(program: str) -> bool:
    if program not in _TABLES:
        return True
    try:
        return "mangle" in _TABLES[program].read_text("ascii").split()
    except OSError:
        return False


def _printed(command: tuple[str, ...]) -> str | None:
    path = f"{os.environ.get('PATH', os.defpath)}:{_PATH}"
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
