"""How soon nfdhcpd follows its bindings, for ``bench.dhcp``."""

import re
import socket
import time

from bench.dhcp_servers import CLIENT, SERVER, Place, write_binding
from snf.nfdhcpd.request4 import COOKIE, HEADER
from tests.node.inside import inside

_MOST_S = 60.0
_CHANGES = 20
_KNOWN = re.compile(r"\) is snf-\d+'s$", re.MULTILINE)


def loaded_s(place: Place, bindings: int) -> float:
    """Return how long it takes from the first guest's being known to the last one's."""
    first = 0.0
    end = time.monotonic() + _MOST_S
    while (now := time.monotonic()) < end:
        text = place.log.read_text() if place.log.exists() else ""
        known = len(_KNOWN.findall(text))
        if known and not first:
            first = now
        if known >= bindings:
            return now - first
        time.sleep(0.002)
    raise SystemExit(f"{bindings} bindings were not read:\n{text[-2000:]}")


def changed_s(place: Place) -> list[float]:
    """Return how long it takes, some times, until a guest is told its new address."""
    return inside(place.client, _changes, place)


def _changes(place: Place) -> list[float]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.bind((CLIENT, 67))
        relay.settimeout(0.002)
        for number in range(_CHANGES):
            address = f"10.99.100.{1 + number}"
            begun = time.perf_counter()
            write_binding(place.bindings, 0, address)
            while _told(relay) != address:
                if time.perf_counter() - begun > _MOST_S:
                    raise SystemExit("a changed binding is not followed")
            found.append(time.perf_counter() - begun)
    return found


def _told(relay: socket.socket) -> str:
    """Return the address that is offered now; "" if nothing is, in the time."""
    names = (b"", b"", COOKIE)
    fixed = (1, 1, 6, 1, 1, 0, 0, bytes(4), bytes(4), bytes(4))
    discover = HEADER.pack(*fixed, socket.inet_aton(CLIENT), bytes(16), *names)
    relay.sendto(discover + b"\x35\x01\x01\xff", (SERVER, 67))
    try:
        return socket.inet_ntoa(relay.recv(2048)[16:20])
    except TimeoutError:
        return ""
