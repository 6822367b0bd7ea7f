"""The directory of bindings: read at the start, and whenever a file changes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from snf.nfdhcpd.binding import Binding, Invalid, completed, parse
from snf.nfdhcpd.client import Client, Clients
from snf.nfdhcpd.link import Link, Outlet, mac_of, number_of
from snf.nfdhcpd.link_local import link_local_of
from snf.nfdhcpd.responder import Responder
from snf.nfdhcpd.routes import of_table
from snf.watch import CLOSE_WRITE, DELETE, MOVED_FROM, MOVED_TO, DirectoryWatch

_EVENTS = CLOSE_WRITE | DELETE | MOVED_FROM | MOVED_TO
_LONGEST_BYTES = 65_536


@define(eq=False)
class Directory(Service):
    """
    Keeps ``clients`` as the files of a directory say, while it runs.

    A file is read in a turn of the reactor of its own, so that guests are answered between
    many. One that makes no sense is logged and changes nothing for the others; its own
    guest is not answered.

    :ivar told: Called with each guest whose file has been read.
    :ivar faulty: The names of files that make no sense.
    """

    _log = Logger()

    reactor: Any
    path: Path
    clients: Clients
    responders: Sequence[Responder]
    told: Callable[[Client], None] = lambda client: None
    faulty: set[str] = field(init=False, factory=set)
    rescans: int = field(init=False, default=0)
    _outlet: Outlet = field(init=False, factory=Outlet)
    _watch: DirectoryWatch = field(init=False)
    _due: dict[str, None] = field(init=False, factory=dict)
    _next: IDelayedCall | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._watch = DirectoryWatch(
            self.reactor, self.path, self._changed, self._rescan, _EVENTS
        )

    def startService(self) -> None:
        super().startService()
        self._watch.startService()

    def stopService(self) -> None:
        super().stopService()
        self._watch.stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        for client in list(self.clients):
            self.clients.drop(client.link.name)
        self._outlet.close()

    def compile_anew(self, responders: Sequence[Responder]) -> None:
        """Have everything read again, to be answered by other responders."""
        self.responders = responders
        self._rescan()

    def _rescan(self) -> None:
        """Read what is there, and forget what is not."""
        self.rescans += 1
        for client in self.clients:
            self._changed(client.link.name)
        for name in list(self.faulty):
            self._changed(name)
        try:
            names = sorted(one.name for one in self.path.iterdir())
        except OSError as failure:
            self._log.error(
                "{directory} cannot be listed: {problem}",
                directory=self.path,
                problem=failure.strerror,
            )
            return
        for name in names:
            self._changed(name)

    def _changed(self, name: str) -> None:
        if name.startswith("."):  # not in place yet
            return
        self._due[name] = None
        if self._next is None:
            self._next = self.reactor.callLater(0, self._one)

    def _one(self) -> None:
        self._next = None
        name = next(iter(self._due))
        del self._due[name]
        if self._due:
            self._next = self.reactor.callLater(0, self._one)
        self.read(name)

    def read(self, name: str) -> None:
        """Follow what a file says now."""
        self.faulty.discard(name)
        try:
            client = self._client(name)
        except Invalid as problem:
            self._refuse(name, problem.line, str(problem))
        except (OSError, UnicodeDecodeError, ValueError) as problem:
            self._refuse(name, 0, str(problem))
        except Exception as problem:
            self._log.failure("{file} cannot be compiled", file=self.path / name)
            self._refuse(name, 0, str(problem))
        else:
            if client is not None:
                self._put(client)
            elif self.clients.drop(name):
                self._log.info("{tap} is nobody's any more", tap=name)

    def _put(self, client: Client) -> None:
        before = self.clients.get(client.link.number)
        self.clients.put(client)
        if before is None or before.binding != client.binding:
            self._log.info(
                "{tap} ({number}) is {host}'s",
                tap=client.link.name,
                number=client.link.number,
                host=client.binding.hostname,
            )
        self.told(client)

    def _refuse(self, name: str, line: int, reason: str) -> None:
        self.faulty.add(name)
        self.clients.drop(name)
        self._log.error(
            "{file}: line {line}: {reason}" if line else "{file}: {reason}",
            file=self.path / name,
            line=line,
            reason=reason,
        )

    def _client(self, name: str) -> Client | None:
        """
        Return the guest of a file; ``None`` if there is no file, or no tap of that name.

        :raises Invalid: It makes no sense.
        """
        try:
            with (self.path / name).open("rb") as file:
                text = file.read(_LONGEST_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(text) > _LONGEST_BYTES:
            raise Invalid(0, f"is longer than {_LONGEST_BYTES} octets")
        binding = parse(name, text.decode())
        number = number_of(name)
        if not number:  # left from a tap that is gone
            return None
        binding = completed(binding, of_table)
        mac = mac_of(binding.indev)
        if mac is None:
            raise Invalid(0, f"there is no interface {binding.indev}")
        binding = evolve(binding, link_local=link_local_of(binding.indev))
        link = Link(name, number, self._outlet)
        return Client(binding, link, self._compiled(binding, mac))

    def _compiled(self, binding: Binding, mac: bytes) -> dict[str, Any]:
        return {one.kind: one.compile(binding, mac) for one in self.responders}
