"""Load for the benches of the API, made by a process of its own.

    echo '{"port": 8774, "requests": ["GET / HTTP/1.1\\r\\n..."]}' | python -m bench.load

Each connection is kept alive and asks for one thing after the other: the next request
is sent when the answer to the last one has come whole.  Nothing of an answer is looked
at but its status and its length.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from attrs import asdict, define, field, frozen

from bench.results import percentile

ROOT = Path(__file__).parents[1]


@frozen
class Load:
    """What to ask for, of whom and how.

    :ivar requests: Whole requests, head and body; they take turns.
    :ivar rate: Requests a second, at even times whether or not answers have come, as
        far as there are connections; None for as many as are answered.
    :ivar seconds: How long to measure, after ``warm_s`` in which nothing is.
    :ivar most: How many requests are made at most; None for as many as there is time.
    """

    port: int
    requests: list[str]
    connections: int = 1
    seconds: float = 3.0
    warm_s: float = 0.5
    rate: float | None = None
    expected: int = 200
    most: int | None = None


@frozen
class Figures:
    """What came of it: the seconds that each answer took, in the order they came.

    :ivar seconds: From the beginning to the last answer.
    :ivar sent: All requests, also those before the beginning.
    :ivar cpu_s: The processor time that it took to make them.
    """

    seconds: float
    delays: list[float]
    refused: int
    received_bytes: int
    sent: int
    cpu_s: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.delays) / self.seconds

    def ms(self, percent: float) -> float:
        """Return a percentile of the delays, in milliseconds."""
        return percentile(self.delays, percent) * 1000


def start(load: Load) -> subprocess.Popen[str]:
    """Begin to load somebody, from another process."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(asdict(load)))
    child.stdin.close()
    return child


def end(child: subprocess.Popen[str]) -> Figures:
    """
    Wait until a load has ended, and return what came of it.

    :raises SystemExit: Something was answered that should not have been.
    """
    assert child.stdout is not None
    told = child.stdout.read()
    if child.wait(timeout=60):
        raise SystemExit("the load could not be made")
    figures = Figures(**json.loads(told))
    if figures.refused or not figures.delays:
        raise SystemExit(
            f"{figures.refused} requests were refused, {len(figures.delays)} answered"
        )
    return figures


def run(load: Load) -> Figures:
    """Load somebody and return what came of it."""
    return end(start(load))


_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@define
class _Counts:
    """What the connections have in common."""

    load: Load
    requests: list[bytes]
    begin: float
    last: float = 0.0
    sent: int = 0
    delays: list[float] = field(factory=list)
    refused: int = 0
    received: int = 0

    @property
    def end(self) -> float:
        return self.begin + self.load.seconds


class _Connection(asyncio.Protocol):
    """Asks, waits for the answer, asks again."""

    def __init__(self, counts: _Counts) -> None:
        self.counts = counts
        self.done = asyncio.get_running_loop().create_future()
        self.head = b""
        self.missing: int | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        counts = self.counts
        turn = counts.sent
        counts.sent += 1
        # Of a rate, the delay counts from when it was to be sent.
        self.asked = time.perf_counter()
        if counts.load.rate is not None:
            due = counts.begin - counts.load.warm_s + turn / counts.load.rate
            wait, self.asked = due - self.asked, due
            if wait > 0:
                loop = asyncio.get_running_loop()
                loop.call_later(wait, self._send, turn)
                return
        self._send(turn)

    def _send(self, turn: int) -> None:
        most = self.counts.load.most
        over = most is not None and turn >= most
        if over or time.perf_counter() >= self.counts.end:
            self._stop()
            return
        self.transport.write(self.counts.requests[turn % len(self.counts.requests)])

    def data_received(self, data: bytes) -> None:
        self.counts.received += len(data)
        if self.missing is None:
            self.head += data
            head, found, rest = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            length = _LENGTH.search(head)
            self.missing = int(length[1]) if length else 0
            data = rest
        self.missing -= len(data)
        if self.missing <= 0:
            self._answered()

    def _answered(self) -> None:
        now, counts = time.perf_counter(), self.counts
        if int(self.head[9:12]) != counts.load.expected:
            counts.refused += 1
            sys.stderr.write(self.head[:600].decode("latin-1") + "\n")
            self._stop()
            return
        self.head, self.missing = b"", None
        if self.asked >= counts.begin:
            counts.delays.append(now - self.asked)
            counts.last = now
        self._ask()

    def _stop(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self.transport.abort()

    def connection_lost(self, reason: Exception | None) -> None:
        if not self.done.done():
            self.counts.refused += 1
            self.done.set_result(None)


async def _make(load: Load) -> _Counts:
    loop = asyncio.get_running_loop()
    requests = [one.encode("utf-8") for one in load.requests]
    counts = _Counts(load, requests, time.perf_counter() + load.warm_s)
    made = [
        await loop.create_connection(
            lambda: _Connection(counts), "127.0.0.1", load.port
        )
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    return counts


def main() -> None:
    """Make the load that is read, and tell what came of it."""
    load = Load(**json.load(sys.stdin))
    begun = time.process_time()
    counts = asyncio.run(_make(load))
    seconds = counts.last - counts.begin
    figures = Figures(
        seconds,
        counts.delays,
        counts.refused,
        counts.received,
        counts.sent,
        time.process_time() - begun,
    )
    json.dump(asdict(figures), sys.stdout)


if __name__ == "__main__":
    main()
