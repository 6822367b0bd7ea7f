"""Clusters that have a network are told what becomes of it: gateways, DNS servers, MTU.

That a cluster is to be told is written down with the change itself; whoever is woken by
that, or looks from time to time, tells it.  To do so twice, or two at once, is no harm.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snf.core.catalog import Cluster
from snf.core.naming import network_name
from snf.logic.connections import Connections
from snf.logic.wiring import Wirer
from snf.rapi.errors import RapiError, Unreachable

_log = Logger()

# How long a cluster is left alone that has not taken something.
_PAUSE_S = 30.0


@define(eq=False)
class Teller:
    """Tells one cluster after another, one network at a time."""

    clock: IReactorTime
    connections: Connections
    wirer: Wirer
    _at_work: set[int] = field(init=False, factory=set)
    _not_before: dict[int, float] = field(init=False, factory=dict)

    def due(self, outdated: Mapping[int, Sequence[UUID]], cluster: Cluster) -> bool:
        """Return whether a cluster is to be told something now, and nobody does so."""
        return (
            cluster.id in outdated
            and cluster.id not in self._at_work
            and self.clock.seconds() >= self._not_before.get(cluster.id, 0.0)
        )

    async def tell(self, cluster: Cluster, changed: Sequence[UUID]) -> None:
        """Tell a cluster of networks; what it does not take is left for another time."""
        self._at_work.add(cluster.id)
        try:
            rapi = self.connections.of(cluster)
            for network in changed:
                try:
                    await self.wirer.tell(rapi, cluster.id, network)
                except RapiError as failure:
                    self._not_before[cluster.id] = self.clock.seconds() + _PAUSE_S
                    _log.warn(
                        "{name} is not changed on {cluster}: {why}",
                        name=network_name(network),
                        cluster=cluster.name,
                        why=str(failure),
                    )
                    if isinstance(failure, Unreachable):
                        return
        finally:
            self._at_work.discard(cluster.id)
