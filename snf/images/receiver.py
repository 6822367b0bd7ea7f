"""Data that comes in: written, hashed and looked at as it does."""

import hashlib
import os
from typing import Any, BinaryIO

from attrs import define, field

from snf.images.inspection import Inspection
from snf.storage.uploads import Data


@define(eq=False)
class Receiver:
    """
    Takes data piece by piece.  It blocks: it is for threads, one at a time.

    :ivar received: How many bytes have come.
    :ivar unsafe: How many have since the disk was told to take them.
    """

    file: BinaryIO
    inspection: Inspection
    received: int = field(init=False, default=0)
    unsafe: int = field(init=False, default=0)
    _hashes: tuple[Any, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        md5 = hashlib.md5(usedforsecurity=False)
        self._hashes = (hashlib.sha256(), hashlib.sha512(), md5)

    def write(self, piece: bytes) -> None:
        """
        Take some more.

        :raises BadRequest: It cannot be what it is said to be, or must not.
        :raises OSError: It cannot be written.
        """
        self.inspection.take(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[self.file.write(rest) :]
        for one in self._hashes:
            one.update(piece)
        self.received += len(piece)
        self.unsafe += len(piece)

    def sync(self) -> None:
        """
        Have the disk take what has been written, so that little is left for the end.

        It may be called while more is written.

        :raises OSError: It does not.
        """
        self.unsafe = 0
        os.fdatasync(self.file.fileno())

    def finish(self) -> Data:
        """
        Return what has come, once it is safe on the disk.

        :raises BadRequest: It is not what it is said to be, or must not be.
        :raises OSError: It cannot be written.
        """
        virtual_size = self.inspection.finish()
        os.fsync(self.file.fileno())
        self.file.close()
        sha256, sha512, md5 = (one.hexdigest() for one in self._hashes)
        return Data(self.received, sha256, sha512, md5, virtual_size)

    def close(self) -> None:
        """Take no more."""
        self.file.close()
