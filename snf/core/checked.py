"""Passwords that were right a short while ago, and so need not be checked again."""

import hashlib
import hmac
from collections import OrderedDict

from attrs import define, field

_LIFETIME_S = 300.0
_KEPT_AT_MOST = 10_000


@define(eq=False)
class Checked:
    """
    Remembers that passwords matched what is kept of them, for some minutes.

    Neither is remembered, but an HMAC of both under a key that exists in this process
    alone.  What is kept holds a salt and is another one after a change of the
    password, so what was remembered of the old one is found no more.  Passwords that
    did not match are not remembered: who guesses pays for each guess.

    :ivar key: A secret of 32 bytes.
    :ivar lifetime_s: For how many seconds, however often it is asked for.
    :ivar most: How many at once; the oldest are dropped.
    """

    key: bytes = field(repr=False)
    lifetime_s: float = _LIFETIME_S
    most: int = _KEPT_AT_MOST
    _since: OrderedDict[bytes, float] = field(
        init=False, factory=OrderedDict, repr=False
    )

    def __len__(self) -> int:
        return len(self._since)

    def knows(self, password: str, kept: str, now: float) -> bool:
        """Whether the two are known to match; ``now`` in seconds."""
        since = self._since.get(self._mark(password, kept))
        # A clock that was set back must not make it last longer.
        return since is not None and 0 <= now - since < self.lifetime_s

    def add(self, password: str, kept: str, now: float) -> None:
        """Remember that the two match, and drop what is too old or too much."""
        mark = self._mark(password, kept)
        self._since.pop(mark, None)
        self._since[mark] = now
        self.tidy(now)
        while len(self._since) > self.most:
            self._since.popitem(last=False)

    def tidy(self, now: float) -> float | None:
        """Drop what is too old; in how many seconds the next is, None where none is."""
        while self._since:
            left = next(iter(self._since.values())) + self.lifetime_s - now
            if 0 < left <= self.lifetime_s:
                return left
            self._since.popitem(last=False)
        return None

    def _mark(self, password: str, kept: str) -> bytes:
        # What is kept has no NUL, so no other two are written alike.
        text = f"{kept}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, text, hashlib.sha256)
