"""The nodes' ends of consoles: where Ganeti has them, and connections to them."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.logger import Logger

from snf.api.compute.consoles import Forwarding, Place
from snf.console import node
from snf.console.node import NodeSettings, Unreachable
from snf.console.peer import Peer
from snf.core.catalog import Cluster
from snf.core.errors import BadRequest, Conflict, Unavailable
from snf.core.naming import instance_name
from snf.logic.connections import Connections
from snf.nodes.serial import SerialLines
from snf.rapi.displays import Display
from snf.rapi.errors import RapiError
from snf.storage import clusters
from snf.storage.database import Database

_log = Logger()

# While a server is moved it may be elsewhere once its screen has been reached.
_ATTEMPTS = 2

# Has a screen forwarded to a VNC viewer: where it is, and the way.
Forward = Callable[[Place, str], Awaitable[Forwarding]]


@frozen
class NodeEnds:
    """
    Knows where screens are, and opens them.

    :ivar prefix: Of the names of instances.
    :ivar forward: None where nothing forwards screens.
    :ivar lines: None where serial lines are not offered.
    """

    reactor: Any
    database: Database
    connections: Connections
    prefix: str
    settings: NodeSettings
    forward_by: Forward | None = None
    lines: SerialLines | None = None

    async def place(self, cluster: int, server: int) -> Place:
        """Return where a server's screen is just now."""
        found = await self._cluster(cluster)
        name = instance_name(self.prefix, server)
        display = await self._display(found, name)
        if display is None or display.port is None:
            raise Conflict("The server has no screen just now")
        if not display.host:
            raise Unavailable(
                "Screens of this server's cluster cannot be reached: Ganeti's "
                "vnc_bind_address is the nodes' loopback"
            )
        return Place(display.host, display.port)

    async def screen(self, cluster: int, server: int) -> Peer:
        """Return a server's screen, which is where Ganeti then still has it."""
        for _ in range(_ATTEMPTS):
            place = await self.place(cluster, server)
            peer = await self._connected(place)
            try:
                after = await self.place(cluster, server)
            except BaseException:
                peer.abort()
                raise
            if after == place:
                return peer
            peer.abort()
        raise Unavailable("The server is being moved; try again")

    async def forward(self, cluster: int, server: int, way: str) -> Forwarding:
        """Have a server's screen forwarded from where Ganeti then still has it."""
        if self.forward_by is None:
            raise BadRequest(f"Unavailable console type {way}.")
        for _ in range(_ATTEMPTS):
            place = await self.place(cluster, server)
            forwarding = await self.forward_by(place, way)
            if await self.place(cluster, server) == place:
                return forwarding
        raise Unavailable("The server is being moved; try again")

    async def serial(self, cluster: int, server: int) -> Peer:
        """Return a server's serial line."""
        if self.lines is None:
            raise Unavailable("Serial lines are not offered")
        return await self.lines.serial(cluster, server)

    async def _connected(self, place: Place) -> Peer:
        try:
            return await node.connect(
                self.reactor, place.host, place.port, self.settings
            )
        except Unreachable as failure:
            # Where nodes are is no business of users.
            _log.error("no screen: {reason}", reason=str(failure))
            raise Unavailable("The server's screen is out of reach") from None

    async def _cluster(self, cluster: int) -> Cluster:
        found = await self.database.run(clusters.get, cluster)
        if found.offline:
            raise Unavailable("The server's cluster is switched off")
        return found

    async def _display(self, cluster: Cluster, name: str) -> Display | None:
        try:
            return await self.connections.of(cluster).display(name)
        except RapiError:
            # Its words are for operators, who find them where orders are tried.
            raise Unavailable("The server's cluster does not answer") from None
