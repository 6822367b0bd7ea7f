"""The files of the console's page, as browsers get them: with a strict policy, and checked anew."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.logger import Logger

from snf.api.json import Edge, begin
from snf.core.errors import NotFound, Unavailable

_log = Logger()

# noVNC makes pictures of data: URLs.  Nothing comes from elsewhere, and no page frames it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'{sockets}; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'none'"
)
# xterm.js writes the rules of its own style sheet while it runs.
_LOOSE = " 'unsafe-inline'"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# Of a path: neither nothing, nor dots alone, nor what a file system takes for more.
_WORD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PAGES = {"vnc": "vnc.html", "serial": "serial.html"}

MISSING = "the console's page lacks what others wrote (noVNC, xterm.js): run python3 {}/vendor.py"


def is_complete(directory: Path) -> bool:
    """Return whether what others wrote is there, too."""
    return (directory / "vendor" / "complete").is_file()


@frozen
class _File:
    content: bytes
    etag: bytes
    type: str


@define(eq=False)
class Pages:
    """
    Serves them; each is read when it is first asked for, and then kept.

    :param directory: Where they are: the folder ``ui``.
    """

    edge: Edge
    directory: Path
    _known: dict[str, _File] = field(init=False, factory=dict)

    def render(self, request: Any) -> bytes:
        """Answer with the file below ``/console`` that a request names."""
        words = [word.decode("utf-8", "replace") for word in request.postpath or []]
        page = words[0] if len(words) == 1 else ""
        if not is_complete(self.directory):
            text = MISSING.format(self.directory)
            return self.edge.refuse(request, Unavailable(text))
        plain = all(map(_WORD.fullmatch, words))
        found = self._file(_PAGES.get(page) or "/".join(words)) if plain else None
        if found is None:
            return self.edge.refuse(request, NotFound("There is no such file"))
        self._say(request, found, loose=page == "serial")
        if request.setETag(found.etag):
            return b""
        request.setHeader("Content-Length", str(len(found.content)))
        return b"" if request.method == b"HEAD" else found.content

    def _file(self, name: str) -> _File | None:
        if name not in self._known:
            path = (self.directory / name).resolve()
            served = path.suffix in _TYPES and "node_modules" not in path.parts
            within = path.is_relative_to(self.directory.resolve())
            if not (served and within and path.is_file()):
                return None
            content = path.read_bytes()
            etag = f'"{sha256(content).hexdigest()[:32]}"'.encode()
            self._known[name] = _File(content, etag, _TYPES[path.suffix])
        return self._known[name]

    def _say(self, request: Any, found: _File, loose: bool) -> None:
        begin(request)
        own = self.edge.root
        policy = _POLICY.format(
            style=_LOOSE if loose else "",
            # Older browsers do not take WebSockets for the page's own origin.
            sockets=f" ws{own.removeprefix('http')}",
        )
        for name, value in (
            ("Server", "Cyclades"),
            ("Content-Type", found.type),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-cache"),
        ):
            request.setHeader(name, value)
