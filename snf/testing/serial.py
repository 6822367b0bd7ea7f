"""The serial lines of a simulated cluster's guests: they boot, and say again what is typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import succeed

from snf.core.naming import server_id
from snf.serial.line import Line
from snf.serial.log import Log, last_lines

_KEPT_BYTES = 65_536


@frozen
class MemoryLog(Log):
    """A log of which nothing is on a disk."""

    path: Path = Path("/nowhere")
    most: int = _KEPT_BYTES
    said: bytearray = field(init=False, factory=bytearray, eq=False)

    def append(self, data: bytes) -> None:
        """See ``Log``."""
        self.said.extend(data)
        del self.said[: -self.most]

    def tail(self, lines: int | None = None) -> bytes:
        """See ``Log``."""
        said = bytes(self.said)
        return said if lines is None else last_lines(said, lines)


@define(eq=False)
class _Guest:
    """What is at the other end of a line."""

    name: str
    line: Line

    def boot(self) -> None:
        """Say what guests say when they begin."""
        self.line.makeConnection(self)  # type: ignore[arg-type]
        self.say(
            f"[    0.000000] Linux version 6.1.0 (simulated)\r\n{self.name} is up\r\n"
        )

    def say(self, text: str) -> None:
        self.line.dataReceived(text.encode())

    def write(self, data: bytes) -> None:
        """Be typed at."""
        self.line.dataReceived(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See ``IConsumer``; there is always room."""

    def unregisterProducer(self) -> None:
        """See ``IConsumer``."""

    def loseConnection(self) -> None:
        """See ``ITransport``."""

    def pauseProducing(self) -> None:
        """See ``IPushProducer``; nobody is ever slow here."""

    def resumeProducing(self) -> None:
        """See ``IPushProducer``."""


@define(eq=False)
class SimulatedLines:
    """
    The lines of instances.

    :ivar running: Returns whether an instance runs; None where there is none.
    """

    prefix: str
    running: Callable[[str], bool | None]
    _logs: dict[str, MemoryLog] = field(init=False, factory=dict)
    _lines: dict[str, Line] = field(init=False, factory=dict)

    def is_ours(self, name: str) -> bool:
        """See ``snf.serial.web.Lines``."""
        return server_id(self.prefix, name) is not None

    def line(self, name: str) -> Line | None:
        """See ``snf.serial.web.Lines``."""
        self.look(name)
        return self._lines.get(name)

    async def tail(self, name: str, lines: int | None) -> bytes | None:
        """See ``snf.serial.web.Lines``."""
        self.look(name)
        log = self._logs.get(name)
        return None if log is None else log.tail(lines)

    def look(self, name: str) -> None:
        """Have guests boot, end, or be forgotten, as their instances are now."""
        running = self.running(name)
        line = self._lines.get(name)
        if running and line is None:
            log = self._logs.setdefault(name, MemoryLog())
            line = Line(name, log, _at_once, lambda line: None)
            self._lines[name] = line
            _Guest(name, line).boot()
        if not running and line is not None:
            del self._lines[name]
            line.connectionLost()
        if running is None:
            self._logs.pop(name, None)


def _at_once(function: Callable[..., Any], *given: Any) -> Any:
    return succeed(function(*given))
