"""Receiving in batches: acknowledged when dealt with, never before."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from attrs import define, field, frozen
from pika import BasicProperties, DeliveryMode
from pika.adapters.twisted_connection import TwistedChannel, TwistedProtocolConnection
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from snf.bus.amqp import Address, Connection, Lost
from snf.bus.interface import DeadLetter, Delivery, Receive, Verdict
from snf.bus.settle import Settler, Stopped
from snf.bus.topology import DEAD_LETTERS, declare


@frozen
class _Arrival:
    tag: int
    delivery: Delivery


@define(eq=False)
class _Inbox:
    """What has arrived on one channel, in the order of its delivery tags."""

    clock: IReactorTime
    arrived: deque[_Arrival] = field(factory=deque)
    ended: Exception | None = None
    _waiting: "Deferred[None] | None" = None

    def put(self, arrival: _Arrival) -> None:
        self.arrived.append(arrival)
        self._wake()

    def end(self, reason: Exception) -> None:
        self.ended = self.ended or reason
        self._wake()

    async def take(self, most: int) -> list[_Arrival]:
        """
        Wait for something, then return what is there.

        :raises Exception: What ``end`` was given.
        """
        if not self.arrived and self.ended is None:
            self._waiting = Deferred()
            await self._waiting
            # The rest of what came in the same packet is put in before the next turn.
            await deferLater(self.clock, 0)
        if self.ended is not None:
            raise self.ended
        count = min(most, len(self.arrived))
        return [self.arrived.popleft() for _ in range(count)]

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


@define(eq=False)
class AmqpConsumer(Service):
    """Hands what comes on some queues to ``receive``; see ``Bus.consumer``."""

    clock: IReactorTime
    address: Address
    prefix: str
    queues: Sequence[str]
    receive: Receive
    prefetch: int = 200
    _channel: TwistedChannel | None = field(init=False, default=None)
    _dead: TwistedChannel | None = field(init=False, default=None)
    _inbox: _Inbox = field(init=False)
    _settler: Settler = field(init=False)
    _connection: Connection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._inbox = _Inbox(self.clock)
        self._settler = Settler(self.clock, self.receive)
        self._connection = Connection(
            self.clock, self.address, "receive", self._prepare, self._serve
        )

    def startService(self) -> None:
        super().startService()
        self._connection.startService()

    def stopService(self) -> "Deferred[None] | None":
        super().stopService()
        self._end(self._inbox, Stopped())
        return self._connection.stopService()

    async def _prepare(self, connection: TwistedProtocolConnection) -> None:
        inbox = self._inbox = _Inbox(self.clock)
        channel = self._channel = await connection.channel()
        await declare(channel, self.prefix)
        dead = self._dead = await connection.channel()
        await dead.confirm_delivery()
        for each in (channel, dead):
            each.on_closed.addCallback(lambda why: self._end(inbox, Lost(str(why))))
        # A limit for each consumer: quorum queues do not know one for the channel.
        await channel.basic_qos(prefetch_count=self.prefetch)
        for name in self.queues:
            messages, _ = await channel.basic_consume(name)
            Deferred.fromCoroutine(self._gather(name, messages, inbox))

    async def _gather(self, queue: str, messages: Any, inbox: _Inbox) -> None:
        try:
            while True:
                message = await messages.get()
                method = message.method
                delivery = Delivery(
                    queue, method.routing_key, message.body, method.redelivered
                )
                inbox.put(_Arrival(method.delivery_tag, delivery))
        except Exception as problem:
            # The channel was closed, or the broker canceled this consumer because
            # the queue was deleted: a new connection declares and subscribes again.
            self._end(inbox, Lost(f"{queue}: {problem!r}"))

    def _end(self, inbox: _Inbox, reason: Exception) -> None:
        inbox.end(reason)
        if inbox is self._inbox:
            self._settler.stop()

    async def _serve(self) -> None:
        inbox = self._inbox
        while True:
            batch = await inbox.take(self.prefetch)
            try:
                verdicts = await self._settler.verdicts(
                    [arrival.delivery for arrival in batch],
                    lambda: inbox.ended is None,
                )
            except Stopped as stopped:
                raise inbox.ended or stopped from None
            if isinstance(inbox.ended, Lost):
                raise inbox.ended  # there is nobody to tell; it all comes again
            await self._settle(batch, verdicts)

    async def _settle(
        self, batch: Sequence[_Arrival], verdicts: Sequence[Verdict]
    ) -> None:
        assert self._channel is not None and self._dead is not None
        put_aside = [
            self._dead.basic_publish(
                DEAD_LETTERS,
                arrival.delivery.key,
                arrival.delivery.body,
                _dead_letter(arrival.delivery, verdict),
                mandatory=True,
            )
            for arrival, verdict in zip(batch, verdicts, strict=True)
            if isinstance(verdict, DeadLetter)
        ]
        if put_aside:
            await gatherResults(put_aside, consumeErrors=True)
        # Batches are settled one by one: everything up to this tag has been.
        self._channel.basic_ack(batch[-1].tag, multiple=True)


def _dead_letter(delivery: Delivery, verdict: DeadLetter) -> BasicProperties:
    return BasicProperties(
        content_type="application/json",
        delivery_mode=DeliveryMode.Persistent,
        headers={"x-reason": verdict.reason, "x-queue": delivery.queue},
    )
