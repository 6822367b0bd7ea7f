"""What one peer says goes to the other, no faster than that one takes it."""

from attrs import define, field
from twisted.internet.defer import Deferred

from snf.console.peer import Peer


@define(eq=False)
class _Way:
    """One direction: the receiver of the peer from which bytes come.

    :ivar name: Whose bytes they are.
    :ivar carried: How many.
    """

    relay: "Relay"
    name: str
    source: Peer
    sink: Peer
    carried: int = 0

    def received(self, data: bytes) -> None:
        if self.relay.over:
            return  # there is nobody who would take it
        self.carried += len(data)
        if not self.sink.send(data):
            self.source.pause()

    def drained(self) -> None:
        # The source has taken what it was sent: whoever sends to it may go on.
        self.sink.resume()

    def ended(self, reason: str) -> None:
        self.relay.close(f"the {self.name} {reason}")


@define(eq=False)
class Relay:
    """
    Joins a viewer and a screen until one of them is gone.

    :ivar over: Whether it has ended.
    :ivar ended: Fires with the reason when both are closed or being closed.
    """

    viewer: Peer
    screen: Peer
    ended: "Deferred[str]" = field(factory=Deferred, init=False)
    over: bool = field(default=False, init=False)
    _up: _Way = field(init=False)
    _down: _Way = field(init=False)

    def start(self) -> None:
        """Let bytes flow."""
        self._up = _Way(self, "viewer", self.viewer, self.screen)
        self._down = _Way(self, "screen", self.screen, self.viewer)
        self.viewer.receiver, self.screen.receiver = self._up, self._down
        self.screen.resume()
        self.viewer.resume()

    @property
    def carried(self) -> tuple[int, int]:
        """How many bytes have come from the viewer, and from the screen."""
        return self._up.carried, self._down.carried

    def close(self, reason: str) -> None:
        """Close both; what is on its way still gets through, if it does so soon."""
        if self.over:
            return
        self.over = True
        self.viewer.close(reason)
        self.screen.close(reason)
        self.ended.callback(reason)
