"""What a bus is to those who publish on it and to those who receive from it.

``AmqpBus`` is a RabbitMQ broker, ``MemoryBus`` a few queues inside this process.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred


@frozen
class Delivery:
    """A message that has come: from which queue, under which key, what it says.

    ``redelivered`` is whether it may have been handed to somebody before.
    """

    queue: str
    key: str
    body: bytes
    redelivered: bool


@frozen
class Ack:
    """The message has been dealt with."""


ACK = Ack()


@frozen
class DeadLetter:
    """The message can never be dealt with; it is put aside, with the reason."""

    reason: str


Verdict = Ack | DeadLetter

# Deals with a batch and returns one verdict a message, in the same order.  To raise is
# to say "not now": the same batch is handed over again after a while.
Receive = Callable[[Sequence[Delivery]], Awaitable[Sequence[Verdict]]]


class Service(Protocol):
    """The part of ``IService`` that a parent needs."""

    def setServiceParent(self, parent: object) -> None: ...

    def disownServiceParent(self) -> object: ...

    def startService(self) -> None: ...

    def stopService(self) -> object: ...


class Publisher(Service, Protocol):
    """A service that publishes while it runs."""

    def publish(self, key: str, body: bytes) -> "Deferred[None]":
        """
        Publish a message; fires when the broker has it safe.

        Messages reach the broker in the order of the calls, and again after a
        connection was lost before their confirmation: at least once, in order.  More
        than ``window`` of them are held back here, so whoever publishes many waits for
        the Deferreds of the earlier ones.  It fails only when the service stops.
        """


class Bus(Protocol):
    """Makes publishers and consumers, which the caller gives a parent service."""

    def publisher(self) -> Publisher:
        """Return a new publisher."""

    def consumer(self, queues: Sequence[str], receive: Receive) -> Service:
        """
        Return a new service that hands what comes on the queues to ``receive``.

        What has arrived is one batch, in the order of its arrival, at most ``prefetch``
        messages; the next comes when this one is settled.  ``stopService`` waits for
        the batch under way.
        """
