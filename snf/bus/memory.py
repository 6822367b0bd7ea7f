"""A bus inside this process: for the demo, and for tests.

It passes the same contract tests as the real broker.  What it holds is gone when the
process ends, and how much that is has no bound: the one who publishes is in the same
process as the one who receives.
"""

from collections import deque
from collections.abc import Sequence

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from snf.bus import topology
from snf.bus.interface import DeadLetter, Delivery, Receive
from snf.bus.settle import Settler, Stopped


@define(eq=False)
class _Queue:
    name: str
    key: str
    messages: deque[Delivery] = field(factory=deque)
    listeners: "list[_Consumer]" = field(factory=list)

    def put(self, message: Delivery) -> None:
        self.messages.append(message)
        for listener in self.listeners:
            listener.ring()


@define(eq=False)
class MemoryBus:
    """
    The queues of one deployment.

    :ivar dead_letters: What was put aside, with the reasons, oldest first.
    """

    clock: IReactorTime
    prefix: str = "snf"
    prefetch: int = 200
    dead_letters: list[tuple[Delivery, str]] = field(factory=list, init=False)
    _queues: dict[str, _Queue] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._queues = {
            queue.name: _Queue(queue.name, queue.key)
            for queue in topology.queues(self.prefix)
            if queue.exchange == topology.EXCHANGE
        }

    def publisher(self) -> "MemoryPublisher":
        return MemoryPublisher(list(self._queues.values()))

    def consumer(self, queues: Sequence[str], receive: Receive) -> Service:
        return _Consumer(self, [self._queues[name] for name in queues], receive)


@define(eq=False)
class MemoryPublisher(Service):
    """Puts what is published into the queues at once, whether it runs or not."""

    _queues: Sequence[_Queue]

    def publish(self, key: str, body: bytes) -> "Deferred[None]":
        for queue in self._queues:
            if queue.key == key:
                queue.put(Delivery(queue.name, key, body, redelivered=False))
        return succeed(None)


@define(eq=False)
class _Consumer(Service):
    _bus: MemoryBus
    _queues: Sequence[_Queue]
    _receive: Receive
    _settler: Settler = field(init=False)
    _ended: "Deferred[None] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._settler = Settler(self._bus.clock, self._receive)

    def startService(self) -> None:
        super().startService()
        for queue in self._queues:
            queue.listeners.append(self)
        self.ring()

    def stopService(self) -> "Deferred[None] | None":
        super().stopService()
        for queue in self._queues:
            queue.listeners.remove(self)
        self._settler.stop()
        return self._ended

    def ring(self) -> None:
        """Notice that something has arrived."""
        if self._ended is None:
            self._ended = Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        try:
            await deferLater(self._bus.clock, 0)
            while self.running and (batch := self._take()):
                await self._deal_with(batch)
        finally:
            self._ended = None

    def _take(self) -> list[Delivery]:
        batch: list[Delivery] = []
        for queue in self._queues:
            while queue.messages and len(batch) < self._bus.prefetch:
                batch.append(queue.messages.popleft())
        return batch

    async def _deal_with(self, batch: Sequence[Delivery]) -> None:
        try:
            verdicts = await self._settler.verdicts(batch, lambda: bool(self.running))
        except Stopped:
            self._put_back(batch)
            return
        for message, verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, DeadLetter):
                self._bus.dead_letters.append((message, verdict.reason))

    def _put_back(self, batch: Sequence[Delivery]) -> None:
        queues = {queue.name: queue for queue in self._queues}
        for message in reversed(batch):
            again = evolve(message, redelivered=True)
            queues[message.queue].messages.appendleft(again)
