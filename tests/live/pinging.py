"""Echo requests to guests, and how long there was no answer."""

import threading
import time
from contextlib import suppress

from tests.node.inside import answers, inside

_EVERY_S = 0.05


class Pinging:
    """
    A thread that pings an address, some 20 times a second, from its start to ``ended``.

    :param namespace: Where from, by its name; "" is here.
    """

    def __init__(self, address: str, namespace: str = "") -> None:
        self.address = address
        self.namespace = namespace
        self.silence_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def ended(self) -> float:
        """Return the longest time in seconds without an answer."""
        self._over.set()
        self._thread.join()
        return self.silence_s

    def _run(self) -> None:
        if self.namespace:
            inside(self.namespace, self._ping)
        else:
            self._ping()

    def _ping(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_EVERY_S):
            answered = False
            with suppress(OSError):  # there is no route at this moment
                answered = answers(self.address, _EVERY_S)
            now = time.monotonic()
            self.silence_s = max(self.silence_s, now - last)
            last = now if answered else last
