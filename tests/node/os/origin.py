"""An HTTP server that has images and guests' data, and fails as it is told to."""

import re
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SIGNATURE = "5ecre7519na7ure"
_PIECE = 64 * 1024


class Origin:
    """Serves contents by path, until it is closed."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.ranges: list[str | None] = []
        """What was asked for, request by request."""
        self.statuses: list[int] = []
        """What the next requests are answered instead."""
        self.cuts: list[int] = []
        """After how many bytes the next answers break off."""
        self.held: list[int] = []
        """After how many bytes the next answers wait for ``go``."""
        self.waiting = threading.Event()
        self.go = threading.Event()
        self.ignores_ranges = False
        self.scheme = "http"
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def secure(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https"

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the signed URL of what is at a path."""
        query = f"expires=1795000000&signature={SIGNATURE}"
        return f"{self.scheme}://{host}:{self.port}{path}?{query}"

    def serve(self, path: str, content: bytes) -> str:
        """Have something at a path; return its URL."""
        self.contents[path] = content
        return self.url(path)

    def close(self) -> None:
        """End it."""
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: those who ask are killed on purpose."""


def _handler(origin: Origin) -> Callable[..., Any]:
    return type("Handler", (_Handler,), {"origin": origin})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        origin, asked = self.origin, self.headers.get("Range")
        origin.ranges.append(asked)
        content = origin.contents.get(self.path.partition("?")[0])
        status = origin.statuses.pop(0) if origin.statuses else 200
        if status == 200 and content is not None:
            first = re.fullmatch(r"bytes=(\d+)-", asked or "")
            skipped = first is None or origin.ignores_ranges
            self._send(content, 0 if skipped else int(first[1]))
            return
        self.send_response(404 if status == 200 else status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, first: int) -> None:
        origin, part = self.origin, content[first:]
        self.send_response(206 if first else 200)
        if first:
            last, whole = len(content) - 1, len(content)
            self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        cut = origin.cuts.pop(0) if origin.cuts else len(part)
        held = origin.held.pop(0) if origin.held else -1
        for at in range(0, min(cut, len(part)), _PIECE):
            if 0 <= held <= at:
                self.wfile.flush()
                origin.waiting.set()
                origin.go.wait(60)
            self.wfile.write(part[at : min(cut, at + _PIECE)])
        self.close_connection = True
