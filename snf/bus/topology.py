"""What there is on the broker: exchanges, queues, and how they are bound.

Publishers and consumers both declare all of it when they connect, so that whichever
comes first finds it and no message goes nowhere.
"""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

EXCHANGE = "ganeti"
DEAD_LETTERS = "ganeti-dl"

OP = "op"
NET = "net"
PROGRESS = "progress"
_KINDS = (OP, NET, PROGRESS)

# Times that a message may come back because its consumer died over it.  Held messages
# of a consumer that is restarted count too, hence much more than once or twice.
_DELIVERY_LIMIT = 100


@frozen
class Queue:
    """A queue, and the exchange and routing key that fill it."""

    name: str
    exchange: str
    key: str
    arguments: dict[str, Any]


def routing_key(prefix: str, kind: str) -> str:
    """Return the key of a kind of message of one deployment: ``ganeti.snf.event.op``."""
    return f"ganeti.{prefix}.event.{kind}"


def queue_names(prefix: str) -> tuple[str, ...]:
    """Return the queues that the dispatcher consumes, dead letters not among them."""
    return tuple(f"{prefix}-events-{kind}" for kind in _KINDS)


def queues(prefix: str) -> Iterator[Queue]:
    """
    Yield all queues of a deployment.

    They are quorum queues: what the broker has confirmed is on its disk, on a cluster
    on the disks of most nodes.  What it gives up delivering goes to the dead letters
    at least once, for which ``x-overflow`` has to be ``reject-publish`` (RabbitMQ,
    Quorum Queues, "At-Least-Once Dead Lettering").
    """
    for kind in _KINDS:
        name, key = f"{prefix}-events-{kind}", routing_key(prefix, kind)
        yield Queue(
            name,
            EXCHANGE,
            key,
            {
                "x-queue-type": "quorum",
                "x-delivery-limit": _DELIVERY_LIMIT,
                "x-dead-letter-exchange": DEAD_LETTERS,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        yield Queue(f"{name}-dl", DEAD_LETTERS, key, {"x-queue-type": "quorum"})


async def declare(channel: Any, prefix: str) -> None:
    """
    Make all of it, where it is not there already.

    :param channel: An open ``TwistedChannel``.
    :raises pika.exceptions.ChannelClosedByBroker: Something of that name is there and
        is different, or the user may not make it.
    """
    for exchange in (EXCHANGE, DEAD_LETTERS):
        await channel.exchange_declare(exchange, exchange_type="topic", durable=True)
    for queue in queues(prefix):
        await channel.queue_declare(queue.name, durable=True, arguments=queue.arguments)
        await channel.queue_bind(queue.name, queue.exchange, queue.key)
