"""Things that are remembered for a while, and no more than so many of them."""

from collections import OrderedDict
from typing import Generic, TypeVar

from attrs import define, field

_T = TypeVar("_T")


@define
class Memory(Generic[_T]):
    """
    Values by digest, each until a time of its own, in seconds of one clock.

    :ivar most: How many; of more, the ones longest unused are forgotten.
    """

    most: int
    _kept: "OrderedDict[bytes, tuple[_T, float]]" = field(
        init=False, factory=OrderedDict
    )

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, digest: bytes, value: _T, until: float) -> None:
        """Remember a value."""
        self._kept[digest] = (value, until)
        self._kept.move_to_end(digest)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)

    def get(self, digest: bytes, now: float) -> _T | None:
        """Return what is remembered still; None when nothing is."""
        found = self._kept.get(digest)
        if found is None:
            return None
        value, until = found
        if until <= now:
            del self._kept[digest]
            return None
        self._kept.move_to_end(digest)
        return value
