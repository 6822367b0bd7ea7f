"""Progress lines: how many seconds have passed, which part, what it has done."""

import sys
import threading
import time
from typing import TextIO

_lock = threading.Lock()


class Progress:
    """Prints ``[12 s] Ganeti: cluster initialised`` and the like, from any thread."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long ago this began."""
        return time.monotonic() - self._start

    def say(self, part: str, what: str) -> None:
        """Print one line."""
        with _lock:
            print(f"[{self.seconds:.0f} s] {part}: {what}", file=self._out, flush=True)
