"""Passwords and tokens: what is kept of them, and how they are checked.

Slow by design: ``digest`` and ``matches`` take some 50 ms of a core and 16 MiB, so
they belong into a thread.
"""

import hashlib
import hmac

# RFC 7914, section 2: N (cost), r (block size), p (parallelization).
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1


def digest(password: str, salt: bytes, cost: int = _COST) -> str:
    """Return what to keep of a password: ``scrypt$N$r$p$salt$key`` (hexadecimal)."""
    key = _derive(password, salt, cost, _BLOCK, _PARALLEL)
    return f"scrypt${cost}${_BLOCK}${_PARALLEL}${salt.hex()}${key.hex()}"


def matches(password: str, kept: str) -> bool:
    """
    Whether a password is the one that ``kept`` was made of.

    None with a NUL in it is: HMAC would not tell NULs at the end from none.
    """
    if "\0" in password:
        return False
    if kept.startswith(_PLAIN):
        return hmac.compare_digest(secret_digest(password), kept)
    kind, cost, block, parallel, salt, key = kept.split("$")
    if kind != "scrypt":
        raise ValueError(f"unknown kind of password hash: {kind}")
    derived = _derive(
        password, bytes.fromhex(salt), int(cost), int(block), int(parallel)
    )
    return hmac.compare_digest(derived, bytes.fromhex(key))


# Matches no password; checked when there is no such user, to take as long.
NOBODY = f"scrypt${_COST}${_BLOCK}${_PARALLEL}${'00' * 16}${'00' * 32}"


def token_digest(token: str) -> bytes:
    """Return what is kept of a token (tokens are random, so a plain hash will do)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def secret_digest(secret: str) -> str:
    """
    Return what to keep of a secret that is random: ``sha256$key`` (hexadecimal).

    Only for what has been drawn here with 256 bits: what somebody has thought of could
    be guessed at the speed of the hash.
    """
    return _PLAIN + token_digest(secret).hex()


_PLAIN = "sha256$"


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=cost,
        r=block,
        p=parallel,
        maxmem=64 * 1024 * 1024,
        dklen=32,
    )
