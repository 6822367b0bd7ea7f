"""How often the threads of a daemon take turns."""

import sys

from twisted.application.service import Service

# Python's own 5 ms are long for a reactor, which asks for its turn after each system
# call, several times a request.
_TURN_S = 0.0005


class ShortTurns(Service):
    """Has the reactor wait for a thread that computes for half a millisecond at most."""

    def startService(self) -> None:
        super().startService()
        sys.setswitchinterval(_TURN_S)
