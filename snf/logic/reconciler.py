"""The reconciler: levels the database with what each cluster says is there.

Whatever news was lost, one round ends in the truth.  It asks a cluster four things,
however many servers are on it.
"""

from collections.abc import Collection, Mapping, Sequence, Set

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from snf.core import news
from snf.core.catalog import Cluster
from snf.core.errors import Unavailable
from snf.core.naming import server_id
from snf.core.report import JobReport, Sighting
from snf.core.server import Life
from snf.logic import imaging
from snf.logic.capacity import measure
from snf.logic.connections import Connections
from snf.logic.rounds import Rounds
from snf.logic.wiring import Wirer
from snf.rapi.client import Rapi
from snf.rapi.errors import RapiError, Unreachable, WrongCredentials
from snf.rapi.instances import Instance, Listing
from snf.rapi.jobs import reports
from snf.storage import (
    clusters,
    firewalls,
    holders,
    lives,
    nics,
    orders,
    ports,
    suspensions,
)
from snf.storage.database import Database, Transaction

_log = Logger()

# Servers that are levelled in one transaction.
_SLICE = 200

# Instances whose names are looked at in one turn of the reactor: some 2 ms.
_A_TURN = 1000

# When more than this many instances, and more than half of a cluster's, are missing at
# once, something else is wrong than that somebody removed them.
_MISSING_AT_MOST = 10


@frozen
class Summary:
    """What a round found on one cluster.

    :ivar changed: Servers whose state was not what the cluster says.
    :ivar orphans: Instances of ours that no server stands for.
    :ivar missing: Servers without an instance that were left alone, since they are
        too many to be true.
    """

    cluster: str
    servers: int = 0
    changed: int = 0
    orphans: tuple[str, ...] = ()
    missing: int = 0


@frozen
class _Findings:
    """
    What a cluster has said of its servers.

    :ivar time: Nothing of it is older, in seconds since the epoch on its master.
    :ivar instances: By the ids of the servers that they are.
    :ivar ended: What has become of the jobs of open orders, by server.
    :ivar lost: The jobs of open orders that it no longer knows.
    :ivar spared: Servers that are not to be taken as gone, though they are not there.
    """

    time: float
    instances: Mapping[int, Instance]
    ended: Mapping[int, Sequence[JobReport]]
    lost: Set[int]
    spared: Set[int]

    def levelled(self, server: int, life: Life) -> Life:
        """Return the life of a server after all that."""
        for report in self.ended.get(server, ()):
            life = news.fold(life, report)
        life = _without_lost(life, self.lost)
        if server in self.spared:
            return life
        return news.level(life, self._sighting(server))

    def wiring(self, servers: Sequence[int]) -> nics.Seen:
        """Return what the listing has of the NICs of some servers."""
        known = {one: self.instances[one] for one in servers if one in self.instances}
        return nics.Seen(
            time=self.time,
            nics={server: one.nics for server, one in known.items()},
            stopped=frozenset(
                server for server, one in known.items() if one.running is False
            ),
        )

    def _sighting(self, server: int) -> Sighting:
        found = self.instances.get(server)
        return Sighting(
            server=server,
            time=self.time,
            present=found is not None,
            running=None if found is None else found.running,
        )


@define(eq=False)
class Reconciler(Service):
    """Levels all clusters at its start and then every ``interval_s`` seconds.

    They are levelled side by side: one that does not answer holds up no other.  A
    round that fails is logged and the next one still comes; rounds never overlap.
    """

    clock: IReactorTime
    database: Database
    connections: Connections
    prefix: str
    interval_s: float
    _rounds: Rounds = field(init=False)
    _wirer: Wirer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._wirer = Wirer(self.clock, self.database)
        self._rounds = Rounds(self.clock, self.interval_s, self._round)

    def startService(self) -> None:
        super().startService()
        self._rounds.start()

    def stopService(self) -> "Deferred[LoopingCall] | None":
        super().stopService()
        self._wirer.stop()
        return self._rounds.stop()

    async def _round(self) -> None:
        try:
            known = await self.database.run(clusters.listing)
            await DeferredList(
                [
                    Deferred.fromCoroutine(self._level(cluster))
                    for cluster in known
                    if not cluster.offline
                ]
            )
        except Unavailable as failure:
            _log.warn("nothing is levelled: {reason}", reason=str(failure))
        except Exception:
            _log.failure("reconciliation failed")

    async def _level(self, cluster: Cluster) -> None:
        try:
            _report(await self._tried(cluster))
            rapi = self.connections.of(cluster)
            await measure(self.clock, self.database, rapi, cluster)
            await self._wirer.clear(rapi, cluster.id)
        except RapiError as failure:
            _log.warn("not levelled: {reason}", reason=str(failure))
        except Unavailable as failure:
            _log.warn(
                "{cluster} is not levelled: {reason}",
                cluster=cluster.name,
                reason=str(failure),
            )
        except Exception:
            _log.failure("{cluster} could not be levelled", cluster=cluster.name)

    async def _tried(self, cluster: Cluster) -> "Summary":
        """Level a cluster; remember if it cannot be reached."""
        try:
            return await self.level(cluster)
        except Unreachable as failure:
            if isinstance(failure, WrongCredentials):
                self.connections.forget(cluster)
            await self.database.run(clusters.set_reachable, cluster.id, False)
            raise

    async def level(self, cluster: Cluster, trust_missing: bool = False) -> Summary:
        """
        Level the servers on one cluster and return what was found.

        :param trust_missing: Take servers without an instance as gone, however many.
        :raises RapiError: The cluster cannot be asked.
        """
        rapi = self.connections.of(cluster)
        another = await self._another(rapi, cluster)
        servers, awaited = await self.database.run(_known, cluster)
        listing = await rapi.instances()
        # Asked after the listing, so that no job can end unseen between the two.
        jobs = () if another else await rapi.jobs(sorted(awaited))
        ended: dict[int, list[JobReport]] = {}
        for job in jobs:
            for report in reports(job, self.prefix):
                ended.setdefault(report.server, []).append(report)
        present = await self._ours(listing)
        built = [server for server, built in servers.items() if built]
        missing = [server for server in built if server not in present]
        if trust_missing or not _too_many(missing, built):
            missing = []
        findings = _Findings(
            time=listing.time,
            instances=present,
            ended=ended,
            lost=set(awaited) - {job.id for job in jobs},
            spared=set(missing),
        )
        changed = 0
        ids = list(servers)
        for start in range(0, len(ids), _SLICE):
            chosen = ids[start : start + _SLICE]
            changed += await self.database.run(_level_servers, chosen, findings)
        await imaging.clear(rapi, self.database, present)
        last = await rapi.last_job(0 if another else cluster.last_job)
        await self.database.run(_reached, cluster, last)
        for server in await self.database.run(suspensions.enforce, cluster.id):
            _log.warn("suspended server {server} runs: stopping it", server=server)
        return Summary(
            cluster=cluster.name,
            servers=len(servers),
            changed=changed,
            orphans=await self._orphans(present, servers),
            missing=len(missing),
        )

    async def _another(self, rapi: Rapi, cluster: Cluster) -> bool:
        """Return whether a cluster has been made anew: its jobs are not those we know."""
        uuid = (await rapi.info()).uuid
        if uuid is None or not await self.database.run(
            clusters.recognize, cluster.id, uuid
        ):
            return False
        _log.error(
            "{cluster} is another one than before: what was under way on it is lost",
            cluster=cluster.name,
        )
        return True

    async def _ours(self, listing: Listing) -> dict[int, Instance]:
        """Return the instances of a listing that are ours, by their servers' ids."""
        ours: dict[int, Instance] = {}
        for start in range(0, len(listing.instances), _A_TURN):
            if start:
                await deferLater(self.clock, 0)
            for instance in listing.instances[start : start + _A_TURN]:
                number = server_id(self.prefix, instance.name)
                if number is not None:
                    ours[number] = instance
        return ours

    async def _orphans(
        self, present: Mapping[int, Instance], servers: Collection[int]
    ) -> tuple[str, ...]:
        """Return the instances of ours that stand for no server, those just made apart."""
        suspects = {
            number: instance.name
            for number, instance in present.items()
            if number not in servers
        }
        if not suspects:
            return ()
        alive = await self.database.run(lives.alive, list(suspects))
        return tuple(
            sorted(name for number, name in suspects.items() if number not in alive)
        )


def _known(
    txn: Transaction, cluster: Cluster
) -> tuple[dict[int, bool], dict[int, int]]:
    return lives.on_cluster(txn, cluster.id), orders.awaiting(txn, cluster.id)


def _too_many(missing: Sequence[int], built: Sequence[int]) -> bool:
    return len(missing) > _MISSING_AT_MOST and 2 * len(missing) > len(built)


def _level_servers(
    txn: Transaction, servers: Sequence[int], findings: _Findings
) -> int:
    # Most are as they should be, and those need not be locked.
    seen = lives.look(txn, servers)
    differing = {
        server
        for server, life in seen.items()
        if findings.levelled(server, life) != life
    }
    wiring = findings.wiring(servers)
    differing.update(one.server for one in nics.differences(txn, wiring, seen))
    before = lives.load(txn, differing)
    after = {server: findings.levelled(server, life) for server, life in before.items()}
    # Again, now that nothing else changes them.
    found = nics.differences(txn, wiring, before)
    changed = lives.save(txn, before, after, found)
    # Of those whose orders have only just ended, what can be told already.
    ports.seen(
        txn, {one: seen_of for one, seen_of in wiring.nics.items() if one in before}
    )
    # Whatever is under way with a server may be about this; afterwards it is looked at
    # again.
    resting = {
        server: findings.instances[server].tags
        for server, life in seen.items()
        if not life.orders and server in findings.instances
    }
    astray = holders.unsettled(txn, resting).union(firewalls.astray(txn, resting))
    holders.follow(txn, sorted(astray))
    return len({*changed, *(one.server for one in found)})


def _without_lost(life: Life, lost: Set[int]) -> Life:
    for order in life.orders:
        if order.state.open and order.job in lost:
            life = news.lose(life, order)
    return life


def _reached(txn: Transaction, cluster: Cluster, last_job: int) -> None:
    clusters.saw_job(txn, cluster.id, last_job)
    clusters.set_reachable(txn, cluster.id, True)


def _report(summary: Summary) -> None:
    if summary.changed:
        _log.info(
            "{cluster}: {changed} of {servers} servers levelled",
            cluster=summary.cluster,
            changed=summary.changed,
            servers=summary.servers,
        )
    if summary.orphans:
        _log.warn(
            "{cluster}: instances that stand for no server: {orphans}",
            cluster=summary.cluster,
            orphans=", ".join(summary.orphans[:20]),
        )
    if summary.missing:
        _log.error(
            "{cluster}: {missing} of {servers} servers have no instance there; if that "
            "is right, run snf-manage reconcile --trust-missing",
            cluster=summary.cluster,
            missing=summary.missing,
            servers=summary.servers,
        )
