"""Packets and bindings that a fuzzer makes up, led by what of the code they reach.

    pip install --target /tmp/atheris atheris
    PYTHONPATH=/tmp/atheris .venv/bin/python -m tests.nfdhcpd.guided [--seconds N]

Ends with another number than 0, and the octets, at the first exception, packet without a
verdict, answer to a foreign MAC address, or answer that is too long for the link; and at a
binding that is read but cannot be answered from.  What it has found worth keeping is in
``--corpus``, from which the next run goes on.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["snf.nfdhcpd"]):
    from snf.nfdhcpd.binding import Invalid, completed, parse
    from snf.nfdhcpd.service import responders
    from snf.nfdhcpd.settings import Nfdhcpd
    from tests.nfdhcpd.guest import FOREIGN, MAC, SERVER_MAC
    from tests.nfdhcpd.questions import WHOLE, spoiled
    from tests.nfdhcpd.verdicts import Node

from tests.nfdhcpd.test_binding import OLD, OURS

_LONGEST = 1500
_KINDS = tuple(WHOLE)
_SOURCES = (MAC, None, FOREIGN)
# The keys that the samples do without.
_RARE = f"""{OURS}PRIVATE=yes
MACSPOOF=yes
NAMESERVERS6=2001:db8::54
DOMAIN=example.org
NTP=192.0.2.123 2001:db8::123
NEXT_SERVER=192.0.2.9
SERVER_NAME=boot
BOOT_FILE=pxelinux.0
OPTIONS=43:hex:0102 66:text:boot.example.org
"""


def packets() -> Callable[[bytes], None]:
    """Return what has a packet answered, of a kind and from where its first octet says."""
    nodes = Node(routed=True), Node(routed=False)

    def tried(octets: bytes) -> None:
        if not octets:
            return
        which = octets[0]
        packet = octets[1 : 1 + _LONGEST]
        if which & 8 and packet:
            # With lengths and checksums that are right, it is looked at any further.
            packet = spoiled(packet, [], repaired=True)
        source = _SOURCES[(which >> 4) % len(_SOURCES)]
        nodes[which >> 2 & 1].put(_KINDS[which & 3], packet, source)

    return tried


def bindings() -> Callable[[bytes], None]:
    """Return what has a binding read, and compiled for each kind of packets."""
    answering = responders(Nfdhcpd())

    def tried(octets: bytes) -> None:
        try:
            binding = parse("tap1", octets.decode("utf-8", "replace"))
        except Invalid:
            return
        binding = completed(binding, lambda table, family: (None, None))
        for one in answering:
            one.compile(binding, SERVER_MAC)

    return tried


def seeds(what: str) -> list[bytes]:
    """Return what the fuzzer starts from."""
    if what == "bindings":
        return [OURS.encode(), OLD.encode(), _RARE.encode()]
    return [
        bytes((8 | number | place << 2,)) + packet
        for number, kind in enumerate(_KINDS)
        for place in (0, 1)
        for packet in WHOLE[kind]
    ]


def main() -> None:
    """Try until the time is over, or something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("packets", "bindings"), nargs="?")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path)
    options = parser.parse_args()
    what = options.what or "packets"
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="corpus-", dir="/tmp"))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(seeds(what)):
        (corpus / f"seed-{what}-{number}").write_bytes(octets)
    tried = {"packets": packets, "bindings": bindings}[what]()
    limits = [f"-max_total_time={options.seconds}", f"-max_len={1 + _LONGEST}"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], tried)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
