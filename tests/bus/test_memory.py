"""The bus inside a process."""

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from snf.bus.memory import MemoryBus
from snf.testing.bus import PREFETCH, bus_tests


def create(case: TestCase) -> MemoryBus:
    return MemoryBus(reactor, "snf", PREFETCH)


async def dead_letters(
    case: TestCase, bus: MemoryBus, count: int
) -> list[tuple[bytes, str]]:
    while len(bus.dead_letters) < count:
        await deferLater(reactor, 0)
    return [(delivery.body, reason) for delivery, reason in bus.dead_letters]


class MemoryBusTests(bus_tests(create, dead_letters, "snf")):
    """A ``MemoryBus`` keeps what a bus promises."""
