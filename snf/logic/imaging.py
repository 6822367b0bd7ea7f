"""Having the node of an instance make an image of its disk.

Ganeti has no call for that, where the guest goes on running.  So the order and a
signature become tags of the instance, and a change of nothing has its node's hook read
them: the hook has a process begin, which outlives the job and is heard of by the API.
The tags are removed again by a job that waits for that one.
"""

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from snf.core.naming import image_tags, of_images
from snf.core.order import Order
from snf.core.signing import LONGEST_S, SNAPSHOT_PATH
from snf.logic.guests import Nodes
from snf.rapi.client import Rapi
from snf.rapi.errors import Refused
from snf.rapi.orders import after, image

# Of as long as a signature may be good: clocks differ.
_LIFETIME_S = LONGEST_S - 3600


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
