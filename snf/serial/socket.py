"""The socket that QEMU has for a guest's serial line, and ours in its place.

QEMU takes one client at a time, and forgets what is said while there is none.  So there is
one from the beginning to the end, which is us; and Ganeti's ``gnt-instance console`` finds,
where it looks for QEMU's socket, one of ours that is as good.
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from snf.unix_socket import listens

_EXCHANGE = 2
"""renameat2(2), RENAME_EXCHANGE."""
_HERE = -100
"""AT_FDCWD."""

SUFFIX = ".serial"
ASIDE = ".line"
_LONGEST = 107
"""unix(7): what of a socket's path there is place for."""


@frozen
class Place:
    """
    Where the socket of an instance is.

    :ivar directory: Of the hypervisor's sockets.
    """

    directory: Path
    name: str

    @property
    def socket(self) -> Path:
        """Where Ganeti has QEMU listen, and looks for it."""
        return self.directory / f"{self.name}{SUFFIX}"

    @property
    def aside(self) -> Path:
        """Where QEMU's socket is while ours is in its place."""
        return self.directory / f"{self.name}{ASIDE}"

    def fits(self) -> bool:
        """Return whether both paths are short enough for sockets."""
        return len(os.fsencode(self.socket)) <= _LONGEST

    def restore(self) -> None:
        """
        Have QEMU's socket where it was, after an end of ours that left none.

        :raises OSError: It cannot be moved.
        """
        if listens(self.aside):
            os.replace(self.aside, self.socket)
        else:
            # Its QEMU has ended; where the socket would be there may be that of the next.
            self.aside.unlink(missing_ok=True)

    def client(self, reactor: Any) -> UNIXClientEndpoint:
        """Return how to reach QEMU."""
        return UNIXClientEndpoint(reactor, str(self.socket), timeout=5)


@frozen
class Stand:
    """Our socket in the place of QEMU's."""

    place: Place
    port: IListeningPort
    its: int
    ours: int

    async def leave(self, ended: bool) -> None:
        """
        Put QEMU's socket back.

        :param ended: Whether QEMU has, and listens no more.
        """
        place = self.place
        with suppress(OSError):
            if _number(place.socket) == self.ours:
                _exchange(place.socket, place.aside)
            if ended and _number(place.socket) == self.its:
                place.socket.unlink()
        # Twisted removes what it has listened at, and wants it to be there.
        place.aside.touch()
        stopped: Any = self.port.stopListening()
        await stopped


def stand_in(reactor: Any, place: Place, factory: IProtocolFactory, its: int) -> Stand:
    """
    Listen in the place of QEMU's socket; whoever connects now reaches us.

    :param its: The number of QEMU's, see :func:`number`.
    :raises OSError: The directory or the file system does not let us.
    """
    with suppress(FileNotFoundError):
        place.aside.unlink()
    port = reactor.listenUNIX(str(place.aside), factory, mode=0o600)
    ours = _number(place.aside)
    try:
        # Who owns a socket decides who may connect, and we may be somebody else.
        owner = place.directory.stat()
        os.chown(place.aside, owner.st_uid, owner.st_gid)
        _exchange(place.socket, place.aside)
    except OSError:
        port.stopListening()
        raise
    return Stand(place, port, its, ours)


def number(place: Place) -> int:
    """
    Return what tells the socket that is there from any other.

    :raises OSError: There is none.
    """
    return _number(place.socket)


def _number(path: Path) -> int:
    return path.stat().st_ino


def _exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_HERE, paths[0], _HERE, paths[1], _EXCHANGE):
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem), str(one))
