"""Taking orders from the outbox, together with all else that it takes to submit them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from attrs import evolve, field, frozen

from snf.core.order import Kind, Order
from snf.storage import cluster_networks, firewalls, orders
from snf.storage.cluster_networks import Connected
from snf.storage.database import Transaction
from snf.storage.orders import Claim


@frozen
class Taken:
    """
    An order that has been taken.

    :ivar networks: Those that the NICs are on that it makes, as its cluster is to have
        them; None for those that are no more.
    :ivar tags: Those for its node that the instance is to have that it makes.
    """

    claim: Claim
    networks: Mapping[UUID, Connected | None] = field(factory=dict)
    tags: frozenset[str] = frozenset()

    @property
    def tagged(self) -> Order:
        """The order, with the tags in what is to be built."""
        order = self.claim.order
        if order.build is None:
            return order
        tags = (*order.build.tags, *sorted(self.tags))
        return evolve(order, build=evolve(order.build, tags=tags))


def take(
    txn: Transaction,
    claimant: int,
    cluster: int,
    limit: int,
    settle_s: float,
    at_work_on: Collection[UUID],
) -> list[Taken]:
    """Take orders of a cluster, see :func:`snf.storage.orders.claim`."""
    claims = orders.claim(txn, claimant, cluster, limit, settle_s, at_work_on)
    if not claims:
        return []
    needed = {claim.order.id: _networks(claim.order) for claim in claims}
    every = sorted(set().union(*needed.values()))
    known = cluster_networks.needed(txn, cluster, every) if every else {}
    # From now on whatever changes them is an order of its own.
    built = [one.order.server for one in claims if one.order.build is not None]
    tags = firewalls.tags(txn, built) if built else {}
    return [
        Taken(
            claim,
            {one: known.get(one) for one in needed[claim.order.id]},
            tags.get(claim.order.server, frozenset()),
        )
        for claim in claims
    ]


def _networks(order: Order) -> set[UUID]:
    """Return the networks that the NICs are on that an order makes."""
    nics = order.build.nics if order.build is not None else ()
    if order.nic is not None and order.kind is Kind.ATTACH:
        nics = (order.nic,)
    return {nic.network for nic in nics if nic.network is not None}
