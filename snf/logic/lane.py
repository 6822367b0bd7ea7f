"""What is going on with one cluster, and when more of it may be begun."""

from uuid import UUID

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

# Many orders may come at once: they are looked for together, and taken together.
MOMENT_S = 0.05

# Where several wait, the database is left alone for so many times as long as it took to
# give them out: who asks for something comes before what has been asked for.
_REST, _REST_AT_MOST_S = 10, 0.25


@define
class Lane:
    """
    The orders of one cluster that are being carried out.

    :ivar again: Whether to look for more when those have come that are being claimed.
    :ivar moment: When more are looked for, if that is settled.
    :ivar failures: How often the cluster could not be reached, one time after the other.
    :ivar not_before: Until when it is left alone for that.
    :ivar rests_until: Until when nothing is claimed, so that the database has rest.
    """

    at_work_on: set[UUID] = field(factory=set)
    claiming: bool = False
    again: bool = False
    moment: IDelayedCall | None = None
    failures: int = 0
    not_before: float = 0.0
    rests_until: float = 0.0

    def claimed(self, count: int, seconds: float, now: float) -> None:
        """Rest after some orders have been claimed together, but not after a lone one."""
        if count > 1:
            self.rests_until = now + min(_REST_AT_MOST_S, _REST * seconds)

    def pause(self, now: float) -> float:
        """Return in how many seconds to look for more, so that several may be taken."""
        moment = MOMENT_S if self.at_work_on else 0
        return max(moment, self.rests_until - now)
