"""A simulated Ganeti cluster as a service: its remote API, and the news of its jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from attrs import define, field, frozen
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.server import Site
from zope.interface import implementer

from snf.bus.interface import Bus, Publisher
from snf.bus.messages import NET_STATUS
from snf.bus.topology import NET, routing_key
from snf.config import ConfigError, secret
from snf.config import Simulation as Settings
from snf.core.catalog import Cluster
from snf.core.errors import Unavailable
from snf.core.naming import instance_name
from snf.core.order import Kind
from snf.core.server import Observed
from snf.core.signing import Signer
from snf.eventd.job import messages
from snf.noded.door import Door, site
from snf.rapi.orders import request
from snf.serial.web import Serial
from snf.storage import builds, clusters
from snf.storage.builds import Built
from snf.storage.database import Database, Transaction
from snf.testing.ganeti import Durations, FakeGaneti
from snf.testing.screen import Screens
from snf.testing.serial import SimulatedLines

_log = Logger()

_RETRY_S = 2.0
_HOST = "127.0.0.1"


@frozen
class NodeDaemon:
    """Where the nodes' daemon listens, and who is let in."""

    port: int
    signer: Signer = field(repr=False)


@define(eq=False)
class Simulation(Service):
    """
    Plays the cluster of a given name, and runs what needs it.

    At its start it takes from the database what there is on the cluster: servers that
    were seen up are running instances, servers that were seen down stopped ones.  What
    jobs were at work on when it last stopped counts as done: the first levelling finds
    so.  Job ids go on behind the highest that is known.  Then it listens, tells the
    database where, and starts ``cloud``.

    :param database: Is only used until ``cloud`` starts.
    :param cloud: Is stopped before the cluster is.
    :param node: Where its nodes' daemon listens, which is the same for all of them.
    """

    reactor: Any
    database: Database
    bus: Bus
    settings: Settings
    prefix: str
    cloud: IService
    ganeti: FakeGaneti | None = field(init=False, default=None)
    node: "NodeDaemon | None" = None
    _lines: SimulatedLines | None = field(init=False, default=None)
    _publisher: Publisher = field(init=False)
    _calls: "_Calls" = field(init=False)
    _port: IListeningPort | None = field(init=False, default=None)
    _node_port: IListeningPort | None = field(init=False, default=None)
    _screens: IListeningPort | None = field(init=False, default=None)
    _beginning: "Deferred[None] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._calls = _Calls(self.reactor)
        self._publisher = self.bus.publisher()

    def startService(self) -> None:
        super().startService()
        self._beginning = Deferred.fromCoroutine(self._begin())

    def stopService(self) -> "Deferred[None]":
        """Stop the cloud, then the cluster, whose jobs are lost."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _begin(self) -> None:
        while self.running:
            try:
                await self._play()
                return
            except (Unavailable, ConfigError, _Unknown) as failure:
                _log.error("not simulated yet: {reason}", reason=str(failure))
            except Exception:
                _log.failure("the simulation cannot begin")
            if self.running:
                await deferLater(self.reactor, _RETRY_S)

    async def _play(self) -> None:
        cluster, there, last = await self.database.run(_known, self.settings.cluster)
        ganeti = FakeGaneti(
            self._calls,
            name=cluster.name,
            user=cluster.username,
            password=secret(Path(cluster.password_file)),
            durations=_durations(self.settings),
            on_change=self._changed,
            nodes=self.settings.nodes,
        )
        ganeti.queue.serial = last
        ganeti.machines.display_port = await self._listen_as_screens()
        for built in there:
            running = _left_running(built)
            if running is not None:
                name = instance_name(self.prefix, built.create.server)
                ganeti.have(dict(request(built.create, name, 0).body or {}), running)
        self.ganeti = ganeti
        await self._listen(cluster, ganeti)
        await self._listen_as_node(ganeti)
        if self.running:
            self.cloud.startService()

    async def _listen_as_screens(self) -> int:
        """Have the guests' screens, all in one place; return its port."""
        if self._screens is None:
            endpoint = TCP4ServerEndpoint(self.reactor, 0, interface=_HOST)
            self._screens = await endpoint.listen(Screens())
        port: Any = self._screens
        return port.getHost().port

    async def _listen(self, cluster: Cluster, ganeti: FakeGaneti) -> None:
        endpoint = TCP4ServerEndpoint(self.reactor, self.settings.port, interface=_HOST)
        port: Any = await endpoint.listen(_Site(ganeti.resource()))
        url = f"http://{_HOST}:{port.getHost().port}"
        try:
            await self.database.run(clusters.move, cluster.id, url, "off")
        except BaseException:
            await maybeDeferred(port.stopListening)
            raise
        self._port = port
        _log.info(
            "{cluster}, {count} instances, is simulated at {url}",
            cluster=cluster.name,
            count=len(ganeti.machines.by_name),
            url=url,
        )

    async def _listen_as_node(self, ganeti: FakeGaneti) -> None:
        """Serve what nodes' daemons serve, unless somebody else listens there."""
        if self.node is None:
            return
        machines = ganeti.machines.by_name
        lines = SimulatedLines(
            self.prefix,
            lambda name: machines[name].running if name in machines else None,
        )
        door = Door(self.node.signer, self.reactor.seconds)
        door.offer("serial", Serial(lines, self.reactor))
        endpoint = TCP4ServerEndpoint(self.reactor, self.node.port, interface=_HOST)
        try:
            self._node_port = await endpoint.listen(site(door))
        except CannotListenError as failure:
            _log.error("there are no serial lines: {reason}", reason=str(failure))
        else:
            self._lines = lines

    async def _stop(self) -> None:
        if self._beginning is not None:
            await self._beginning
        if self.cloud.running:
            await maybeDeferred(self.cloud.stopService)
        ports = (self._port, self._node_port, self._screens)
        self._port = self._node_port = self._screens = None
        for port in ports:
            if port is not None:
                await maybeDeferred(port.stopListening)
        self._calls.cancel()

    def _changed(self, job: dict[str, Any]) -> None:
        """Tell what eventd and the hook tell when a job's file has changed."""
        assert self.ganeti is not None
        ended = [
            op["input"]
            for op in job["ops"]
            if op["status"] == "success" and "instance_name" in op["input"]
        ]
        if ended:
            # Ganeti runs its hooks before it writes that a job has ended.
            self._publisher.publish(
                routing_key(self.prefix, NET),
                _interfaces(self.ganeti, ended[-1], self.reactor.seconds()),
            )
            if self._lines is not None:
                self._lines.look(ended[-1]["instance_name"])
        for key, body in messages(
            job["id"], orjson.dumps(job), self.ganeti.name, self.prefix
        ):
            self._publisher.publish(key, body)


class _Unknown(Exception):
    """The cloud has no cluster of the name."""


def _known(txn: Transaction, name: str) -> tuple[Cluster, list[Built], int]:
    for cluster in clusters.listing(txn):
        if cluster.name == name:
            there = builds.on_cluster(txn, cluster.id)
            return cluster, there, builds.last_job(txn, cluster.id)
    raise _Unknown(f"the database knows no cluster named {name}")


def _left_running(built: Built) -> bool | None:
    """Return whether the instance runs; None when there is none."""
    if built.under_way in _DONE:
        return _DONE[built.under_way]
    if built.failed and built.observed is not Observed.UP:
        return None
    return _SEEN[built.observed]


# What is absent leaves it running or not, as it was.
_DONE: dict[Kind | None, bool | None] = {
    Kind.CREATE: True,
    Kind.START: True,
    Kind.STOP: False,
    Kind.REBOOT: True,
    Kind.DELETE: None,
}

# What is building has no job here, hence nothing that Ganeti has begun with.
_SEEN = {
    Observed.UP: True,
    Observed.UNKNOWN: True,
    Observed.DOWN: False,
    Observed.BUILD: None,
    Observed.GONE: None,
}


def _interfaces(ganeti: FakeGaneti, op: dict[str, Any], now: float) -> bytes:
    """Return the hook's message: all NICs of an instance as they are now."""
    name = op["instance_name"]
    machine = ganeti.machines.by_name.get(name)
    nics = [] if machine is None else machine.nics
    return orjson.dumps(
        {
            "type": NET_STATUS,
            "instance": name,
            "operation": op["OP_ID"],
            "nics": [
                {key: value for key, value in nic.items() if value is not None}
                for nic in nics
            ],
            "event_time": [int(now), int(now % 1 * 1e6)],
            "cluster": ganeti.name,
        }
    )


def _durations(settings: Settings) -> Durations:
    # A process begins with a job at once where jobs are to take no time.
    return Durations(
        pick=min(Durations().pick, settings.create_s),
        create=settings.create_s,
        start=settings.start_s,
        stop=settings.stop_s,
        reboot=settings.reboot_s,
        remove=settings.delete_s,
        grow=min(Durations().grow, settings.create_s),
        modify=min(Durations().modify, settings.create_s),
        move=min(Durations().move, settings.create_s),
    )


class _Site(Site):
    """A site that writes no line a request."""

    def log(self, request: Request) -> None:
        """Do nothing."""


@implementer(IReactorTime)
@define(eq=False)
class _Calls:
    """A clock whose calls to come can all be canceled."""

    clock: Any
    _pending: set[IDelayedCall] = field(init=False, factory=set)

    def seconds(self) -> float:
        return self.clock.seconds()

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: Any, **kwargs: Any
    ) -> IDelayedCall:
        def call() -> None:
            self._pending.discard(pending)
            callable(*args, **kwargs)

        pending: IDelayedCall = self.clock.callLater(delay, call)
        self._pending.add(pending)
        return pending

    def getDelayedCalls(self) -> list[IDelayedCall]:
        return [*self._pending]

    def cancel(self) -> None:
        """Cancel them."""
        pending, self._pending = self._pending, set()
        for call in pending:
            call.cancel()
