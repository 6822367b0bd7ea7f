"""The bus on a real RabbitMQ, with its losses."""

from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from snf.bus.connect import AmqpBus
from snf.bus.topology import OP, queue_names, routing_key
from snf.testing.bus import PREFETCH, Receiver, bus_tests
from tests.bus.certificate import certificate
from tests.bus.rabbitmq import (
    PREFIX,
    Link,
    broker_address,
    create,
    dead_letters,
    with_channel,
)

KEY = routing_key(PREFIX, OP)


class AmqpBusTests(bus_tests(create, dead_letters, PREFIX)):
    """An ``AmqpBus`` keeps what a bus promises."""


class LossTests(TestCase):
    """Connections that are lost, refused, and taken back."""

    timeout = 120

    def setUp(self) -> None:
        create(self)
        self.link = Link()
        self.addCleanup(self.link.cut)
        self.bus = AmqpBus(reactor, broker_address(self.link.port), PREFIX, PREFETCH)
        self.services = MultiService()
        self.addCleanup(self.services.stopService)
        self.publisher = self.bus.publisher()
        self.publisher.setServiceParent(self.services)
        self.receiver = Receiver()
        self.consumer = self.bus.consumer(queue_names(PREFIX), self.receiver)
        self.consumer.setServiceParent(self.services)
        self.services.startService()

    async def test_dropped_while_publishing(self) -> None:
        """Whatever was given to the publisher arrives, however often it is cut off."""
        bodies = [b"%d" % number for number in range(3000)]
        confirmed = DeferredList([self.publisher.publish(KEY, one) for one in bodies])
        for _ in range(3):
            seen = len(self.receiver.settled)
            await self.receiver.until(
                lambda seen=seen: len(self.receiver.settled) > seen + 50
            )
            self.link.drop()
        await confirmed
        await self.receiver.until(
            lambda: len(set(self.receiver.bodies())) >= len(bodies)
        )
        self.assertEqual(set(bodies), set(self.receiver.bodies()))

    async def test_away_for_a_while(self) -> None:
        """What is published while the broker is away arrives when it is back."""
        await self.publisher.publish(KEY, b"before")
        await self.link.cut()
        later = self.publisher.publish(KEY, b"meanwhile")
        await deferLater(reactor, 1)
        self.assertFalse(later.called)
        self.link.mend()
        await later
        await self.receiver.until(lambda: b"meanwhile" in self.receiver.bodies())

    async def test_unsettled_comes_again(self) -> None:
        """A batch whose connection is lost before it was settled is delivered again."""
        begun: Deferred[None] = Deferred()
        end: Deferred[None] = Deferred()
        await self.consumer.disownServiceParent()
        batches = []

        async def receive(batch):
            batches.append(list(batch))
            if len(batches) == 1:
                begun.callback(None)
                await end
            return await self.receiver(batch)

        self.bus.consumer(queue_names(PREFIX), receive).setServiceParent(self.services)
        await self.publisher.publish(KEY, b"one")
        await begun
        self.link.drop()
        end.callback(None)
        await self.receiver.until(lambda: len(self.receiver.settled) >= 2)
        self.assertEqual([b"one", b"one"], self.receiver.bodies())
        self.assertEqual([False, True], [d.redelivered for d in self.receiver.settled])

    async def test_queue_deleted(self) -> None:
        """A consumer whose queue is deleted makes it again and goes on."""
        await self.publisher.publish(KEY, b"before")
        await self.receiver.until(lambda: bool(self.receiver.settled))

        async def delete(channel):
            await channel.queue_delete(f"{PREFIX}-events-op")

        await with_channel(self.bus.address, delete)
        while b"after" not in self.receiver.bodies():
            await self.publisher.publish(KEY, b"after")
            await deferLater(reactor, 0.1)

    async def test_stopped_publisher(self) -> None:
        """What could not be confirmed before the publisher stopped fails."""
        await self.publisher.publish(KEY, b"before")
        await self.link.cut()
        later = self.publisher.publish(KEY, b"never")
        await self.publisher.disownServiceParent()
        with self.assertRaises(CancelledError):
            await later

    async def test_stopped_at_any_moment(self) -> None:
        """Services that are stopped while they connect stop, and log no failure."""
        for milliseconds in range(0, 40, 2):
            bus = AmqpBus(reactor, broker_address(), PREFIX, PREFETCH)
            services = MultiService()
            bus.publisher().setServiceParent(services)
            bus.consumer(queue_names(PREFIX), Receiver()).setServiceParent(services)
            services.startService()
            await deferLater(reactor, milliseconds / 1000)
            await services.stopService()


class RefusedTests(TestCase):
    """A broker that does not let us in."""

    timeout = 60

    async def test_wrong_password(self) -> None:
        """The log says once what the broker said, and nothing of the password."""
        where = broker_address(password="not-the-password")
        said: Deferred[str] = Deferred()

        def observe(event):
            if event.get("purpose") == "publish" and "reason" in event:
                said.callback(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        publisher = AmqpBus(reactor, where, PREFIX).publisher()
        publisher.startService()
        self.addCleanup(publisher.stopService)
        text = await said
        self.assertIn("ACCESS_REFUSED", text)
        self.assertNotIn("not-the-password", text)


class SecureTests(TestCase):
    """``amqps``."""

    timeout = 60

    def setUp(self) -> None:
        create(self)
        self.pem = certificate("127.0.0.1")
        self.link = Link(PrivateCertificate.loadPEM(self.pem))
        self.addCleanup(self.link.cut)

    async def test_signed_by_whom_we_trust(self) -> None:
        """A broker whose certificate the given authority signed is used."""
        where = broker_address(self.link.port, ca=self.pem.decode())
        publisher = AmqpBus(reactor, where, PREFIX).publisher()
        publisher.startService()
        self.addCleanup(publisher.stopService)
        await publisher.publish(KEY, b"one")

    async def test_signed_by_a_stranger(self) -> None:
        """Nothing, no password above all, is said to a broker that nobody vouches for."""
        await self.nothing_is_said(certificate("127.0.0.1"))

    async def test_for_another_name(self) -> None:
        """Nor to one whose certificate we trust, but which is for another, or nobody."""
        for address in ("127.0.0.2", None):
            await self.link.cut()
            self.pem = certificate(address)
            self.link = Link(PrivateCertificate.loadPEM(self.pem))
            self.addCleanup(self.link.cut)
            await self.nothing_is_said(self.pem)

    async def nothing_is_said(self, trusted: bytes) -> None:
        """Try to publish to a broker, with what is trusted, and see that it cannot be."""
        where = broker_address(self.link.port, ca=trusted.decode())
        publisher = AmqpBus(reactor, where, PREFIX).publisher()
        publisher.startService()
        self.addCleanup(publisher.stopService)
        published = publisher.publish(KEY, b"one")
        await deferLater(reactor, 2)
        self.assertFalse(published.called)
        published.addErrback(lambda failure: failure.trap(CancelledError))
