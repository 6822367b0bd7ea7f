"""Publishing with confirmations: at least once, in order, through losses."""

from collections import deque

from attrs import define, field
from pika import BasicProperties, DeliveryMode
from pika.adapters.twisted_connection import TwistedChannel, TwistedProtocolConnection
from pika.exceptions import NackError
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from snf.bus.amqp import Address, Connection, Lost
from snf.bus.topology import EXCHANGE, declare

_PERSISTENT = BasicProperties(
    content_type="application/json", delivery_mode=DeliveryMode.Persistent
)

_MESSAGES_A_TURN = 50


@define(eq=False)
class _Message:
    key: str
    body: bytes
    confirmed: "Deferred[None]" = field(factory=Deferred)


@define(eq=False)
class AmqpPublisher(Service):
    """
    Publishes on the exchange ``ganeti``; see ``snf.bus.interface.Publisher``.

    :ivar window: How many messages the broker may have without having confirmed them.
    """

    clock: IReactorTime
    address: Address
    prefix: str
    window: int = 500
    _waiting: deque[_Message] = field(init=False, factory=deque)
    _sent: dict[_Message, None] = field(init=False, factory=dict)
    _channel: TwistedChannel | None = field(init=False, default=None)
    _over: "Deferred[None]" = field(init=False, factory=Deferred)
    _soon: IDelayedCall | None = field(init=False, default=None)
    _stopped: bool = field(init=False, default=False)
    _connection: Connection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connection = Connection(
            self.clock, self.address, "publish", self._prepare, self._serve
        )

    def startService(self) -> None:
        super().startService()
        self._stopped = False
        self._connection.startService()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        self._stopped = True
        return Deferred.fromCoroutine(self._stop())

    def publish(self, key: str, body: bytes) -> "Deferred[None]":
        """
        See ``snf.bus.interface.Publisher``.

        :raises ValueError: The key is longer than AMQP allows, 255 bytes.
        """
        if len(key.encode()) > 255:
            raise ValueError("key: longer than 255 bytes")
        message = _Message(key, body)
        if self._stopped:
            message.confirmed.errback(CancelledError())
        else:
            self._waiting.append(message)
            if len(self._waiting) == 1:
                self._send()
        return message.confirmed

    async def _stop(self) -> None:
        self._end(None)
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        await self._connection.stopService()
        unconfirmed = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        for message in unconfirmed:
            message.confirmed.errback(CancelledError())

    async def _prepare(self, connection: TwistedProtocolConnection) -> None:
        channel = await connection.channel()
        await declare(channel, self.prefix)
        await channel.confirm_delivery()
        self._channel, self._over = channel, Deferred()
        # Its Deferred fires with the reason as its *result*.
        channel.on_closed.addCallback(lambda reason: self._end(Lost(str(reason))))

    async def _serve(self) -> None:
        # What was sent and not confirmed goes first, so that the order is kept.
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        self._send()
        try:
            await self._over
        finally:
            self._channel = None

    def _end(self, problem: Exception | None) -> None:
        if self._over.called:
            return
        if problem is None:
            self._over.callback(None)
        elif self._channel is not None:
            self._over.errback(problem)

    def _send(self) -> None:
        """Send what the window has room for, as much as fits into one turn."""
        for _ in range(_MESSAGES_A_TURN):
            if not self._may_send():
                return
            assert self._channel is not None
            message = self._waiting.popleft()
            self._sent[message] = None
            self._channel.basic_publish(
                EXCHANGE, message.key, message.body, _PERSISTENT
            ).addCallbacks(
                self._confirmed,
                self._refused,
                callbackArgs=(message,),
                errbackArgs=(self._over,),
            )
        self._send_soon()

    def _may_send(self) -> bool:
        return (
            bool(self._waiting)
            and len(self._sent) < self.window
            and self._channel is not None
            and self._channel.is_open
        )

    def _send_soon(self) -> None:
        if self._may_send() and (self._soon is None or not self._soon.active()):
            self._soon = self.clock.callLater(0, self._send)

    def _confirmed(self, _: object, message: _Message) -> None:
        del self._sent[message]
        message.confirmed.callback(None)
        # Not at once: one confirmation may be for hundreds.
        self._send_soon()

    def _refused(self, failure: Failure, over: "Deferred[None]") -> None:
        # A closed channel ends the connection by itself.  A broker that could not
        # store a message gets it again, with all that followed, in a new connection.
        if failure.check(NackError) and not over.called:
            over.errback(Lost("the broker could not store a message"))
