"""Where forwardings are asked for: a request a connection, and always an answer."""

from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from snf.console.forwardings import Forwardings, NotForwarded
from snf.console.requests import LARGEST, BadRequest, Request, accepted, failed, parse
from snf.console.users import NotAuthenticated, Users

# How long a request may take to arrive, and its answer to leave.
_REQUEST_S = 5.0
_ANSWER_S = 5.0
# How many are asked at once.
_MOST = 100


@define(eq=False, slots=False)
class Control(Factory):
    """
    Answers them.

    :ivar address: Where viewers find the ports.
    :ivar users: Of whom who asks must be one; None where whoever gets here may ask.
    """

    noisy = False
    _log = Logger()

    reactor: Any
    forwardings: Forwardings
    address: str
    users: Users | None = None
    asking: int = field(default=0, init=False)

    def buildProtocol(self, address: object) -> "Asking":
        return Asking(self)

    async def answer(self, request: Request) -> bytes:
        """Return the answer to a request, whatever becomes of it."""
        try:
            if self.users is not None:
                await self.users.check(request.user, request.user_password)
            port = await self.forwardings.open(request)
        except (NotAuthenticated, NotForwarded) as refusal:
            return self.refuse(str(refusal))
        except CancelledError:
            raise
        except Exception:
            self._log.failure("a request for a forwarding failed")
            return failed("something is wrong with the proxy")
        return accepted(port, self.address)

    def refuse(self, reason: str) -> bytes:
        """Return the answer that there is no forwarding."""
        self._log.info("no forwarding: {reason}", reason=reason)
        return failed(reason)


@implementer(IHalfCloseableProtocol)
class Asking(Protocol):
    """One who asks."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._came = b""
        self._counted = False
        self._over = False
        self._work: Deferred[None] | None = None
        self._timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the request."""
        if self._control.asking >= _MOST:
            self._say(failed("too many ask at once"))
            return
        self._counted = True
        self._control.asking += 1
        self._timeout = self._control.reactor.callLater(_REQUEST_S, self._last)

    def dataReceived(self, data: bytes) -> None:
        """Some of it has come; what comes behind it counts for nothing."""
        if self._over:
            return
        self._came = (self._came + data)[: LARGEST + 1]
        # No object ends otherwise: nothing need be tried before.
        if self._came.rstrip().endswith(b"}") or len(self._came) > LARGEST:
            self._try(whole=False)

    def readConnectionLost(self) -> None:
        """That was all, though the answer may still be waited for."""
        self._last()

    def writeConnectionLost(self) -> None:
        """There is nothing to do."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody waits for the answer any more."""
        self._stop_timeout()
        if self._counted:
            self._control.asking -= 1
        if self._work is not None:
            self._work.cancel()

    def _last(self) -> None:
        """Nothing else of it comes, or too late."""
        if not self._over:
            self._try(whole=True)

    def _try(self, whole: bool) -> None:
        try:
            request = parse(self._came, whole)
        except BadRequest as refusal:
            self._say(self._control.refuse(str(refusal)))
            return
        if request is not None:
            self._over = True
            self._stop_timeout()
            self._work = Deferred.fromCoroutine(self._answer(request))

    async def _answer(self, request: Request) -> None:
        with suppress(CancelledError):
            self._say(await self._control.answer(request))

    def _say(self, answer: bytes) -> None:
        self._over = True
        self._stop_timeout()
        assert self.transport is not None
        self.transport.write(answer)
        self.transport.loseConnection()
        # Who does not take it is not waited for.
        self._timeout = self._control.reactor.callLater(
            _ANSWER_S,
            self.transport.abortConnection,  # type: ignore[attr-defined]
        )

    def _stop_timeout(self) -> None:
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._timeout = None
