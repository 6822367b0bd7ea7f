"""Whose a tap is: the files that ``snf-network`` writes, followed as they change."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import MultiService
from twisted.logger import Logger

from snf.watch import DELETE, MOVED_FROM, MOVED_TO, DirectoryWatch

_LONGEST = 1024
_LINE = re.compile(r"(NUMBER|INSTANCE)=([A-Za-z0-9_.-]{1,255})")


@frozen
class Tap:
    """A tap, by the number that its interface has as long as it lives."""

    name: str
    number: int
    instance: str


def parsed(name: str, text: str) -> Tap:
    """
    Return what a file says.

    :raises ValueError: It makes no sense.
    """
    values = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("expected lines NUMBER=... and INSTANCE=...")
        values[match[1]] = match[2]
    try:
        return Tap(name, int(values["NUMBER"]), values["INSTANCE"])
    except (KeyError, ValueError):
        raise ValueError("expected lines NUMBER=... and INSTANCE=...") from None


def number_of(interface: str) -> int:
    """Return an interface's number; 0 where there is none of that name."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


@define(eq=False)
class Taps(MultiService):
    """
    The taps whose guests may ask.

    :ivar number_of: Returns an interface's number, 0 for none.
    """

    _log = Logger()

    reactor: Any
    directory: Path
    number_of: Callable[[str], int] = number_of
    _by_name: dict[str, Tap] = field(init=False, factory=dict)
    _by_number: dict[int, Tap] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        MultiService.__init__(self)
        watch = DirectoryWatch(
            self.reactor,
            self.directory,
            self.take,
            self.read_all,
            MOVED_TO | MOVED_FROM | DELETE,
        )
        watch.setServiceParent(self)

    def of(self, number: int) -> Tap | None:
        """Return the tap of a number, if it is there still."""
        tap = self._by_number.get(number)
        if tap is None or self.number_of(tap.name) != number:
            return None
        return tap

    def read_all(self) -> None:
        """Read the directory anew."""
        try:
            names = [path.name for path in self.directory.iterdir()]
        except OSError as problem:
            self._log.warn(
                "{directory}: {problem}",
                directory=self.directory,
                problem=problem.strerror,
            )
            return
        for name in self._by_name.keys() - set(names):
            self._forget(name)
        for name in names:
            self.take(name)

    def take(self, name: str) -> None:
        """Take in what a file says now, or that it is gone."""
        if name.startswith("."):
            return
        self._forget(name)
        path = self.directory / name
        try:
            with path.open("r", encoding="ascii") as file:
                tap = parsed(name, file.read(_LONGEST))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as problem:
            self._log.warn("{path}: {problem}", path=path, problem=str(problem))
            return
        self._by_name[name] = self._by_number[tap.number] = tap

    def _forget(self, name: str) -> None:
        tap = self._by_name.pop(name, None)
        if tap is not None and self._by_number.get(tap.number) is tap:
            del self._by_number[tap.number]
