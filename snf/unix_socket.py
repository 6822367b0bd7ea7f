"""UNIX sockets: whether one is listened at, and one that a killed process does not block."""

import fcntl
import os
import socket
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory


@define(eq=False)
class UnixSocket(Service):
    """
    Listens at a path while it runs.

    Who may is told by a lock on a file beside it, ``.lock`` at its end, which the kernel
    gives up with the process; a number of a process there could be another's by now.

    :ivar mode: The rights of the socket.
    """

    reactor: Any
    path: Path
    factory: IProtocolFactory
    mode: int
    _lock: int | None = field(default=None, init=False)
    _port: IListeningPort | None = field(default=None, init=False)

    def startService(self) -> None:
        """
        Listen; what a process that was killed has left there goes.

        :raises CannotListenError: Another process does, or the directory lets us not.
        """
        super().startService()
        try:
            self._lock = self._locked()
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self._unlock()
            raise CannotListenError(None, str(self.path), error) from None
        self._port = self.reactor.listenUNIX(
            str(self.path), self.factory, mode=self.mode
        )

    async def _stopped(self, port: IListeningPort) -> None:
        stopped: Any = maybeDeferred(port.stopListening)
        await stopped
        self._unlock()

    def stopService(self) -> Any:
        """Listen no more."""
        super().stopService()
        port, self._port = self._port, None
        if port is None:
            return None
        return Deferred.fromCoroutine(self._stopped(port))

    def _locked(self) -> int:
        """Return the lock's descriptor."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OSError("another process listens there") from None
        return descriptor

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def listens(path: Path) -> bool:
    """Return whether somebody listens at a socket; it does not block."""
    with socket.socket(
        socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    ) as end:
        try:
            end.connect(str(path))
        except BlockingIOError:
            return True  # and has no time
        except OSError:
            return False
    return True
