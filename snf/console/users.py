"""Those who may ask for forwardings from other hosts: a file of names and hashes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from snf.console import crypt

NAME = re.compile(r"[a-z_][a-z0-9_]{0,30}")

# Nobody's, which takes as long to check as somebody's.
_NOBODY = "$6$nobody.nobody.no$" + 86 * "."
_LARGEST_FILE = 1024 * 1024


class NotAuthenticated(Exception):
    """Who asks is not let in; the text is what the original says."""


@define(eq=False)
class Users:
    """
    Those of a file, which is read again when it has changed.

    Lines are ``name:$6$salt$hash``; those that are not are left out, and logged.
    """

    _log = Logger()

    reactor: Any
    file: Path
    _known: dict[str, str] = field(factory=dict, init=False)
    _seen: tuple[int, int, int] | None = field(default=None, init=False)

    async def check(self, name: str, password: str) -> None:
        """:raises NotAuthenticated: There is no such user, or that is not his password."""
        self._look()
        kept = self._known.get(name)
        good = await self._aside(crypt.matches, password, kept or _NOBODY)
        if kept is None:
            raise NotAuthenticated("user not found")
        if not good:
            raise NotAuthenticated("wrong password")

    async def _aside(self, function: Callable[..., bool], *given: str) -> bool:
        """Call a function that takes a while in a thread."""
        pool = self.reactor.getThreadPool()
        good: bool = await deferToThreadPool(self.reactor, pool, function, *given)
        return good

    def _look(self) -> None:
        """Read the file if it is not as it was."""
        try:
            now = self.file.stat()
            seen = now.st_mtime_ns, now.st_size, now.st_ino
            if seen == self._seen:
                return
            if now.st_size > _LARGEST_FILE:
                raise OSError(0, f"is larger than {_LARGEST_FILE} bytes")
            text = self.file.read_text("utf-8", "replace")
        except OSError as failure:
            if self._seen is not None or not self._known:
                self._log.warn(
                    "nobody is let in: {file}: {why}",
                    file=str(self.file),
                    why=failure.strerror,
                )
            self._known, self._seen = {}, None
            return
        self._known, wrong = parsed(text)
        self._seen = seen
        for number in wrong:
            self._log.warn(
                "line {number} of {file} is left out: it is no name:$6$salt$hash",
                number=number,
                file=str(self.file),
            )


def parsed(text: str) -> tuple[dict[str, str], list[int]]:
    """Return the hashes of users by their names, and the numbers of other lines."""
    known, wrong = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, kept = line.strip().partition(":")
        if NAME.fullmatch(name) and crypt.is_hash(kept):
            known[name] = kept
        elif line.strip() and not line.lstrip().startswith("#"):
            wrong.append(number)
    return known, wrong
