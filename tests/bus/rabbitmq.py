"""The private RabbitMQ of a test run, and a link to it that can be cut."""

import os
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pika.adapters.twisted_connection import TwistedChannel
from twisted.application.service import Service
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from snf.bus.amqp import Address, Connection, address
from snf.bus.connect import AmqpBus
from snf.bus.topology import queues
from snf.testing.bus import PREFETCH

PREFIX = f"t{uuid4().hex[:12]}"


def broker_address(
    port: int | None = None, password: str | None = None, ca: str | None = None
) -> Address:
    """
    Return where the broker is, or where a port of ours leads to it.

    :raises SkipTest: There is none.
    """
    url = os.environ.get("CYCLADES_TEST_AMQP")
    password_file = os.environ.get("CYCLADES_TEST_AMQP_PASSWORD_FILE")
    if not url or not password_file:
        raise SkipTest("needs a RabbitMQ: run ./cloud test")
    if port is not None:
        parts = urlsplit(url)
        url = parts._replace(
            scheme="amqps" if ca else "amqp",
            netloc=f"{parts.username}@127.0.0.1:{port}",
        ).geturl()
    return address(
        reactor, url, password or Path(password_file).read_text().strip(), ca
    )


def create(case: TestCase) -> AmqpBus:
    """Return a bus on the real broker, whose queues go when the test ends."""
    bus = AmqpBus(reactor, broker_address(), PREFIX, PREFETCH)
    case.addCleanup(lambda: Deferred.fromCoroutine(with_channel(bus.address, _delete)))
    return bus


async def _delete(channel: TwistedChannel) -> None:
    for queue in queues(PREFIX):
        await channel.queue_delete(queue.name)


async def with_channel(where: Address, work: Any) -> Any:
    """Return what ``work(channel)`` returns, on a connection of its own."""
    ready: Deferred[TwistedChannel] = Deferred()
    done: Deferred[None] = Deferred()

    async def prepare(connection: Any) -> None:
        channel = await connection.channel()
        reactor.callLater(0, ready.callback, channel)

    connection: Service = Connection(reactor, where, "test", prepare, lambda: done)
    connection.startService()
    try:
        return await work(await ready)
    finally:
        done.callback(None)
        await connection.stopService()


async def dead_letters(
    case: TestCase, bus: AmqpBus, count: int
) -> list[tuple[bytes, str]]:
    """Wait until so many dead letters are there and return them with their reasons."""

    async def work(channel: TwistedChannel) -> list[tuple[bytes, str]]:
        found: list[tuple[bytes, str]] = []
        while len(found) < count:
            message = await channel.basic_get(f"{PREFIX}-events-op-dl", auto_ack=True)
            if message is None:
                await deferLater(reactor, 0.05)
            else:
                _, _, properties, body = message
                found.append((body, properties.headers["x-reason"]))
        return found

    return await with_channel(bus.address, work)


class _Forward(ProxyServer):
    def connectionMade(self) -> None:
        self.factory.links.append(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self in self.factory.links:
            self.factory.links.remove(self)
        super().connectionLost(reason)


class Link:
    """
    A port of ours that leads to the broker, until it is cut.

    :param tls: The certificate to show, for a port that speaks TLS.
    """

    def __init__(self, tls: PrivateCertificate | None = None) -> None:
        self._tls = tls
        parts = urlsplit(os.environ.get("CYCLADES_TEST_AMQP", ""))
        self._factory = ProxyFactory(parts.hostname, parts.port)
        self._factory.protocol = _Forward
        self._factory.noisy = False
        self._factory.links = []
        self.port = 0
        self.mend()
        self.port = self._listening.getHost().port

    def drop(self) -> None:
        """Reset the connections that there are; new ones are made."""
        links, self._factory.links = self._factory.links, []
        for link in links:
            link.transport.abortConnection()

    async def cut(self) -> None:
        """Reset the connections and refuse new ones."""
        await maybeDeferred(self._listening.stopListening)
        self.drop()

    def mend(self) -> None:
        """Take connections again."""
        if self._tls is None:
            listen = reactor.listenTCP
        else:
            listen = partial(reactor.listenSSL, contextFactory=self._tls.options())
        self._listening = listen(self.port, self._factory, interface="127.0.0.1")
