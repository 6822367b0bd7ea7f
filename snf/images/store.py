"""Where the data of images is: files by their SHA-256, and those that are not whole yet.

All functions block; they are for threads.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import BinaryIO
from uuid import UUID

from attrs import frozen

_INCOMING = "incoming"
_SHA256 = frozenset("0123456789abcdef")


@frozen
class Store:
    """A directory of files: ``<first two of sha256>/<sha256>``, and ``incoming/<id>``.

    Several processes may use it at once, also from several hosts.
    """

    directory: Path

    def place(self, sha256: str) -> Path:
        """Return where the data with a SHA-256 is, or would be."""
        return self.directory / sha256[:2] / sha256

    def incoming(self, upload: UUID) -> Path:
        """Return where the data of an upload is that is not whole yet."""
        return self.directory / _INCOMING / str(upload)

    def begin(self, upload: UUID) -> BinaryIO:
        """
        Return a new file for an upload.

        :raises OSError: There can be none.
        """
        path = self.incoming(upload)
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return open(os.open(path, _NEW, 0o640), "wb", buffering=0)

    def settle(self, upload: UUID, sha256: str) -> None:
        """
        Put what has come to where it is found by its content.

        Where the same data is there already, that is replaced by itself.  Once it has
        been done, doing it again changes nothing.
        """
        source, place = self.incoming(upload), self.place(sha256)
        place.parent.mkdir(mode=0o750, exist_ok=True)
        try:
            os.replace(source, place)
        except FileNotFoundError:
            if not place.exists():
                raise
        _sync(place.parent)
        _sync(self.directory)

    def discard(self, upload: UUID) -> None:
        """Remove what has come for an upload, if anything has."""
        self.incoming(upload).unlink(missing_ok=True)

    def remove(self, sha256: str) -> None:
        """Remove the data with a SHA-256, if it is there."""
        self.place(sha256).unlink(missing_ok=True)

    def unfinished(self, older_than_s: float) -> list[UUID]:
        """Return the uploads of which there are files that have not changed lately."""
        found = []
        for path in _aged(self.directory / _INCOMING, older_than_s):
            try:
                found.append(UUID(path.name))
            except ValueError:
                continue  # it is not ours
        return found

    def kept(self, older_than_s: float) -> Iterator[str]:
        """Return the SHA-256 of all files that have been there for some time."""
        for folder in sorted(self.directory.glob("[0-9a-f][0-9a-f]")):
            for path in _aged(folder, older_than_s):
                name = path.name
                if len(name) == 64 and _SHA256.issuperset(name):
                    yield name


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def _aged(folder: Path, older_than_s: float) -> Iterator[Path]:
    before = time() - older_than_s
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        try:
            changed = path.stat().st_ctime
        except FileNotFoundError:
            continue  # somebody has moved it meanwhile
        if changed <= before:
            yield path


def _sync(directory: Path) -> None:
    """Have the names in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
