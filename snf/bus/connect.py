"""From the ``[broker]`` table to a bus."""

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from snf.bus.amqp import Address, address
from snf.bus.consumer import AmqpConsumer
from snf.bus.interface import Bus, Receive
from snf.bus.memory import MemoryBus
from snf.bus.publisher import AmqpPublisher
from snf.config import Broker, ConfigError, secret


@frozen
class AmqpBus:
    """A RabbitMQ broker; each publisher and consumer has a connection of its own."""

    clock: IReactorTime
    address: Address = field(repr=False)
    prefix: str = "snf"
    prefetch: int = 200

    def publisher(self) -> AmqpPublisher:
        return AmqpPublisher(self.clock, self.address, self.prefix)

    def consumer(self, queues: Sequence[str], receive: Receive) -> AmqpConsumer:
        return AmqpConsumer(
            self.clock, self.address, self.prefix, queues, receive, self.prefetch
        )


def open_bus(settings: Broker, reactor: Any, prefix: str = "snf") -> Bus:
    """
    Return the bus that the settings name; nothing is connected yet.

    :param prefix: The prefix of the deployment's instance names: deployments that
        share a broker have queues of their own.
    :raises ConfigError: The URL names no host, or a file cannot be read.
    """
    if settings.url.startswith("memory:"):
        return MemoryBus(reactor, prefix, settings.prefetch)
    password = secret(settings.password_file) if settings.password_file else None
    ca = secret(settings.ca_file) if settings.ca_file else None
    try:
        where = address(reactor, settings.url, password, ca)
    except ValueError as problem:
        raise ConfigError(f"broker: {problem}") from None
    return AmqpBus(reactor, where, prefix, settings.prefetch)
