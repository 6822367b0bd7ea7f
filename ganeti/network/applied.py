"""What has been set up on this node: a file a tap, and the lock of those who change it.

A file is written before the kernel is told, and removed after it was told to forget: so
whatever interrupts that, what may be there is known and can be taken away.
"""

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path

from nic import Nic

_LOCK_TIMEOUT_S = 30


class Busy(Exception):
    """Another run holds the lock and does not end."""


class Applied:
    """The directory of the NICs that are set up."""

    def __init__(self, directory):
        self.directory = Path(directory)

    @contextmanager
    def locked(self):
        """
        Keep others from changing anything meanwhile.

        :raises Busy: Somebody else does for too long.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "lock", "w") as file:
            deadline = time.monotonic() + _LOCK_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Busy(
                            f"another snf-network has been at work for"
                            f" {_LOCK_TIMEOUT_S} s"
                        ) from None
                    time.sleep(0.005)
            yield

    def all(self):
        """Return the NICs that are set up, or have been begun to be."""
        found = []
        for path in sorted(self.directory.glob("*.json")):
            found.append(Nic.from_json(path.read_text("utf-8")))
        return found

    def write(self, nic):
        """Note a NIC."""
        path = self._path(nic.tap)
        new = path.with_suffix(".new")
        new.write_text(nic.to_json(), "utf-8")
        os.rename(new, path)

    def remove(self, nic):
        """Forget a NIC."""
        self._path(nic.tap).unlink(missing_ok=True)

    def _path(self, tap):
        return self.directory / f"{tap}.json"
