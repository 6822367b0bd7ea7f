"""An image's file that is being fetched: what has come, and its hash."""

import contextlib
import hashlib
import os

from failure import Failed

_CHUNK = 1024 * 1024


class Wrong(Exception):
    """What came is not the image; the text says so."""


class Part:
    """
    A file that is to hold an image.

    :param file: Open for reading and writing, and nobody else's.
    :param size: Of the image's file, in bytes.
    """

    def __init__(self, file, sha256, size, progress):
        self.file = file
        self.sha256 = sha256
        self.size = size
        self.progress = progress
        self.digest = hashlib.sha256()

    def fill(self, source):
        """
        Have the file hold the image, going on with what it holds already.

        :raises Failed: It cannot be had, or there is no room for it.
        :raises Wrong: What came is another one.
        """
        begun = self._read()
        if self.file.tell() > self.size:
            self._clear()
        if self._is_less():
            source.download(self._clear, self._write, self.file.tell, self.size)
        if begun and not self._is_right():
            # A crash may have spoiled what there was: all anew, once.
            self._clear()
            source.download(self._clear, self._write, self.file.tell, self.size)
        if not self._is_right():
            raise Wrong("the image is refused: what came has another SHA-256 or size")
        with _room():
            self.file.flush()
            os.fsync(self.file.fileno())

    def _read(self):
        """Take in what is there; return whether anything is."""
        self.file.seek(0)
        while chunk := self.file.read(_CHUNK):
            self.digest.update(chunk)
        return self.file.tell() > 0

    def _is_less(self):
        return self.file.tell() < self.size

    def _is_right(self):
        return self.file.tell() == self.size and self.digest.hexdigest() == self.sha256

    def _clear(self):
        self.file.seek(0)
        self.file.truncate()
        self.digest = hashlib.sha256()

    def _write(self, chunk):
        with _room():
            self.file.write(chunk)
        self.digest.update(chunk)
        self.progress(100 * self.file.tell() / self.size)


@contextlib.contextmanager
def _room():
    """Tell the file system's faults from the line's, which may get better."""
    try:
        yield
    except OSError as problem:
        raise Failed(f"the image cannot be kept: {problem.strerror}") from None
