"""Noticing what changes in a directory.

Twisted's own ``INotify`` passes over the kernel's word that it has dropped events (it
comes with no watch of its own), and that is the one event that must not be missed.
"""

import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from twisted.logger import Logger

from snf.descriptor import Descriptor

# inotify(7)
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
_DELETE_SELF = 0x400
_MOVE_SELF = 0x800
_UNMOUNT = 0x2000
_OVERFLOW = 0x4000
_IGNORED = 0x8000
_ONLY_DIRECTORY = 0x01000000
_HEADER = struct.Struct("iIII")

_READ_BYTES = 16_384


@define(eq=False)
class DirectoryWatch(Descriptor):
    """
    Watches a directory while it runs.

    ``arrived(name)`` is called for each name that one of ``events`` is about, which is
    to be renamed into it unless something else is said, and ``missed()`` when names may
    have been missed: when the watch begins, after the kernel dropped events, and when
    the directory was replaced or is there at last.
    """

    _log = Logger()

    directory: Path
    arrived: Callable[[str], None]
    missed: Callable[[], None]
    events: int = MOVED_TO
    _descriptor: int = field(init=False, default=-1)

    def fileno(self) -> int:
        """See ``IReadDescriptor``."""
        return self._descriptor

    def make(self) -> None:
        """See ``Descriptor``."""
        self._descriptor = _watch(self.directory, self.events)

    def made(self, again: bool) -> None:
        """See ``Descriptor``."""
        if again:
            self._log.info("{directory} is there", directory=self.directory)
        self.missed()

    def unmake(self) -> None:
        """See ``Descriptor``."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def say(self, problem: str) -> None:
        """See ``Descriptor``."""
        self._log.warn(
            "{directory} cannot be watched: {problem}",
            directory=self.directory,
            problem=problem,
        )

    def doRead(self) -> None:
        """Take what the kernel has, up to ``_READ_BYTES``; the rest next turn."""
        try:
            events = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        seen = 0
        at = 0
        while at < len(events):
            _, mask, _, size = _HEADER.unpack_from(events, at)
            at += _HEADER.size
            if mask & self.events:
                self.arrived(os.fsdecode(events[at : at + size].rstrip(b"\0")))
            at += size
            seen |= mask
        if seen & (_DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED):
            self.close()
            self.open()
        elif seen & _OVERFLOW:
            self._log.warn(
                "the kernel dropped changes of {directory}", directory=self.directory
            )
            self.missed()


def _watch(directory: Path, events: int) -> int:
    """
    Return a descriptor of inotify that watches a directory.

    :raises OSError: There is no such directory, or too much is watched already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise _error()
    mask = events | _DELETE_SELF | _MOVE_SELF | _ONLY_DIRECTORY
    if libc.inotify_add_watch(descriptor, os.fsencode(directory), mask) < 0:
        problem = _error()
        os.close(descriptor)
        raise problem
    return int(descriptor)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
