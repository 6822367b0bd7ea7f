"""The tags by which the nodes know what to let in to an instance, brought up to date.

That takes several jobs: some that change tags, and a last one that has the instance's
node look at them, and that is the order's own.  Each waits for those before it, but
tags are added and removed side by side where it makes no difference what comes first.
If not all have been submitted, whoever claims the order next begins anew, when those
that have been have ended, from what they have made of the tags.
"""

from collections.abc import Iterable

from snf.core import firewall, floating_ip
from snf.core.order import Order
from snf.rapi.client import Rapi
from snf.rapi.errors import RapiError, Refused
from snf.rapi.jobs import Job
from snf.rapi.orders import after
from snf.rapi.orders import firewall as requests
from snf.storage import firewalls
from snf.storage.database import Database


class Early(RapiError):
    """It is too early to carry out an order: what has been sent of it goes on."""


async def retag(rapi: Rapi, database: Database, order: Order, name: str) -> int:
    """
    Bring the tags of an instance that are for its node to what they are to be now.

    Returns the last of the jobs that do so.

    :raises Refused: There is no such instance.
    """
    instance = await rapi.tagged(name)
    if instance is None:
        raise Refused(f"Instance {name} not found", 404)
    os, known = instance
    every = await database.run(firewalls.tags, [order.server])
    wanted = every[order.server]
    found = firewall.ours(known) | floating_ip.ours(known)
    together = firewall.in_any_order(found, wanted)
    steps = requests(order, name, os, wanted - found, found - wanted, together)
    before: list[int] = []
    for step in steps:
        before = [
            await rapi.submit(after(asked, *before) if before else asked)
            for asked in step
        ] or before
    return before[-1]


def check_ended(order: Order, jobs: Iterable[Job]) -> None:
    """
    Return if an order may be begun anew.

    :raises Early: One of its jobs that change tags has not ended.
    """
    for job in jobs:
        if job.order == order.id and prepares(job) and not job.status.final:
            raise Early(f"job {job.id} of order {order.id} has not ended yet")


def prepares(job: Job) -> bool:
    """Return whether a job changes tags only, so that another one follows."""
    return all(op.opcode in ("OP_TAGS_SET", "OP_TAGS_DEL") for op in job.ops)
