"""Sealing what is kept for guests, so that who reads a database cannot read it.

The key is in a file beside the database, never in it.
"""

import base64

from attrs import frozen
from cryptography.fernet import Fernet, InvalidToken

from snf.core.errors import Unavailable


class Unreadable(Unavailable):
    """It was sealed with another key, or has been spoiled."""


@frozen
class Seal:
    """Seals and opens: AES-128-CBC and HMAC-SHA256 (the Fernet specification).

    :ivar box: Has the key.
    """

    box: Fernet

    @classmethod
    def of(cls, key: bytes) -> "Seal":
        """Return the one of a key of 32 bytes."""
        return cls(Fernet(base64.urlsafe_b64encode(key)))

    def seal(self, plain: bytes) -> bytes:
        """Return what only this key opens."""
        return self.box.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """
        Return what was sealed.

        :raises Unreadable: It cannot be opened.
        """
        try:
            return self.box.decrypt(sealed)
        except InvalidToken:
            raise Unreadable(
                "What is kept for this guest cannot be read: the key in the file of "
                "[nodes] key_file is another one than when it was stored"
            ) from None
