"""The consoles that are open in this process; each ends with the right to have it open."""

from uuid import UUID

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from snf.api.console.rights import Rights
from snf.console.relay import Relay
from snf.core.console import Console
from snf.core.errors import Unavailable

_log = Logger()

# A machine that stops takes its screen along; what ends otherwise ends this much later.
_INTERVAL_S = 5.0


@frozen(eq=False)
class _Opened:
    console: Console
    relay: Relay


@define(eq=False)
class Opened(Service):
    """
    Joins viewers and nodes, and parts them when the right to look has ended.

    Whoever ends it does so in the database, in whichever process: this looks there every
    five seconds, with one question for all that are open.

    :ivar most: How many may be open at once.
    """

    clock: IReactorTime
    rights: Rights
    most: int
    _all: set[_Opened] = field(init=False, factory=set)
    _opening: int = field(init=False, default=0)
    _loop: LoopingCall = field(init=False)
    _ended: "Deferred[LoopingCall] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._loop.clock = self.clock

    def startService(self) -> None:
        super().startService()
        self._ended = self._loop.start(_INTERVAL_S)
        self._ended.addErrback(lambda failure: _log.failure("no looking", failure))

    def stopService(self) -> "Deferred[LoopingCall] | None":
        """Close all; fires when nobody looks any more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        for one in tuple(self._all):
            one.relay.close("the service stops")
        return self._ended

    def __len__(self) -> int:
        return len(self._all) + self._opening

    def begin(self) -> None:
        """
        Count one that is about to be opened.

        :raises Unavailable: There are as many as there may be.
        """
        if not self.running:
            raise Unavailable("The service stops")
        if len(self) >= self.most:
            raise Unavailable("Too many consoles are open here; try again later", 10)
        self._opening += 1

    def end(self) -> None:
        """Count it no more: it is open now, or will not be."""
        self._opening -= 1

    def join(self, console: Console, relay: Relay, request_id: str) -> None:
        """Have bytes flow from now on."""
        one = _Opened(console, relay)
        self._all.add(one)
        _log.info(
            "console {kind} of server {server} is open ({request_id})",
            kind=console.kind.value,
            server=console.uuid,
            request_id=request_id,
        )

        def over(reason: str) -> None:
            self._all.discard(one)
            typed, shown = relay.carried
            _log.info(
                "console {kind} of server {server} has ended: {reason}; {typed} bytes"
                " from the viewer, {shown} to it ({request_id})",
                kind=console.kind.value,
                server=console.uuid,
                reason=reason,
                typed=typed,
                shown=shown,
                request_id=request_id,
            )

        relay.ended.addCallback(over)
        relay.start()
        if not self.running:
            relay.close("the service stops")

    async def _look(self) -> None:
        if not self._all:
            return
        looked = tuple(self._all)
        try:
            lasting = await self.rights.lasting(self._ids(looked))
        except Unavailable as failure:
            _log.warn("consoles stay open: {reason}", reason=str(failure))
        except Exception:
            _log.failure("who may have a console open could not be looked up")
        else:
            for one in looked:
                if one in self._all and one.console.id not in lasting:
                    one.relay.close("the right to have it open has ended")

    def _ids(self, some: tuple[_Opened, ...]) -> set[UUID]:
        return {one.console.id for one in some}
