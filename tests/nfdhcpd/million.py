"""A million spoiled packets.

    .venv/bin/python -m tests.nfdhcpd.million [--packets N] [--seed N]

Ends with 1, and the packet, at the first exception, packet without a verdict, answer to a
foreign MAC address, or answer that is too long for the link.  The same seed makes the same
packets.
"""

import argparse
import random
import sys
import time

from twisted.logger import globalLogBeginner, textFileLogObserver

from tests.nfdhcpd.guest import FOREIGN, MAC
from tests.nfdhcpd.questions import WHOLE, Edit, spoiled
from tests.nfdhcpd.verdicts import Node, Wrong

_LONGEST = 1500
_SOURCES = (MAC, MAC, MAC, None, FOREIGN)
_ODD = (0, 1, 4, 6, 51, 52, 55, 57, 61, 82, 127, 128, 254, 255)


def edit(dice: random.Random, packet: bytes, others: list[bytes]) -> Edit:
    """Return how a packet is spoiled."""
    at = dice.randrange(len(packet) + 1)
    kind = dice.randrange(8)
    if kind < 3:  # an octet
        return Edit(at, 1, bytes((dice.randrange(256),)))
    if kind == 3:
        return Edit(at, 1, bytes((dice.choice(_ODD),)))
    if kind == 4:  # cut short
        return Edit(at, len(packet), b"")
    if kind == 5:  # some of another
        other = dice.choice(others)
        first = dice.randrange(len(other))
        piece = other[first : first + dice.randrange(1, 64)]
        return Edit(at, dice.choice((0, len(piece))), piece)
    if kind == 6:  # some of itself again, perhaps often
        first = dice.randrange(len(packet))
        piece = packet[first : first + dice.randrange(1, 32)]
        return Edit(at, 0, piece * dice.choice((1, 2, 30)))
    return Edit(at, dice.randrange(9), dice.randbytes(dice.randrange(300)))


def one(dice: random.Random, whole: list[bytes]) -> bytes:
    """Return a spoiled packet, no longer than a link carries."""
    packet = dice.choice(whole)
    edits = [edit(dice, packet, whole) for _ in range(dice.choice((1, 1, 2, 3, 5)))]
    return spoiled(packet, edits, dice.random() < 0.8)[:_LONGEST]


def main() -> None:
    """Spoil, and look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().getrandbits(32)
    )
    options = parser.parse_args()
    observers = [textFileLogObserver(sys.stderr)]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
    dice = random.Random(options.seed)
    nodes = [Node(routed=True), Node(routed=False)]
    kinds = list(nodes[0].queues)
    say(f"seed {options.seed}, {options.packets} packets of {', '.join(kinds)}")
    answered = 0
    begun = time.process_time()
    for _ in range(options.packets):
        kind = dice.choice(kinds)
        node, source = dice.choice(nodes), dice.choice(_SOURCES)
        packet = one(dice, WHOLE[kind])
        try:
            answered += len(node.put(kind, packet, source))
        except Wrong as problem:
            sys.exit(
                f"{kind} from {source and source.hex(':')} {problem}: {packet.hex()}"
            )
    say(f"{answered} answered, in {time.process_time() - begun:.0f} s of CPU time")
    for node in nodes:
        where = "tap" if node.routed else "bridge"
        for (word, outcome), count in sorted(node.answers.packets.items()):
            say(f"  {where} {word} {outcome} {count}")


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
