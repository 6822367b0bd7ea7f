"""Having the node of an instance make an image of its disk.

Ganeti has no call for that, where the guest goes on running.  So the order and a
signature become tags of the instance, and a change of nothing has its node's hook read
them: the hook has a process begin, which outlives the job and is heard of by the API.
The tags are removed again by a job that waits for that one, or else at a levelling.
"""

from collections.abc import Mapping

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from snf.core.naming import image_tags, of_images
from snf.core.order import Order
from snf.core.signing import LONGEST_S, SNAPSHOT_PATH
from snf.logic.guests import Nodes
from snf.rapi.client import Rapi
from snf.rapi.errors import Refused
from snf.rapi.instances import Instance
from snf.rapi.orders import after, image, untag
from snf.storage import snapshots
from snf.storage.database import Database

# Of as long as a signature may be good: clocks differ.
_LIFETIME_S = LONGEST_S - 3600


async def clear(
    rapi: Rapi, database: Database, instances: Mapping[int, Instance]
) -> None:
    """
    Remove the tags of orders that have ended from where they have been left behind.

    :param instances: By the ids of the servers that they are.
    """
    marked = {
        server: (instance.name, tags)
        for server, instance in instances.items()
        if (tags := of_images(instance.tags))
    }
    if marked:
        busy = await database.run(snapshots.busy, list(marked))
        for server, (name, tags) in marked.items():
            if server not in busy:
                await rapi.submit(untag(name, tags))


@frozen
class Imager:
    """Carries out IMAGE orders.

    :ivar nodes: How nodes are told where the API is.
    """

    clock: IReactorTime
    nodes: Nodes

    async def begin(self, rapi: Rapi, order: Order, name: str) -> int:
        """
        Have an image begun; return the job after which it has been.

        :raises Refused: There is no such instance, or its node cannot be told.
        """
        instance = await rapi.tagged(name)
        if instance is None:
            raise Refused(f"Instance {name} not found", 404)
        os, known = instance
        tags = self._tags(order)
        first, begin, last = image(order, name, os, tags, of_images(known))
        tagging: list[int] = []
        for asked in first:
            # Tags of orders before may have gone meanwhile.
            asked = after(asked, *tagging, needs_success=False) if tagging else asked
            tagging = [await rapi.submit(asked)]
        job = await rapi.submit(after(begin, *tagging))
        await rapi.submit(after(last, job, needs_success=False))
        return job

    def _tags(self, order: Order) -> frozenset[str]:
        keys = self.nodes.keys
        if keys is None:
            raise Refused("[nodes] key_file: is not set, and an image needs it", 500)
        path = SNAPSHOT_PATH.format(order.id)
        expires = int(self.clock.seconds()) + _LIFETIME_S
        signature = keys.signer.signature("PUT", path, expires)
        try:
            return image_tags(order.id, expires, signature, self.nodes.url)
        except ValueError as problem:
            raise Refused(f"[nodes] url: {problem}", 500) from None
