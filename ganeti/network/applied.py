"""What has been set up on this node: a file a tap, and the lock of those who change it.

A file is written before the kernel is told, and removed after it was told to forget: so
whatever interrupts that, what may be there is known and can be taken away.
"""

import fcntl
import os
import time
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

from nic import Nic

_LOCK_TIMEOUT_S = 30
_SUFFIX = ".json"

Entry = namedtuple("Entry", ["tap", "number", "link"])
"""A NIC as its file's name has it: enough to see whether its tap is there still."""


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

    def entries(self):
        """Return what the files' names say of all NICs; on a full node that is many."""
        try:
            names = sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return []  # nothing has ever been set up
        found = []
        for name in names:
            words = name.removesuffix(_SUFFIX).split(":")
            if name.endswith(_SUFFIX) and len(words) == 3:
                found.append(Entry(words[0], int(words[1]), words[2]))
        return found

    def nic(self, entry):
        """Return the NIC of an entry."""
        return Nic.from_json(self._path(entry).read_text("utf-8"))

    def all(self):
        """Return the NICs that are set up, or have been begun to be."""
        return [self.nic(entry) for entry in self.entries()]

    def write(self, nic):
        """Note a NIC, whose number is known."""
        path = self._path(nic)
        new = path.with_suffix(".new")
        new.write_text(nic.to_json(), "utf-8")
        os.rename(new, path)

    def remove(self, nic):
        """Forget a NIC."""
        self._path(nic).unlink(missing_ok=True)

    def _path(self, nic):
        return self.directory / f"{nic.tap}:{nic.number}:{nic.link}{_SUFFIX}"
