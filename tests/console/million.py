"""A million spoiled handshakes.

    .venv/bin/python -m tests.console.million [--handshakes N] [--seed N]

Ends with 1, and the handshake, at the first exception, state out of which nothing leads,
or byte that would be relayed of somebody who has not been let in.  The same seed makes
the same handshakes.
"""

import argparse
import random
import sys
import time
from collections import Counter

from snf.console import des
from snf.console.rfb import Handshake
from snf.console.screens import ScreenHandshake
from snf.console.upgrade import BadUpgrade, accept, parsed
from snf.console.viewers import ViewerHandshake

PASSWORD = b"s3cret"
CHALLENGE = bytes(range(100, 116))
RIGHT = des.response(PASSWORD, CHALLENGE)

_OK, _BAD = b"\0\0\0\0", b"\0\0\0\1"
_NO = b"\0\0\0\4away"
_BEHIND = b"\1behind"
_V = [b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n", b"RFB 003.889\n"]

# What viewers say, and nodes' VNC servers.
VIEWERS = [
    *(version + b"\2" + RIGHT + _BEHIND for version in _V),
    *(version + b"\2" + bytes(16) + _BEHIND for version in _V),
    *(version + RIGHT + _BEHIND for version in _V),
    *(version + b"\1" + _BEHIND for version in _V),
]
_TLS = b"\1\x13\0\2\0\2\0\0\1\4\0\0\1\5\1"
SCREENS = [
    *(version + b"\1\1" + _OK + _BEHIND for version in _V),
    *(version + b"\2\2\1" + CHALLENGE + _OK + _BEHIND for version in _V),
    *(version + b"\1\2" + CHALLENGE + _BAD + _NO for version in _V),
    *(version + b"\0" + _NO for version in _V),
    *(version + _TLS + _OK for version in _V),
    _V[0] + b"\0\0\0\2" + CHALLENGE + _OK + _BEHIND,
    _V[0] + b"\0\0\0\1" + _BEHIND,
    _V[0] + _OK + _NO,
]
REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]

# More octets than any handshake takes, and answers than any has.
_MOST_TAKEN = 4096
_MOST_SAID = 4096


class Wrong(Exception):
    """Something that may not be."""


def spoiled(dice: random.Random, text: bytes, others: list[bytes]) -> bytes:
    """Return a conversation with some mistakes, or, now and then, none or only these."""
    if dice.random() < 0.05:
        return dice.randbytes(dice.randrange(80))
    for _ in range(dice.choice((0, 1, 1, 1, 2, 4))):
        at = dice.randrange(len(text) + 1)
        kind = dice.randrange(6)
        if kind < 2:
            text = text[:at] + bytes((dice.randrange(256),)) + text[at + 1 :]
        elif kind == 2:
            text = text[:at]
        elif kind == 3:
            other = dice.choice(others)
            first = dice.randrange(len(other))
            text = text[:at] + other[first : first + dice.randrange(1, 20)] + text[at:]
        elif kind == 4:
            text = text[:at] + text[at + dice.randrange(1, 9) :]
        else:
            text = text[:at] + dice.randbytes(dice.randrange(1, 30)) + text[at:]
    return text


def pieces(dice: random.Random, text: bytes) -> list[bytes]:
    """Return it cut up as it may come."""
    found = []
    while text:
        size = dice.choice((1, 2, 5, 12, 13, 40, 1000))
        found.append(text[:size])
        text = text[size:]
    return found


def hold(handshake: Handshake, parts: list[bytes]) -> None:
    """
    Hold a handshake.

    :raises Wrong: It says too much, never ends, or keeps of one that failed what came.
    """
    said = len(handshake.begin())
    for part in parts:
        said += _tell(handshake, part)
    for _ in range(_MOST_TAKEN // 16):
        if handshake.over:
            break
        said += _tell(handshake, bytes(16))
    else:
        raise Wrong("it never ends")
    if said > _MOST_SAID:
        raise Wrong(f"{said} octets were said")
    if handshake.done == (handshake.failed is not None):
        raise Wrong("it is done and has failed, or neither")
    if handshake.failed is not None and handshake.rest:
        raise Wrong("something is kept of one that failed")


def _tell(handshake: Handshake, part: bytes) -> int:
    """Tell it something, and that TLS is there; return how much it says."""
    said = len(handshake.received(part))
    if handshake.wants_tls and not handshake.over:
        said += len(handshake.secured())
    return said


def viewer(dice: random.Random) -> str:
    """Try one viewer; return how it ended."""
    text = spoiled(dice, dice.choice(VIEWERS), VIEWERS)
    known = dice.random() < 0.8
    handshake = ViewerHandshake(PASSWORD if known else None, CHALLENGE)
    hold(handshake, pieces(dice, text))
    if handshake.done and known:
        # The version, perhaps the type, then the answer: whatever comes, nobody is let
        # in who has not given that one, nor anything of it relayed.
        if text[12:28] != RIGHT and text[12:29] != b"\2" + RIGHT:
            raise Wrong(f"let in: {text!r}")
        whole = 28 if text[12:28] == RIGHT else 29
        if not handshake.rest.startswith(text[whole:]):
            raise Wrong(f"relayed: {handshake.rest!r} of {text!r}")
    return f"viewer: {handshake.failed or 'let in'}"


def screen(dice: random.Random) -> str:
    """Try one VNC server; return how it ended."""
    text = spoiled(dice, dice.choice(SCREENS), SCREENS)
    handshake = ScreenHandshake(
        password=dice.choice((None, PASSWORD)),
        tls=dice.random() < 0.8,
        plain=dice.random() < 0.8,
    )
    hold(handshake, pieces(dice, text))
    return f"screen: {'failed' if handshake.failed else 'let us in'}"


def request(dice: random.Random) -> str:
    """Try one request for a WebSocket; return how it ended."""
    text = spoiled(dice, dice.choice(REQUESTS), REQUESTS)
    method, headers = parsed(text)
    try:
        answer = accept(method, headers.get).answer
    except BadUpgrade:
        return "request: refused"
    if answer.count(b"\r\n\r\n") != 1 or not answer.endswith(b"\r\n\r\n"):
        raise Wrong(f"an answer that does not end with its head: {answer!r}")
    return "request: granted"


def run(handshakes: int, seed: int) -> Counter[str]:
    """
    Hold so many, and return how they ended.

    :raises Wrong: One did not end as it should; ``number`` begins its text.
    """
    ended: Counter[str] = Counter()
    dice = random.Random(seed)
    for number in range(handshakes):
        kind = (viewer, screen, viewer, screen, request)[number % 5]
        try:
            ended[kind(dice)] += 1
        except Exception as failure:
            raise Wrong(f"number {number} of seed {seed}: {failure!r}") from failure
    return ended


def main() -> None:
    """Spoil, and look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=1_000_000)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().getrandbits(32)
    )
    options = parser.parse_args()
    begun = time.monotonic()
    ended = run(options.handshakes, options.seed)
    for how, count in ended.most_common():
        sys.stdout.write(f"{count:8} {how}\n")
    sys.stdout.write(
        f"{options.handshakes} with seed {options.seed}"
        f" in {time.monotonic() - begun:.0f} s\n"
    )


if __name__ == "__main__":
    main()
