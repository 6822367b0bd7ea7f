"""Passwords hashed by SHA-512 crypt, as crypt(3) has it (``$6$``).

Written out here because Python has no ``crypt`` any more from 3.13 on.  The letters are
those of the specification, https://www.akkadia.org/drepper/SHA-crypt.txt.
"""

import re
import secrets
from hashlib import sha512
from hmac import compare_digest

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HASH = re.compile(
    r"\$6\$(?:rounds=([0-9]{1,9})\$)?([^$:\n]{0,16})\$([./0-9A-Za-z]{86})"
)

_ROUNDS = 5000
_FEWEST, _MOST = 1000, 1_000_000
_SALT = 16
# The longest password that is tried: each round takes longer with a longer one.
_LONGEST = 256


def digest(password: str) -> str:
    """Return what to keep of a password: takes some milliseconds."""
    salt = "".join(secrets.choice(_ALPHABET) for _ in range(_SALT))
    return f"$6${salt}${_encoded(_rounds(password.encode(), salt.encode(), _ROUNDS))}"


def is_hash(text: str) -> bool:
    """Whether a text is what is kept of a password."""
    match = _HASH.fullmatch(text)
    return match is not None and int(match[1] or _ROUNDS) <= _MOST


def matches(password: str, kept: str) -> bool:
    """Whether a password is the one of which that was kept: takes some milliseconds."""
    match = _HASH.fullmatch(kept)
    if match is None or len(password) > _LONGEST:
        return False
    rounds = max(_FEWEST, int(match[1] or _ROUNDS))
    if rounds > _MOST:
        return False
    made = _rounds(password.encode("utf-8", "replace"), match[2].encode(), rounds)
    return compare_digest(_encoded(made), match[3])


def _rounds(password: bytes, salt: bytes, rounds: int) -> bytes:
    size = len(password)
    b = sha512(password + salt + password).digest()
    a = sha512(password + salt + _filled(b, size))
    bits = size
    while bits:
        a.update(b if bits & 1 else password)
        bits >>= 1
    made = a.digest()
    p = _filled(sha512(password * size).digest(), size)
    s = _filled(sha512(salt * (16 + made[0])).digest(), len(salt))
    for number in range(rounds):
        c = sha512(p if number & 1 else made)
        if number % 3:
            c.update(s)
        if number % 7:
            c.update(p)
        c.update(made if number & 1 else p)
        made = c.digest()
    return made


def _filled(piece: bytes, size: int) -> bytes:
    """Return so many octets of a piece that is repeated."""
    return (piece * (size // len(piece) + 1))[:size]


def _encoded(made: bytes) -> str:
    """Return the octets in the order, and the base 64, of crypt."""
    text = ""
    a, b, c = 0, 21, 42
    for _ in range(21):
        text += _four(made[a] << 16 | made[b] << 8 | made[c], 4)
        a, b, c = b + 1, c + 1, a + 1
    return text + _four(made[63], 2)


def _four(number: int, letters: int) -> str:
    return "".join(_ALPHABET[number >> 6 * at & 63] for at in range(letters))
