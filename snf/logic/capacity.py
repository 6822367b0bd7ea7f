"""What clusters have room for, measured now and then."""

from twisted.internet.interfaces import IReactorTime

from snf.core.catalog import Cluster
from snf.rapi.client import Rapi
from snf.rapi.nodes import capacity
from snf.storage import capacities
from snf.storage.database import Database

# A cluster is measured at most so often; the servers put on it since are counted.
_EVERY_S = 240.0


async def measure(
    clock: IReactorTime, database: Database, rapi: Rapi, cluster: Cluster
) -> bool:
    """
    Measure a cluster if that was long ago; return whether it has been.

    :raises RapiError: It cannot be asked.
    """
    if not await database.run(capacities.outdated, cluster.id, _EVERY_S):
        return False
    began = clock.seconds()
    nodes = await rapi.nodes()
    took = clock.seconds() - began
    await database.run(capacities.save, cluster.id, capacity(nodes), took)
    return True
