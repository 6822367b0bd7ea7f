"""What a guest has said on its serial line, as far as it is kept."""

import os
from pathlib import Path

from attrs import frozen

# Of what is kept: what was written before the present file.
_FORMER = ".1"


@frozen
class Log:
    """
    The end of what a guest has said: never more than ``most`` bytes.

    Two files take turns, each up to half of that; when the newer one is full it takes the
    older one's place.  So at least half of what may be kept always is, whatever moment a
    node loses its power at.  Root alone may read them.  They belong into a thread.

    :ivar path: Of the newer one.
    """

    path: Path
    most: int

    def append(self, data: bytes) -> None:
        """
        Keep what a guest has said.

        :raises OSError: The disk is full, or worse.
        """
        half = self.most // 2
        data = data[-half:]
        while not self._appended(data, half):
            os.replace(self.path, self._former)

    def tail(self, lines: int | None = None) -> bytes:
        """
        Return the last lines, all that is kept without a number; nothing where nothing is.

        :raises OSError: It cannot be read.
        """
        # A turn in between makes nothing be read twice: the older one is opened first.
        said = b"".join(map(_content, (self._former, self.path)))
        return said if lines is None else last_lines(said, lines)

    def remove(self) -> None:
        """
        Forget all of it.

        :raises OSError: It cannot be.
        """
        for path in (self._former, self.path):
            path.unlink(missing_ok=True)

    def exists(self) -> bool:
        """Return whether anything is kept."""
        return self.path.exists() or self._former.exists()

    @property
    def _former(self) -> Path:
        return self.path.with_name(self.path.name + _FORMER)

    def _appended(self, data: bytes, half: int) -> bool:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        with open(descriptor, "ab", buffering=0) as file:
            if os.fstat(descriptor).st_size + len(data) > half:
                return False
            written = 0
            while written < len(data):
                written += file.write(data[written:]) or 0
        return True


def last_lines(said: bytes, lines: int) -> bytes:
    """Return the last lines of a text; one that has not ended yet counts as well."""
    if lines <= 0:
        return b""
    at = len(said) - said.endswith(b"\n")
    for _ in range(lines):
        at = said.rfind(b"\n", 0, at)
        if at < 0:
            return said
    return said[at + 1 :]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
