"""How far the job queue is known to have been told: a time in a file."""

import os
from pathlib import Path

from attrs import frozen


@frozen
class MarkFile:
    """Holds a time in seconds since the epoch; replaced as a whole, synced to disk."""

    path: Path

    def read(self) -> float | None:
        """Return the time; None when there is no file or it holds no time."""
        try:
            return int(self.path.read_bytes()) / 1e6
        except (OSError, ValueError):
            return None

    def write(self, time: float) -> None:
        """
        Replace the time.  Blocks until it is on the disk.

        :raises OSError: The directory is not there or cannot be written.
        """
        new = self.path.with_name(f"{self.path.name}.new")
        with new.open("wb") as file:
            file.write(b"%d\n" % int(time * 1e6))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
