"""The answer that VNC authentication expects (RFC 6143, section 7.2.2)."""

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

CHALLENGE = 16
# What of a password counts.
KEY = 8

# VNC has always given DES its key's bits in the wrong order.
_MIRRORED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def response(password: bytes, challenge: bytes) -> bytes:
    """Return the challenge as whoever knows the password encrypts it."""
    key = password[:KEY].ljust(KEY, b"\0").translate(_MIRRORED)
    # Three times the same key is DES, which has no name of its own any more.
    cipher = Cipher(TripleDES(key * 3), modes.ECB())
    return cipher.encryptor().update(challenge)
