"""Images: how fast data is uploaded and downloaded, and how much memory that takes.

    sudo .venv/bin/python -m bench.images [--rounds N] [--mib N] [--state DIR]

With --state, of a cloud that runs, instead of that: how fast servers are made of an image
that their node has or has not seen, ten at once, and how fast an image is made of one.

Beside it, in turns: nginx, which takes the same bytes by PUT and sends them, if it is
installed (it neither hashes nor syncs nor looks at them); what the disk takes in (the same bytes, written and synced by
themselves), what one processor hashes (SHA-256, SHA-512 and MD5 of the same bytes), and
what a loopback connection carries from one program to another.
"""

import argparse
import hashlib
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from bench import image_boot, nginx
from bench.results import Target, judge, median
from bench.stack import TOKEN, Stack, cpu_s, fetch, post, stack

_PIECE = 1024 * 1024
_IMAGES = "/image/v2/images"


def main() -> None:
    """Measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--state", type=Path)
    options = parser.parse_args()
    if options.state is not None:
        image_boot.measure(options.state, options.rounds)
        return
    size = options.mib * _PIECE
    found: dict[str, list[float]] = {}
    memory: dict[str, list[float]] = {}
    with ExitStack() as open_ones:
        made = open_ones.enter_context(stack())
        pids = open_ones.enter_context(made.serving())
        peer = None
        if (why := nginx.missing()) is None:
            peer = open_ones.enter_context(nginx.serving(made.layout / "nginx"))
        else:
            print(why)
        # What the first one loads is there for all that follow.
        _put(made, _new(made), _file(made, _PIECE))
        for _ in range(options.rounds):
            path, image = _file(made, size), _new(made)
            for name, work in (
                ("upload", partial(_put, made, image, path)),
                ("download", partial(_get, made, image, size)),
            ):
                before = cpu_s(pids)
                grown = _grown(pids[0], partial(_timed, found, name, size, work))
                memory.setdefault(f"{name}, MB more", []).append(grown)
                used = cpu_s(pids) - before
                found.setdefault(f"{name}, s of a processor", []).append(used)
            if peer is not None:
                put, get = partial(_put_nginx, peer, path), partial(_get_nginx, peer)
                _timed(found, "nginx: upload", size, put)
                _timed(found, "nginx: download", size, partial(get, size))
            _timed(found, "the disk alone", size, partial(_write, made, path))
            _timed(found, "the hashes alone", size, partial(_hash, path))
            _timed(found, "a connection alone", size, partial(_carry, path))
            path.unlink()
    figures = {name: round(median(values), 1) for name, values in found.items()}
    figures |= {name: round(max(values), 1) for name, values in memory.items()}
    judge(
        "images: upload and download",
        {"rounds": options.rounds, "MiB": options.mib, **figures},
        Target("upload, MB more", 60),
        Target("download, MB more", 60),
    )


def _timed(
    found: dict[str, list[float]], name: str, size: int, work: Callable[[], None]
) -> None:
    """Note how many MB/s something does."""
    begun = monotonic()
    work()
    speed = size / 1e6 / (monotonic() - begun)
    found.setdefault(f"{name}, MB/s", []).append(speed)


def _file(made: Stack, size: int) -> Path:
    """Return a file that cannot be compressed, and that nobody else has."""
    path = made.layout / "data"
    with path.open("wb") as file:
        piece = os.urandom(_PIECE)
        for number in range(size // _PIECE):
            file.write(number.to_bytes(8, "big") + piece[8:])
    return path


def _new(made: Stack) -> str:
    body = {"name": "b", "disk_format": "raw", "container_format": "bare"}
    answer = fetch(made.port, post(_IMAGES, body))
    return answer.split(b'"id":"')[1][:36].decode()


def _put(made: Stack, image: str, path: Path) -> None:
    _upload(made.port, f"{_IMAGES}/{image}/file", path)


def _get(made: Stack, image: str, size: int) -> None:
    _download(made.port, f"{_IMAGES}/{image}/file", size)


def _put_nginx(port: int, path: Path) -> None:
    _upload(port, "/data", path)


def _get_nginx(port: int, size: int) -> None:
    _download(port, "/data", size)


def _upload(port: int, url: str, path: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"PUT {url} HTTP/1.1\r\nHost: bench\r\n"
            f"X-Auth-Token: {TOKEN}\r\n"
            f"Content-Length: {path.stat().st_size}\r\n\r\n".encode()
        )
        with path.open("rb") as file:
            connection.sendfile(file)
        answer = connection.recv(65_536)
    if not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 201")):
        raise SystemExit(f"the upload was answered {answer[:500]!r}")


def _download(port: int, url: str, size: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET {url} HTTP/1.1\r\nHost: bench\r\n"
            f"X-Auth-Token: {TOKEN}\r\nConnection: close\r\n\r\n".encode()
        )
        got = 0
        while piece := connection.recv(_PIECE):
            got += len(piece)
    if got < size:
        raise SystemExit(f"of {size} bytes {got} came")


def _write(made: Stack, path: Path) -> None:
    copy = made.layout / "copy"
    with path.open("rb") as source, copy.open("wb") as target:
        while piece := source.read(_PIECE):
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    copy.unlink()


def _hash(path: Path) -> None:
    hashes = [hashlib.sha256(), hashlib.sha512(), hashlib.md5()]
    with path.open("rb") as source:
        while piece := source.read(_PIECE):
            for one in hashes:
                one.update(piece)


def _carry(path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, path.open("rb") as file:
        reader = threading.Thread(target=_drain, args=(theirs,))
        reader.start()
        _send(ours, file)
        reader.join()


def _send(connection: socket.socket, file: BinaryIO) -> None:
    connection.sendfile(file)
    connection.shutdown(socket.SHUT_WR)


def _drain(connection: socket.socket) -> None:
    while connection.recv(_PIECE):
        pass


def _grown(pid: int, work: Callable[[], None]) -> float:
    """Return by how many MB a process has been larger at most while something is done."""
    # proc(5): from here on VmHWM is the most that there has been.
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = _most(pid)
    work()
    return (_most(pid) - before) / 1e6


def _most(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"nobody says how large {pid} is")


if __name__ == "__main__":
    main()
