"""How often somebody may try to log in.

What is counted is attempts that failed: one that succeeds is taken back.  Counts decay
by themselves, and there is a bound on how many are kept.

Nobody can lock out somebody else: however many fail for a user, or from an address,
each other address has a try at that user.  Only who shares an address with an attacker
waits for the attacker's attempts at the same user.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from attrs import define, field, frozen


@frozen
class Rate:
    """How many may fail at once, and after how many seconds one of them counts no more."""

    burst: int
    decay_s: float


# One user from one address: enough for somebody who tries what it may have been.  The
# three rates of a pair decay alike, so that one count serves all.
PAIR = Rate(5, 30.0)
# The same where the pair has logged in before: programs with an old password.
KNOWN = Rate(20, 30.0)
# The same while the user, or the address, is under attack as a whole.
STRANGER = Rate(1, 30.0)
# All attempts at one user, and all from one address, before they count as attacked.
WHOLE = Rate(50, 10.0)

_KEPT_AT_MOST = 20_000
_KNOWN_FOR_S = 30 * 24 * 3600.0


@define
class _Counts:
    """Counts by key that decay; the least recently used are dropped when full."""

    most: int
    _kept: OrderedDict[str, tuple[float, float]] = field(
        init=False, factory=OrderedDict
    )

    def level(self, key: str, rate: Rate, now: float) -> float:
        """Return a count, as it has decayed."""
        level, at = self._kept.get(key, (0.0, now))
        return max(0.0, level - (now - at) / rate.decay_s)

    def add(self, key: str, rate: Rate, now: float, amount: float) -> None:
        """Change a count, between nothing and twice what the rate allows."""
        level = self.level(key, rate, now) + amount
        self._kept[key] = (min(max(0.0, level), 2.0 * rate.burst), now)
        self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)


@define
class Throttle:
    """Counts attempts by user, by address, and by both.

    :param most: How many of each to remember.
    """

    most: int = _KEPT_AT_MOST
    _pairs: _Counts = field(init=False)
    _users: _Counts = field(init=False)
    _addresses: _Counts = field(init=False)
    _known: OrderedDict[str, float] = field(init=False, factory=OrderedDict)

    def __attrs_post_init__(self) -> None:
        self._pairs = _Counts(self.most)
        self._users = _Counts(self.most)
        self._addresses = _Counts(self.most)

    def admit(self, user: str, address: str, now: float) -> float:
        """
        Return 0 and count an attempt, or the seconds to wait before the next one.

        It counts as failed until :meth:`succeeded` says otherwise, so that attempts
        side by side are no way around.
        """
        place = network(address)
        pair = f"{place} {user}"
        rate = self._rate(user, place, pair, now)
        over = self._pairs.level(pair, rate, now) + 1 - rate.burst
        if over > 0:
            return over * rate.decay_s
        for counts, key, of in self._counted(user, place, pair):
            counts.add(key, of, now, 1.0)
        return 0.0

    def succeeded(self, user: str, address: str, now: float) -> None:
        """Take an admitted attempt back, and remember that the two belong together."""
        place = network(address)
        pair = f"{place} {user}"
        for counts, key, of in self._counted(user, place, pair):
            counts.add(key, of, now, -1.0)
        self._known[pair] = now
        self._known.move_to_end(pair)
        while len(self._known) > self.most:
            self._known.popitem(last=False)

    def _rate(self, user: str, place: str, pair: str, now: float) -> Rate:
        since = self._known.get(pair)
        if since is not None and now - since < _KNOWN_FOR_S:
            return KNOWN
        attacked = (
            self._users.level(user, WHOLE, now) >= WHOLE.burst
            or self._addresses.level(place, WHOLE, now) >= WHOLE.burst
        )
        return STRANGER if attacked else PAIR

    def _counted(
        self, user: str, place: str, pair: str
    ) -> tuple[tuple[_Counts, str, Rate], ...]:
        return (
            (self._pairs, pair, KNOWN),
            (self._users, user, WHOLE),
            (self._addresses, place, WHOLE),
        )


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64 that a site has at least."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))
