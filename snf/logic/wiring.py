"""Networks on clusters: made when the first NIC needs them, removed with the network.

Everything here may be done twice, and by two at once: that the cluster may have a
network is written down before it is asked, and what it has already it leaves as it is.
"""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from snf.core.errors import Unavailable
from snf.core.naming import network_name
from snf.core.report import JobStatus
from snf.rapi import networks
from snf.rapi.client import Rapi
from snf.rapi.errors import RapiError, Refused, Trouble
from snf.rapi.orders import Request
from snf.storage import cluster_networks
from snf.storage.cluster_networks import Connected
from snf.storage.database import Database

_log = Logger()

# How often a job is looked at, and how long: these jobs take no time by themselves, but
# may stand behind others in the queue.
_LOOK_S = 0.25
_LONGEST_S = 120.0

# How often it is looked at whether a network is on a cluster what it is to be.
_ROUNDS = 6

# Node groups change seldom, and a network that a new one lacks is connected later.
_GROUPS_S = 60.0


@define(eq=False)
class Wirer:
    """Makes and removes networks on clusters."""

    clock: IReactorTime
    database: Database
    _locks: dict[tuple[int, UUID], DeferredLock] = field(init=False, factory=dict)
    _groups: dict[int, tuple[float, frozenset[str]]] = field(init=False, factory=dict)
    _pauses: set[Deferred] = field(init=False, factory=set)
    _stopped: bool = field(init=False, default=False)

    def stop(self) -> None:
        """Wait for no job any more: who does gives up, and what is begun is found again."""
        self._stopped = True
        for pause in [*self._pauses]:
            pause.cancel()

    async def ensure(
        self, rapi: Rapi, cluster: int, wanted: Mapping[UUID, Connected | None]
    ) -> None:
        """
        Return when a cluster has networks, connected to all of its node groups.

        :param wanted: With what was known of each a moment ago.
        :raises Refused: Ganeti says what is wrong with one.
        :raises Trouble: It failed over one.
        :raises Unreachable: It does not answer.
        """
        for network, known in sorted(wanted.items()):
            if known is None or not await self._has(rapi, cluster, known):
                await self._alone(self._ensure, rapi, cluster, network)

    async def _has(self, rapi: Rapi, cluster: int, known: Connected) -> bool:
        """Return whether there is nothing to do."""
        if not known.made or known.outdated:
            return False
        return await self._groups_of(rapi, cluster) <= known.groups

    async def tell(self, rapi: Rapi, cluster: int, network: UUID) -> None:
        """
        Return when a cluster knows what has become of a network, if it has that.

        :raises Refused, Trouble: It does not take some of it.
        :raises Unreachable: It does not answer.
        """
        await self._alone(self._tell, rapi, cluster, network)

    async def _alone(
        self,
        work: Callable[[Rapi, int, UUID], Awaitable[None]],
        rapi: Rapi,
        cluster: int,
        network: UUID,
    ) -> None:
        lock = self._locks.setdefault((cluster, network), DeferredLock())
        await lock.acquire()
        try:
            await work(rapi, cluster, network)
        finally:
            lock.release()
            if not lock.locked:
                self._locks.pop((cluster, network), None)

    async def _ensure(self, rapi: Rapi, cluster: int, network: UUID) -> None:
        found = await self._needed(cluster, network)
        if found.made and found.outdated:
            await self._tell_if_possible(rapi, cluster, network)
            found = await self._needed(cluster, network)
        groups = await self._groups_of(rapi, cluster)
        if not found.made:
            await self._do(rapi, networks.add(found.wiring), done="already_exists")
        missing = sorted(groups if not found.made else groups - found.groups)
        for group in missing:
            await self._do(rapi, networks.connect(found.wiring, group))
        if missing or not found.made:
            await self.database.run(
                cluster_networks.made,
                cluster,
                network,
                found.groups | groups,
                found.changed,
            )
            _log.info(
                "network {network} is on cluster {cluster}, connected to {groups}",
                network=network,
                cluster=cluster,
                groups=", ".join(missing),
            )

    async def _needed(self, cluster: int, network: UUID) -> Connected:
        known = await self.database.run(cluster_networks.needed, cluster, [network])
        if network not in known:
            raise Refused(f"there is no network {network} any more", 404)
        return known[network]

    async def _tell_if_possible(self, rapi: Rapi, cluster: int, network: UUID) -> None:
        # NICs can be on it as it was before: what is wrong here is none of theirs.
        try:
            await self._tell(rapi, cluster, network)
        except (Refused, Trouble) as failure:
            name = network_name(network)
            _log.warn("{name} is not changed: {why}", name=name, why=str(failure))

    async def _tell(self, rapi: Rapi, cluster: int, network: UUID) -> None:
        # Another process may do the same from an older state: what is there in the end
        # is looked at, not taken for what was asked.
        for _ in range(_ROUNDS):
            known = await self.database.run(cluster_networks.known, cluster, network)
            if known is None or not (known.made and known.outdated):
                return
            found = await rapi.network(known.wiring.name)
            if found is None:
                await self.database.run(cluster_networks.missing, cluster, network)
                return
            asked = [*networks.changes(known.wiring, found)]
            for request in asked:
                # What another process has taken away meanwhile is not there.
                await self._do(rapi, request, done="unknown_entity")
            if not asked:
                await self.database.run(
                    cluster_networks.told, cluster, network, known.changed
                )
                _log.info("{name} is up to date", name=known.wiring.name)
        raise Trouble(f"network {network} changes all the time")

    async def clear(self, rapi: Rapi, cluster: int) -> None:
        """
        Remove the networks from a cluster that are no more, and free what they held.

        What cannot be removed now is left for the next time.

        :raises Unreachable: The cluster does not answer.
        """
        for network in await self.database.run(cluster_networks.condemned, cluster):
            name = network_name(network)
            try:
                for group in sorted(await rapi.groups()):
                    request = networks.disconnect(name, group)
                    await self._do(rapi, request, done="unknown_entity")
                await self._do(rapi, networks.remove(name), done="unknown_entity")
            except (Refused, Trouble) as failure:
                _log.warn("{name} is not removed: {why}", name=name, why=str(failure))
                continue
            await self.database.run(cluster_networks.removed, cluster, network)
            _log.info("network {name} is removed", name=name)

    async def _groups_of(self, rapi: Rapi, cluster: int) -> frozenset[str]:
        since, known = self._groups.get(cluster, (0.0, frozenset()))
        now = self.clock.seconds()
        if not known or now - since > _GROUPS_S:
            known = frozenset(await rapi.groups())
            self._groups[cluster] = now, known
        return known

    async def _do(self, rapi: Rapi, request: Request, done: str = "") -> None:
        """
        Have a job done, to its end.

        :param done: Ganeti's word for that it was done before.
        """
        number = await rapi.submit(request)
        waited = 0.0
        while waited < _LONGEST_S:
            found = await rapi.jobs([number])
            if found and found[0].status.final:
                [op] = found[0].ops
                if op.status is JobStatus.SUCCESS or (done and op.error_code == done):
                    return
                raise _failure(f"{request.method} {request.path}: {op.error}", op)
            await self._pause()
            waited += _LOOK_S
        raise Trouble(f"job {number} has not ended within {_LONGEST_S:g} s")

    async def _pause(self) -> None:
        if self._stopped:
            raise Unavailable("stopping while a network is being made")
        pause: Deferred[None] = deferLater(self.clock, _LOOK_S)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            raise Unavailable("stopping while a network is being made") from None
        finally:
            self._pauses.discard(pause)


def _failure(text: str, op: object) -> RapiError:
    # Nothing else than another network would do.
    if getattr(op, "error_code", None) == "wrong_input":
        return Refused(text, 400)
    return Trouble(text)
