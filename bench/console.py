"""Consoles: what a relay by WebSocket costs, beside websockify.

    .venv/bin/python -m bench.console [--rounds N] [--websockify DIR] [--few]

No cloud is needed, nor root.  websockify comes from PyPI into a virtualenv of its own, in
a temporary directory unless one is named that has it.  In turns: 1 GiB from a screen to
its viewer; idle connections; and a hundred screens of 10 Mbit/s each, while keys are
pressed at another one, whose answer is also timed without any relay.
"""

import argparse
import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from bench.console_ends import ECHO, GIVE, GIVEN_BYTES, connect, said
from bench.results import Target, judge, median, percentile

_ROOT = Path(__file__).parents[1]
_BUSY = 100
_BUSY_S = 10
_KEYS = 500
_KEY_EACH_S = 0.01
_CLOCK_HZ = os.sysconf("SC_CLK_TCK")


@frozen
class Proxy:
    """A relay that runs.

    :ivar pid: Of its first process.
    """

    name: str
    port: int
    pid: int

    def pids(self) -> list[int]:
        """Return its processes, of which websockify has one for each connection."""
        found = [self.pid]
        for pid in found:
            tasks = Path(f"/proc/{pid}/task/{pid}/children")
            with contextlib.suppress(OSError):
                found += map(int, tasks.read_text().split())
        return found

    def cpu_s(self) -> float:
        """Return what it has used of processors, those that have ended included."""
        used = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()
                used += sum(map(int, fields[11:15])) / _CLOCK_HZ
        return used

    def pss_kib(self) -> int:
        """Return what memory it has, what is shared divided by those who share it."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total


def main() -> None:
    """Measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--websockify", type=Path, help="A virtualenv that has it.")
    parser.add_argument("--few", action="store_true", help="Without 2,000 connections.")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-console-") as folder:
        peer = _websockify(options.websockify, Path(folder))
        with _program("screens", screens := _free()):
            for _ in range(options.rounds):
                for start in (_ours, peer):
                    with start(screens) as proxy:
                        _throughput(found, proxy)
                    with start(screens) as proxy:
                        _idle(found, proxy, 500)
                    with start(screens) as proxy:
                        _busy(found, proxy, screens)
            if not options.few:
                with _ours(screens) as proxy:
                    _idle(found, proxy, 2000)
    figures = {name: round(median(values), 3) for name, values in found.items()}
    judge(
        "consoles: a relay by WebSocket",
        {
            "rounds": options.rounds,
            **figures,
            "MB/s a processor second, to websockify's": round(
                figures["websockify: s of a processor a GiB"]
                / figures["ours: s of a processor a GiB"],
                2,
            ),
        },
        Target("MB/s a processor second, to websockify's", 1, most=False),
        Target("ours: KiB an idle connection of 500", 16),
        *([] if options.few else [Target("ours: KiB an idle connection of 2000", 16)]),
        Target("ours: key's answer, ms more, p99", 1),
    )


def _note(found: dict[str, list[float]], name: str, value: float) -> None:
    found.setdefault(name, []).append(value)


def _throughput(found: dict[str, list[float]], proxy: Proxy) -> None:
    """Have a screen say 1 GiB."""
    with connect(proxy.port, websocket=True) as viewer:
        before, begun = proxy.cpu_s(), time.monotonic()
        viewer.sendall(said(GIVE, websocket=True))
        buffer, got = bytearray(262_144), 0
        while got < GIVEN_BYTES and (size := viewer.recv_into(buffer)):
            got += size
        took = time.monotonic() - begun
    if got < GIVEN_BYTES:
        raise SystemExit(f"{proxy.name}: of 1 GiB {got} bytes came")
    time.sleep(0.5)
    _note(found, f"{proxy.name}: MB/s", GIVEN_BYTES / 1e6 / took)
    used = proxy.cpu_s() - before
    _note(found, f"{proxy.name}: s of a processor a GiB", used)


def _idle(found: dict[str, list[float]], proxy: Proxy, count: int) -> None:
    """Open connections that are silent."""
    with contextlib.ExitStack() as opened:
        # What the first one loads is there for all that follow.
        opened.enter_context(_looking(proxy))
        time.sleep(0.5)
        before = proxy.pss_kib()
        for _ in range(count):
            opened.enter_context(_looking(proxy))
        time.sleep(1)
        grown = proxy.pss_kib() - before
    _note(found, f"{proxy.name}: KiB an idle connection of {count}", grown / count)


def _looking(proxy: Proxy) -> socket.socket:
    """Return the connection of a viewer to whom a screen has said something."""
    viewer = connect(proxy.port, websocket=True)
    _press(viewer, websocket=True, key=ECHO)
    return viewer


def _busy(found: dict[str, list[float]], proxy: Proxy, screens: int) -> None:
    """Press keys while a hundred screens are busy."""
    command = ["viewers", str(proxy.port), str(_BUSY)]
    watching = subprocess.Popen(
        [sys.executable, "-m", "bench.console_ends", *command],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        if watching.stdout.readline() != "ready\n":
            raise SystemExit(f"{proxy.name}: no viewers")
        watching.stdout.readline()
        used, begun = proxy.cpu_s(), time.monotonic()
        with _looking(proxy) as through, connect(screens, False) as direct:
            _press(direct, websocket=False, key=ECHO)
            ours, plain = [], []
            for _ in range(_KEYS):
                ours.append(_press(through, websocket=True))
                plain.append(_press(direct, websocket=False))
                time.sleep(_KEY_EACH_S)
        took = time.monotonic() - begun
        used = proxy.cpu_s() - used
        speeds = [int(watching.stdout.readline()) for _ in range(3)]
    finally:
        watching.kill()
        watching.wait()
        assert watching.stdout is not None
        watching.stdout.close()
    name = f"{proxy.name}: key's answer"
    for percent in (50, 99):
        more = percentile(ours, percent) - percentile(plain, percent)
        _note(found, f"{name}, ms more, p{percent}", more * 1000)
        _note(found, f"{name}, ms, p{percent}", percentile(ours, percent) * 1000)
    _note(found, f"{proxy.name}: busy, s of a processor a second", used / took)
    _note(found, f"{proxy.name}: busy, MB/s", median(speeds) / 1e6)


def _press(viewer: socket.socket, websocket: bool, key: bytes = b"k") -> float:
    """Return how long it takes until a key's answer has come."""
    begun = time.perf_counter()
    viewer.sendall(said(key, websocket))
    wanted = 3 if websocket else 1
    while wanted:
        wanted -= len(viewer.recv(wanted))
    return time.perf_counter() - begun


def _free() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(name: str, port: int, *command: str) -> Iterator[Proxy]:
    """Run a program that listens on a port."""
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            if _listens(port):
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{name} does not listen")
        time.sleep(0.3)
        yield Proxy(name, port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    """Whether somebody listens on a port, who is not bothered by that question."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text()


def _program(name: str, *arguments: int) -> contextlib.AbstractContextManager[Proxy]:
    command = (sys.executable, "-m", "bench.console_ends", name, *map(str, arguments))
    return _running(name, arguments[0], *command)


def _ours(screens: int) -> contextlib.AbstractContextManager[Proxy]:
    port = _free()
    command = (sys.executable, "-m", "bench.console_ends", "proxy", str(port))
    return _running("ours", port, *command, str(screens))


def _websockify(folder: Path | None, temporary: Path):  # type: ignore[no-untyped-def]
    """Return what starts a websockify."""
    if folder is None:
        folder = temporary / "websockify"
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "websockify"]
        subprocess.run(pip, check=True)
    program = str(folder / "bin" / "websockify")

    def start(screens: int) -> contextlib.AbstractContextManager[Proxy]:
        port = _free()
        where = f"127.0.0.1:{port}", f"127.0.0.1:{screens}"
        return _running("websockify", port, program, *where)

    return start


if __name__ == "__main__":
    main()
