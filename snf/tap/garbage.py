"""How a daemon has Python look for garbage: seldom, and not in itself."""

import gc

from twisted.application.service import Service

# Containers made before the youngest are looked at; Python's own 700 or 2,000 make it
# look hundreds of times while one long answer is read.
_YOUNG = 10_000


class Frozen(Service):
    """
    Leaves all that there is at its start out of the search for garbage.

    A daemon's code and what it is made of stay to its end: to look at them again and
    again stops everything for some 20 ms each time.
    """

    def startService(self) -> None:
        super().startService()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
