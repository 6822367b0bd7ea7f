"""Real lines and simulated ones do the same."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from snf.testing.serial import SimulatedLines
from snf.testing.serial_contract import Subject, serial_tests
from tests.serial.test_lines import NAME, LinesTestCase


async def real(case: Any) -> Subject:
    """Return a QEMU and what takes its line."""
    node = LinesTestCase()
    node.addCleanup = case.addCleanup  # type: ignore[method-assign]
    node.setUp()
    node.start(node.lines)
    qemu = node.qemu()
    await ensureDeferred(node.listened())
    await qemu.go()
    return Subject(node.lines, reactor, NAME, qemu.end)


async def simulated(case: Any) -> Subject:
    """Return an instance of a simulated cluster."""
    running = {NAME: True}
    lines = SimulatedLines("snf", running.get)
    return Subject(lines, reactor, NAME, lambda: running.update({NAME: False}))


class RealTests(serial_tests(real)):  # type: ignore[misc]
    """QEMU's."""


class SimulatedTests(serial_tests(simulated)):  # type: ignore[misc]
    """Those of the demo."""
