"""What every bus has to keep, as tests: run on the one in memory and on RabbitMQ."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from snf.bus.interface import ACK, Bus, DeadLetter, Delivery, Verdict
from snf.bus.topology import NET, OP, queue_names, routing_key

PREFETCH = 20


@define(eq=False)
class Receiver:
    """Remembers what it is handed; ``answer`` may put aside or raise."""

    answer: Callable[[Delivery], Verdict] = lambda delivery: ACK
    batches: list[list[Delivery]] = field(factory=list)
    settled: list[Delivery] = field(factory=list)
    _waiting: "list[tuple[Callable[[], bool], Deferred[None]]]" = field(factory=list)

    async def __call__(self, batch: Sequence[Delivery]) -> Sequence[Verdict]:
        self.batches.append(list(batch))
        try:
            verdicts = [self.answer(delivery) for delivery in batch]
            self.settled.extend(batch)
        finally:
            self._look()
        return verdicts

    def bodies(self) -> list[bytes]:
        """Return the bodies of what was dealt with."""
        return [delivery.body for delivery in self.settled]

    def until(self, happened: Callable[[], bool]) -> "Deferred[None]":
        """Fires when a batch has come after which it is true."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((happened, waiting))
        self._look()
        return waiting

    def _look(self) -> None:
        for entry in list(self._waiting):
            happened, waiting = entry
            if happened():
                self._waiting.remove(entry)
                waiting.callback(None)


def bus_tests(  # noqa: C901 - a class is inside, none of its methods has a branch
    create: Callable[[TestCase], Bus],
    dead_letters: Callable[[TestCase, Bus, int], Awaitable[list[tuple[bytes, str]]]],
    prefix: str,
) -> type[TestCase]:
    """
    Return a class of tests.

    :param create: Makes an empty bus whose prefetch is ``PREFETCH``.
    :param dead_letters: Waits until so many messages were put aside and returns their
        bodies and reasons.
    """

    class BusTests(TestCase):
        """What a bus promises to publishers and receivers."""

        timeout = 60

        def setUp(self) -> None:
            self.bus = create(self)
            self.services = MultiService()
            self.publisher = self.bus.publisher()
            self.publisher.setServiceParent(self.services)
            self.receiver = Receiver()
            self.services.startService()
            self.addCleanup(self.services.stopService)

        def receive(self, receiver: Callable[..., Any] | None = None) -> Any:
            consumer = self.bus.consumer(queue_names(prefix), receiver or self.receiver)
            consumer.setServiceParent(self.services)
            return consumer

        def publish(self, *bodies: bytes, kind: str = OP) -> "Deferred[Any]":
            key = routing_key(prefix, kind)
            return DeferredList(
                [self.publisher.publish(key, body) for body in bodies],
                fireOnOneErrback=True,
                consumeErrors=True,
            )

        async def test_what_is_confirmed_arrives(self) -> None:
            """A confirmed message is received, also by one who comes later."""
            await self.publish(b"one")
            self.receive()
            await self.receiver.until(lambda: bool(self.receiver.settled))
            [delivery] = self.receiver.settled
            self.assertEqual(
                (f"{prefix}-events-op", routing_key(prefix, OP), b"one", False),
                (delivery.queue, delivery.key, delivery.body, delivery.redelivered),
            )

        async def test_order(self) -> None:
            """The messages of a queue come in the order in which they were published."""
            self.receive()
            bodies = [b"%d" % number for number in range(500)]
            await self.publish(*bodies)
            await self.receiver.until(lambda: len(self.receiver.settled) >= 500)
            self.assertEqual(bodies, self.receiver.bodies())

        async def test_batches_are_bounded(self) -> None:
            """A batch has what has arrived, at most ``prefetch`` messages."""
            await self.publish(*[b"x"] * (PREFETCH * 3))
            self.receive()
            await self.receiver.until(
                lambda: len(self.receiver.settled) >= PREFETCH * 3
            )
            sizes = [len(batch) for batch in self.receiver.batches]
            self.assertLessEqual(max(sizes), PREFETCH)
            self.assertLess(len(sizes), PREFETCH * 3)

        async def test_queues(self) -> None:
            """Each kind of message comes from its own queue; unknown keys go nowhere."""
            self.receive()
            await self.publisher.publish("some.other.key", b"nobody")
            await self.publish(b"net", kind=NET)
            await self.publish(b"op", kind=OP)
            await self.receiver.until(lambda: len(self.receiver.settled) >= 2)
            self.assertEqual(
                {(f"{prefix}-events-net", b"net"), (f"{prefix}-events-op", b"op")},
                {(one.queue, one.body) for one in self.receiver.settled},
            )

        async def test_any_bytes(self) -> None:
            """Bodies come back as they were: empty, UTF-8, binary, a megabyte."""
            bodies = [b"", "naïve ☃".encode(), bytes(range(256)), b"\xff" * 1_000_000]
            self.receive()
            await self.publish(*bodies)
            await self.receiver.until(lambda: len(self.receiver.settled) >= 4)
            self.assertEqual(bodies, self.receiver.bodies())

        async def test_put_aside(self) -> None:
            """What can never be dealt with is kept with its reason; the rest goes on."""

            def answer(delivery: Delivery) -> Verdict:
                return DeadLetter("no ☃ here") if delivery.body == b"bad" else ACK

            self.receiver.answer = answer
            self.receive()
            await self.publish(b"good", b"bad", b"better")
            await self.receiver.until(lambda: len(self.receiver.settled) >= 3)
            self.assertEqual(
                [(b"bad", "no ☃ here")], await dead_letters(self, self.bus, 1)
            )

        async def test_not_now(self) -> None:
            """A batch whose receiver raises is handed over again, complete."""
            failures = [OSError("the database is away"), OSError("still away")]

            def answer(delivery: Delivery) -> Verdict:
                if failures:
                    raise failures.pop()
                return ACK

            self.receiver.answer = answer
            await self.publish(b"one", b"two", b"three")
            self.receive()
            await self.receiver.until(lambda: len(self.receiver.settled) >= 3)
            self.assertEqual([b"one", b"two", b"three"], self.receiver.bodies())
            self.assertEqual(2, len(self.flushLoggedErrors(OSError)))

        async def test_stopped_while_not_now(self) -> None:
            """What a stopped consumer has not dealt with goes to the next one."""

            def answer(delivery: Delivery) -> Verdict:
                raise OSError("the database is away")

            refusing = Receiver(answer)
            consumer = self.receive(refusing)
            await self.publish(b"one", b"two")
            await refusing.until(lambda: bool(refusing.batches))
            await consumer.disownServiceParent()
            self.receive()
            await self.receiver.until(lambda: len(self.receiver.settled) >= 2)
            self.assertEqual({b"one", b"two"}, set(self.receiver.bodies()))
            self.flushLoggedErrors(OSError)

        async def test_stop_waits(self) -> None:
            """Stopping waits for the batch under way, which is then settled."""
            begun: Deferred[None] = Deferred()
            end: Deferred[None] = Deferred()

            async def receive(batch: Sequence[Delivery]) -> Sequence[Verdict]:
                begun.callback(None)
                await end
                return [ACK] * len(batch)

            await self.publish(b"one")
            consumer = self.receive(receive)
            await begun
            stopped = consumer.disownServiceParent()
            self.assertFalse(stopped.called)
            end.callback(None)
            await stopped
            self.receive()
            await self.publish(b"two")
            await self.receiver.until(lambda: bool(self.receiver.settled))
            self.assertEqual([b"two"], self.receiver.bodies())

    return BusTests
