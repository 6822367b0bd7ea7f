"""Passwords that guests get when their owners have named none."""

from collections.abc import Callable, Iterator

# Nothing that is mistaken for something else, or that a shell, a URL or an answer file
# of Windows would take for its own.
_KINDS = ("ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "+-_.=")
_ALL = "".join(_KINDS)
_LENGTH = 16


def generate(random_bytes: Callable[[int], bytes]) -> str:
    """
    Return a password of 16 characters: more than 90 bits.

    It has upper and lower case, digits and others, which is what Windows asks for
    ("Password must meet complexity requirements"), and begins with a letter.
    """
    while True:
        password = "".join(_drawn(random_bytes))
        every = all(set(password).intersection(kind) for kind in _KINDS)
        if every and password[0].isalpha():
            return password


def _drawn(random_bytes: Callable[[int], bytes]) -> Iterator[str]:
    """Draw each character as likely as any other."""
    fair = 256 - 256 % len(_ALL)
    left = _LENGTH
    while left:
        for byte in random_bytes(left):
            if byte < fair:
                yield _ALL[byte % len(_ALL)]
                left -= 1
