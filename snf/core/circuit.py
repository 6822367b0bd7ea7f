"""When to leave alone a server that does not answer."""

from attrs import define

# So many failures in a row, and it is left alone; for so long, twice as long each time.
_TOLERATED = 3
_SHORTEST_S = 1.0
_LONGEST_S = 30.0


@define
class Circuit:
    """
    Counts the failures of a server; times are seconds of one clock.

    While it is left alone nobody asks it; then one may try, and how that ends decides
    for all.

    :ivar trial_s: How long one try may take.
    """

    trial_s: float
    failures: int = 0
    opened: float = 0.0
    until: float = 0.0

    def admits(self, now: float) -> bool:
        """Whether the server may be asked; who was let in has to say how that ended."""
        if self.failures < _TOLERATED:
            return True
        if now < self.until:
            return False
        self.until = now + self.trial_s  # this one tries, the others wait
        return True

    def succeeded(self) -> bool:
        """Take note of an answer; whether it had been left alone."""
        back = self.failures >= _TOLERATED
        self.failures = 0
        return back

    def failed(self, began: float, now: float, chance: float) -> bool:
        """
        Take note of a failure; whether the server is left alone from now on.

        :param began: When it was asked.  What was under way when it began to be left
            alone says nothing new.
        :param chance: From 0 to 1, so that not all processes come back at once.
        """
        if self.failures >= _TOLERATED and began < self.opened:
            return False
        self.failures += 1
        if self.failures < _TOLERATED:
            return False
        doubled = _SHORTEST_S * 2 ** min(self.failures - _TOLERATED, 16)
        self.opened = now
        self.until = now + min(doubled, _LONGEST_S) * (0.5 + chance / 2)
        return self.failures == _TOLERATED
