"""All serial lines of a node: taken as soon as QEMU has them, kept until it ends."""

from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf.core.naming import server_id
from snf.serial.line import Line, Peer
from snf.serial.log import Log
from snf.serial.recorder import InThread
from snf.serial.socket import SUFFIX, Place, Stand, number, stand_in
from snf.watch import CREATE, MOVED_TO, DirectoryWatch

_LOOK_AGAIN_S = 30.0
# QEMU has a socket first, and listens at it next.
_PAUSES_S = (0.002, 0.01, 0.05, 0.2, 1.0)


@frozen
class Places:
    """
    What of a node's files is of serial lines.

    :ivar sockets: Ganeti's directory of the hypervisor's sockets.
    :ivar logs: Where what guests say is kept.
    :ivar log_bytes: How much of each.
    :ivar instances: Ganeti's list of all instances; the logs of others are removed.
    :ivar prefix: What the names of our instances begin with.
    """

    sockets: Path
    logs: Path
    log_bytes: int
    instances: Path
    prefix: str

    def log(self, name: str) -> Log:
        """Return the log of an instance."""
        return Log(self.logs / f"{name}.log", self.log_bytes)

    def ours(self, names: Iterable[str], suffix: str) -> list[str]:
        """Return those of our instances whose files are among some."""
        stems = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
        return [stem for stem in stems if server_id(self.prefix, stem) is not None]

    def forget(self, but: Iterable[str]) -> list[str]:
        """
        Remove the logs of instances that there are no more; return their names.

        :param but: Instances that are here, whatever the list says.
        :raises OSError: The list cannot be read, or a log not be removed.
        """
        known = {*self.instances.read_text("utf-8").split(), *but}
        files = (path.name.removesuffix(".1") for path in self.logs.iterdir())
        gone = sorted(set(self.ours(files, ".log")) - known)
        for name in gone:
            self.log(name).remove()
        return gone


@define(eq=False, slots=False)
class _Operators(Factory):
    """Who is let in at the node itself, as root: ``gnt-instance console``."""

    reactor: Any
    line: Line
    noisy = False

    def buildProtocol(self, addr: object) -> Peer:
        """Return one who has whoever else is there leave."""
        return Peer(self.line, self.reactor, by_force=True)


@define(eq=False, slots=False)
class _Quiet(Factory):
    """Makes a connection a line, without two words in the log for each attempt."""

    line: Line
    noisy = False

    def buildProtocol(self, addr: object) -> Line:
        return self.line


@define(eq=False)
class Lines(Service):
    """
    The lines, by instance.

    :ivar in_thread: What takes long, or may.
    """

    _log = Logger()

    reactor: Any
    places: Places
    in_thread: InThread
    _lines: dict[str, Line] = field(init=False, factory=dict)
    _stands: dict[str, Stand] = field(init=False, factory=dict)
    _taking: dict[str, "Deferred[None]"] = field(init=False, factory=dict)
    _again: set[str] = field(init=False, factory=set)
    _said: dict[str, str] = field(init=False, factory=dict)
    _watch: DirectoryWatch = field(init=False)
    _poll: LoopingCall = field(init=False)
    _running: "list[Deferred[Any]]" = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._watch = DirectoryWatch(
            self.reactor,
            self.places.sockets,
            lambda name: self._arrived([name]),
            self._look,
            CREATE | MOVED_TO,
        )
        self._poll = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        self._poll.clock = self.reactor

    def privilegedStartService(self) -> None:
        """Make the directory of the logs, which is to be root's."""
        super().privilegedStartService()
        self.places.logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def startService(self) -> None:
        super().startService()
        self._watch.startService()
        self._running = [self._poll.start(_LOOK_AGAIN_S)]

    def stopService(self) -> "Deferred[Any]":
        super().stopService()
        self._watch.stopService()
        self._poll.stop()
        return Deferred.fromCoroutine(self._stop())

    def is_ours(self, name: str) -> bool:
        """Return whether an instance may be ours, by its name."""
        return server_id(self.places.prefix, name) is not None

    def line(self, name: str) -> Line | None:
        """Return the line of an instance; None where it does not run here."""
        return self._lines.get(name)

    async def tail(self, name: str, lines: int | None) -> bytes | None:
        """
        Return the last lines of what a guest has said, all that is kept for None.

        None where nothing is known of it here.

        :raises OSError: It cannot be read.
        """
        line = self._lines.get(name)
        if line is not None:
            await line.recorder.written()
        log = self.places.log(name)
        said: bytes = await self.in_thread(log.tail, lines)
        if said or line is not None or await self.in_thread(log.exists):
            return said
        return None

    def _look(self) -> None:
        try:
            self._arrived(path.name for path in self.places.sockets.iterdir())
        except OSError:
            return  # the watch has said so

    def _arrived(self, files: Iterable[str]) -> None:
        for name in self.places.ours(files, SUFFIX):
            if name in self._taking:
                self._again.add(name)
            elif self.running:
                self._begin(name, self._take(Place(self.places.sockets, name)))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something about a line, of which one thing is done after the other."""
        self._taking[name] = Deferred()

        def end(result: object) -> None:
            if isinstance(result, Failure):
                self._log.failure("{name} is lost", result, name=name)
            self._taking.pop(name).callback(None)
            if name in self._again:
                # What has arrived in the meantime may be another QEMU.
                self._again.remove(name)
                self._arrived([name + SUFFIX])

        Deferred.fromCoroutine(work).addBoth(end)

    async def _take(self, place: Place) -> None:
        """Be QEMU's client, unless it is ours already."""
        name = place.name
        try:
            if name in self._stands:
                if number(place) == self._stands[name].ours:
                    return
                await self._drop(name, ended=True)  # there is a new QEMU
            if not place.fits():
                self._say(name, "the path of its socket is too long")
                return
            place.restore()
            its = number(place)
            line = await self._connected(place)
            if line is None:
                return
            self._lines[name] = line
            self._stands[name] = stand_in(
                self.reactor, place, _Operators(self.reactor, line), its
            )
        except FileNotFoundError:
            return  # it has ended meanwhile
        except OSError as problem:
            self._say(name, problem.strerror or str(problem))
            await self._drop(name, ended=False)
        else:
            self._said.pop(name, None)
            self._log.info("{name} is listened to", name=name)

    async def _connected(self, place: Place) -> Line | None:
        """Return the line of a QEMU; None where nobody listens."""
        log = self.places.log(place.name)
        for pause_s in _PAUSES_S:
            line = Line(place.name, log, self.in_thread, self._ended)
            try:
                await place.client(self.reactor).connect(_Quiet(line))
            except ConnectError:
                await deferLater(self.reactor, pause_s)
                if not self.running:
                    return None
            else:
                return line
        return None

    def _ended(self, line: Line) -> None:
        """Know that a QEMU has ended, or our connection with it."""
        name = line.name
        if self._lines.get(name) is line:
            self._log.info("{name} has ended", name=name)
            if name not in self._taking:
                self._begin(name, self._drop(name, ended=True))

    async def _drop(self, name: str, ended: bool) -> None:
        line, stand = self._lines.pop(name, None), self._stands.pop(name, None)
        if stand is not None:
            await stand.leave(ended)
        if line is not None:
            await line.close()

    async def _round(self) -> None:
        """Take what was missed, and remove the logs of instances that are no more."""
        self._look()
        try:
            gone = await self.in_thread(self.places.forget, tuple(self._lines))
        except (OSError, ValueError) as problem:
            self._say("logs", str(problem))
        else:
            self._said.pop("logs", None)
            for name in gone:
                self._log.info("{name} is no more: its log is removed", name=name)

    async def _stop(self) -> None:
        await gatherResults([*self._running, *self._taking.values()])
        for name in tuple(self._lines):
            await self._drop(name, ended=False)

    def _say(self, name: str, problem: str) -> None:
        """Log why something is not as it should be, once."""
        if self._said.get(name) != problem:
            self._said[name] = problem
            self._log.error("serial line {name}: {problem}", name=name, problem=problem)
