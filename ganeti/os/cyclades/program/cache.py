"""Images on this node, by their SHA-256, each fetched once and kept as long as it fits.

A file is locked by whoever uses it: shared by those who read an image, alone by him who
fetches it.  A lock goes with its process, so whatever has been killed leaves nothing
but a part of a file: the next one who wants that image goes on with it, and who needs
the space removes it.
"""

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path

from failure import Failed
from part import Part, Wrong

_NAME = re.compile(r"[0-9a-f]{64}")
# The size that it will have is in its name: it counts from the beginning.
_PART = re.compile(r"[0-9a-f]{64}\.([0-9]{1,16})\.part")
_POLL_S = 0.2
_PAUSE_S = 0.05
_TRIES = 20


class Cache:
    """The directory; ``settings`` are ``[cache]``."""

    def __init__(self, settings):
        self.directory = Path(settings.directory)
        self.settings = settings

    @contextlib.contextmanager
    def held(self, sha256, size, source, progress):
        """
        Yield the path of an image that stays there meanwhile.

        :param size: Of its file, in bytes.
        :param source: Returns a ``fetch.Source`` of it; called if it is needed.
        :param progress: Called with percent of the fetching.
        :raises Failed: It cannot be had, or there is no room for it.
        """
        folder = self.directory / sha256[:2]
        # Not everybody's image is everybody's to read.
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        for _ in range(_TRIES):
            with _locked(folder / sha256, fcntl.LOCK_SH) as file:
                if file is not None:
                    os.utime(file.fileno())
                    yield str(folder / sha256)
                    return
            self._fetch(folder, sha256, size, source, progress)
            time.sleep(_PAUSE_S)
        raise Failed("the image's place in the node's cache is taken again and again")

    def _fetch(self, folder, sha256, size, source, progress):
        """Have the image there, unless it gets there otherwise."""
        path, part = folder / sha256, folder / f"{sha256}.{size}.part"
        origin = source()
        with self._part(path, part, size) as file:
            if file is None or not _is(part, file):
                return  # somebody else has been quicker
            if path.exists():
                part.unlink()
                return
            try:
                Part(file, sha256, size, progress).fill(origin)
            except Wrong as wrong:
                part.unlink()
                raise Failed(str(wrong)) from None
            except Failed:
                if not part.stat().st_size:
                    part.unlink()
                raise
            os.rename(part, path)

    @contextlib.contextmanager
    def _part(self, path, part, size):
        """
        Yield the locked part of a file, for which there is room.

        None stands for that the whole file has come meanwhile.
        """
        most = self.settings.size_bytes
        if size > most:
            raise Failed(
                f"the image has {size} bytes, and the node's cache holds {most}"
            )
        deadline = time.monotonic() + self.settings.wait_s
        while not self._begun(part, size):
            if path.exists():
                yield None
                return
            if time.monotonic() > deadline:
                raise Failed("the node's cache is full of images that are in use")
            time.sleep(_POLL_S)
        try:
            file = open(part, "r+b")  # noqa: SIM115
        except FileNotFoundError:
            yield None
            return
        with file:
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise Failed("another server's fetching of the image does not end")
                time.sleep(_POLL_S)
            yield file

    def _begun(self, part, size):
        """Return whether there is the part of a file, after making room if needed."""
        with open(self.directory / "lock", "wb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # nobody holds it for long
            if part.exists():
                return True
            if not self._evict(size):
                return False
            part.touch(0o600)
            return True

    def _evict(self, size):
        """
        Return whether there is room, after removing what was not used for longest.

        :raises Failed: There is none, and nothing in use that could make some.
        """
        there = sorted(self._entries())
        # The file system's own room: what others have been promised is not there yet.
        promised = sum(max(0, full - now) for _, _, full, now in there)
        free = _free(self.directory) - promised - size
        used = size + sum(full for _, _, full, _ in there)
        in_use = 0
        for _, path, full, now in there:
            if used <= self.settings.size_bytes and free >= 0:
                return True
            if _remove_unused(path):
                used -= full
                free += max(full, now)
            else:
                in_use += 1
        if used <= self.settings.size_bytes and free >= 0:
            return True
        if not in_use:
            raise Failed(f"the node has no room for the {size} bytes of the image")
        return False

    def _entries(self):
        """Yield time of last use, path, size when it is whole, and size now."""
        for path in self.directory.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if match := _PART.fullmatch(path.name):
                    full = int(match[1])
                elif _NAME.fullmatch(path.name):
                    full = status.st_size
                else:
                    continue
                yield status.st_mtime, path, full, status.st_size


@contextlib.contextmanager
def _locked(path, kind):
    """Yield a file that is there, locked; None if there is none."""
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        yield None
        return
    with file:
        locked = _lock(file, kind)
        yield file if locked and _is(path, file) else None


def _lock(file, kind):
    """Return whether a lock was to be had at once."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(path, file):
    """Whether a path still names an open file."""
    try:
        status, ours = os.stat(path), os.fstat(file.fileno())
    except FileNotFoundError:
        return False
    return (status.st_dev, status.st_ino) == (ours.st_dev, ours.st_ino)


def _remove_unused(path):
    with _locked(path, fcntl.LOCK_EX) as file:
        if file is not None:
            os.unlink(path)
            return True
    return not path.exists()


def _free(directory):
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize
