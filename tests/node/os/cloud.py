"""A cloud that is told of images, and a QEMU whose disk becomes one."""

import json
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson


class Receiver:
    """``/node/v1/snapshots``, until it is closed.

    :ivar statuses: What the next requests of a method are answered instead of 204.
    """

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.brought: list[bytes] = []
        self.paths: set[str] = set()
        self.statuses: dict[str, list[int]] = {"POST": [], "PUT": []}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                receiver.reports.append(orjson.loads(self._body()))
                self._answer("POST")

            def do_PUT(self) -> None:
                receiver.brought.append(self._body())
                self._answer("PUT")

            def _body(self) -> bytes:
                receiver.paths.add(self.path)
                return self.rfile.read(int(self.headers["Content-Length"]))

            def _answer(self, method: str) -> None:
                statuses = receiver.statuses[method]
                self.send_response(statuses.pop(0) if statuses else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def errors(self) -> list[str]:
        """Why there are to be no images, as was told."""
        return [one["error"] for one in self.reports if "error" in one]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Qemu:
    """A guest that does nothing, with its disk and its monitor where Ganeti has them."""

    def __init__(self, home: Path, name: str, disk: Path) -> None:
        self.monitor = home / f"{name}.qmp"
        link = home / f"{name}:0"  # Ganeti's
        link.symlink_to(disk)
        self.process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-M", "pc,accel=tcg", "-m", "16", "-S"),
                *("-nodefaults", "-display", "none"),
                *("-drive", f"file={link},if=none,id=disk-7,format=raw"),
                *("-device", "virtio-blk-pci,drive=disk-7"),
                *("-qmp", f"unix:{self.monitor},server=on,wait=off"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 30
        while not self.monitor.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                assert self.process.stderr is not None
                raise AssertionError(self.process.stderr.read())
            time.sleep(0.02)

    def ask(self, command: str, **arguments: Any) -> Any:
        """Return what the monitor answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.monitor))
            file = connection.makefile("rw")
            file.readline()
            answer: Any = None
            for name, given in (("qmp_capabilities", {}), (command, arguments)):
                file.write(json.dumps({"execute": name, "arguments": given}) + "\n")
                file.flush()
                answer = json.loads(file.readline())
                while "event" in answer:
                    answer = json.loads(file.readline())
            return answer["return"]

    def write(self, byte: int, at: int, length: int) -> None:
        """Write to the disk as the guest would."""
        line = f'qemu-io disk-7 "write -P {byte} {at} {length}"'
        self.ask("human-monitor-command", **{"command-line": line})

    def jobs(self) -> list[dict[str, Any]]:
        """Return what is being copied."""
        return self.ask("query-jobs")

    def kill(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
