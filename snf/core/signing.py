"""URLs that nodes are given: good for one thing, for minutes, and without a token.

A node is told of a whole URL and asks for it as it is.  What is signed is the method,
the path below the API's own root, and when it ends.
"""

import hashlib
import hmac
from urllib.parse import urlencode

from attrs import field, frozen

# How far a time may lie ahead: no URL is good for longer than this.
LONGEST_S = 24 * 3600


@frozen
class Signer:
    """Signs URLs, and knows its own signatures.

    :ivar key: At least 32 bytes that nobody can guess.
    """

    key: bytes = field(repr=False)

    def query(self, method: str, path: str, expires: int) -> str:
        """Return what to add behind the ``?`` of a URL, for it to be good until a time.

        :param path: As the API has it, without what may stand before it at a proxy.
        :param expires: In seconds since the epoch.
        """
        return urlencode(
            {"expires": expires, "signature": self._signature(method, path, expires)}
        )

    def good(
        self, method: str, path: str, expires: str, signature: str, now: float
    ) -> bool:
        """Return whether a URL has been signed here and is good still."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        right = self._signature(method, path, int(expires))
        known = hmac.compare_digest(
            right.encode(), signature.encode("utf-8", "replace")
        )
        return known and now < int(expires) <= now + LONGEST_S

    def _signature(self, method: str, path: str, expires: int) -> str:
        text = f"{method}\n{path}\n{expires}"
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()


def derived(key: str, purpose: bytes) -> bytes:
    """
    Return a key of 32 bytes for one purpose of a key that serves several.

    :param key: What a file holds: random enough to need no stretching.
    """
    return hmac.new(key.encode(), b"cyclades " + purpose, hashlib.sha256).digest()


# How long what nodes and APIs ask of each other is good: they may not agree on the time.
SHORTLY_S = 120

# Where nodes ask of themselves, with the key that they share with APIs; and where APIs
# ask nodes with the same. What is signed for one is of no use for another.
METADATA_PATH = "/node/v1/metadata/{}"
PASSWORD_PATH = "/node/v1/metadata/{}/password"
NODE_PREFIX = "/noded/v1/"

# What a guest has said on its serial line, and that line itself, which is had by an
# upgrade of the connection.
SERIAL_LOG_PATH = NODE_PREFIX + "serial/{}/log"
SERIAL_LINE_PATH = NODE_PREFIX + "serial/{}/line"
UPGRADE = "cyclades-serial"

# Where a node finds an image's data, by its SHA-256 in hexadecimal, and what a guest is
# to be told, by the order.
IMAGE_PATH = "/node/v1/images/{}"
GUEST_PATH = "/node/v1/guest/{}"
