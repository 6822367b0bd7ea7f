"""What the kernel has to read, for a service that does so as long as it runs."""

from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_RETRY_S = 2.0


@implementer(IReadDescriptor)
@define(eq=False)
class Descriptor(Service):
    """
    A descriptor that is open while the service runs, and read by ``doRead``.

    One that cannot be opened, or is lost, is opened again after some time. A subclass has
    the descriptor, and words for what becomes of it.

    :ivar reactor: An ``IReactorFDSet`` and ``IReactorTime``.
    """

    reactor: Any
    _retry: IDelayedCall | None = field(init=False, default=None)
    _said: str | None = field(init=False, default=None)

    def make(self) -> None:
        """
        Have a descriptor.

        :raises OSError: There is none to be had now.
        """
        raise NotImplementedError

    def made(self, again: bool) -> None:
        """Called when there is one, and whether it was said before that there was none."""

    def unmake(self) -> None:
        """Give back what there is of it; also if that is nothing."""
        raise NotImplementedError

    def say(self, problem: str) -> None:
        """Log why there is none; called once as long as the reason is the same."""
        raise NotImplementedError

    def fileno(self) -> int:
        """See ``IReadDescriptor``; -1 where there is none."""
        raise NotImplementedError

    def doRead(self) -> None:
        """See ``IReadDescriptor``."""
        raise NotImplementedError

    def logPrefix(self) -> str:
        """See ``IReadDescriptor``."""
        return type(self).__name__

    def startService(self) -> None:
        super().startService()
        self.open()

    def stopService(self) -> None:
        super().stopService()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.close()

    def connectionLost(self, reason: Failure) -> None:
        """See ``IReadDescriptor``: the reactor gives the descriptor up."""
        if self.running:
            self.lose(str(reason.value))
        else:
            self.close()

    def open(self) -> None:
        """Have a descriptor, now or later."""
        self._retry = None
        try:
            self.make()
        except OSError as problem:
            self.lose(problem.strerror or str(problem))
            return
        self.reactor.addReader(self)
        again, self._said = self._said is not None, None
        self.made(again)

    def close(self) -> None:
        """Have it no more."""
        if self.fileno() >= 0:
            self.reactor.removeReader(self)
        self.unmake()

    def lose(self, problem: str) -> None:
        """Have it no more for now."""
        self.close()
        if problem != self._said:
            self._said = problem
            self.say(problem)
        self._retry = self.reactor.callLater(_RETRY_S, self.open)
