"""Which node a server is on just now: Ganeti says, each time it is asked."""

from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf.core.catalog import Cluster
from snf.core.errors import Conflict, Unavailable
from snf.core.naming import instance_name
from snf.rapi.client import Rapi
from snf.rapi.errors import RapiError
from snf.rapi.nodes import Home
from snf.storage import clusters
from snf.storage.database import Database

_log = Logger()

# What nobody changes in an hour may take longer; somebody waits here.
_PATIENCE_S = 10.0


class Rapis(Protocol):
    """The clients of clusters."""

    def of(self, cluster: Cluster) -> Rapi:
        """
        Return the client of a cluster.

        :raises WrongCredentials: Its row or its credentials' file is not right.
        """


@frozen
class Place:
    """
    Where a server is.

    :ivar instance: Its name there.
    """

    instance: str
    home: Home


@frozen
class Whereabouts:
    """
    Finds servers.

    :ivar prefix: Of the names of our instances.
    """

    clock: IReactorTime
    database: Database
    rapis: Rapis
    prefix: str

    async def of(self, cluster: int, server: int) -> Place:
        """
        Return where a server is.

        :param cluster: Where it was put.
        :raises Conflict: It is nowhere: Ganeti has no such instance (yet).
        :raises Unavailable: Ganeti does not tell.
        """
        known = await self.database.run(clusters.get, cluster)
        if known.offline:
            raise Unavailable("The cluster of this server is not asked now")
        name = instance_name(self.prefix, server)
        try:
            home = await Deferred.fromCoroutine(
                self.rapis.of(known).home(name)
            ).addTimeout(_PATIENCE_S, self.clock, _expired)
        except (RapiError, _Expired) as failure:
            _log.warn(
                "where {name} is cannot be told: {reason}",
                name=name,
                reason=str(failure),
            )
            raise Unavailable(
                "Ganeti does not tell just now where this server is; try again later",
                10,
            ) from None
        if home is None:
            raise Conflict("The server is not on any node (yet)")
        return Place(name, home)


class _Expired(Exception):
    """Ganeti has not answered in time."""


def _expired(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        raise _Expired(f"no answer within {seconds:g} s")
    return result
