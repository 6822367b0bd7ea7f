"""The reconciler: levels the database with what each cluster says is there.

Whatever news was lost, one round ends in the truth.  It asks a cluster three things,
however many servers are on it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from snf.core import news
from snf.core.catalog import Cluster
from snf.core.errors import Unavailable
from snf.core.naming import server_id
from snf.core.report import JobReport, Sighting
from snf.core.server import Life
from snf.logic.capacity import measure
from snf.logic.connections import Connections
from snf.rapi.errors import RapiError, Unreachable, WrongCredentials
from snf.rapi.instances import Instance, Listing
from snf.rapi.jobs import reports
from snf.storage import clusters, lives, orders, ports, tokens
from snf.storage.database import Database, Transaction

_log = Logger()

# Servers that are levelled in one transaction.
_SLICE = 200

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
    _loop: LoopingCall = field(init=False)
    _looping: "Deferred[LoopingCall] | None" = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        self._loop.clock = self.clock

    def startService(self) -> None:
        super().startService()
        self._looping = self._loop.start(self.interval_s)

    def stopService(self) -> "Deferred[LoopingCall] | None":
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._looping

    async def _round(self) -> None:
        try:
            await self.database.run(self._forget_tokens)
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
            await measure(
                self.clock, self.database, self.connections.of(cluster), cluster
            )
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
        servers, awaited = await self.database.run(_known, cluster)
        listing = await rapi.instances()
        sightings = _sightings(listing, self.prefix, servers)
        # Asked after the listing, so that no job can end unseen between the two.
        jobs = await rapi.jobs(sorted(awaited))
        ended = [report for job in jobs for report in reports(job, self.prefix)]
        lost = set(awaited) - {job.id for job in jobs}
        built = [server for server, built in servers.items() if built]
        missing = [server for server in built if not sightings[server].present]
        if trust_missing or not _too_many(missing, built):
            missing = []
        for server in missing:
            del sightings[server]
        changed = 0
        ids = list(servers)
        for start in range(0, len(ids), _SLICE):
            chosen = ids[start : start + _SLICE]
            changed += await self.database.run(
                _level_servers, chosen, sightings, ended, lost
            )
        last = await rapi.last_job(cluster.last_job)
        await self.database.run(_reached, cluster, last)
        return Summary(
            cluster=cluster.name,
            servers=len(servers),
            changed=changed,
            orphans=await self._orphans(listing, servers),
            missing=len(missing),
        )

    async def _orphans(
        self, listing: Listing, servers: Collection[int]
    ) -> tuple[str, ...]:
        """Return the instances of ours that stand for no server, those just made apart."""
        suspects = {
            number: instance.name
            for instance in listing.instances
            if (number := server_id(self.prefix, instance.name)) is not None
            and number not in servers
        }
        if not suspects:
            return ()
        alive = await self.database.run(lives.alive, list(suspects))
        return tuple(
            sorted(name for number, name in suspects.items() if number not in alive)
        )

    def _forget_tokens(self, txn: Transaction) -> None:
        tokens.remove_expired(txn, datetime.fromtimestamp(self.clock.seconds(), UTC))


def _known(
    txn: Transaction, cluster: Cluster
) -> tuple[dict[int, bool], dict[int, int]]:
    return lives.on_cluster(txn, cluster.id), orders.awaiting(txn, cluster.id)


def _sightings(
    listing: Listing, prefix: str, servers: Collection[int]
) -> dict[int, Sighting]:
    """Return what a listing says of each server."""
    seen: dict[int, Instance] = {}
    for instance in listing.instances:
        number = server_id(prefix, instance.name)
        if number is not None:
            seen[number] = instance
    sightings = {}
    for server in servers:
        found = seen.get(server)
        sightings[server] = Sighting(
            server=server,
            time=listing.time,
            present=found is not None,
            running=None if found is None else found.running,
            nics=() if found is None else found.nics,
        )
    return sightings


def _too_many(missing: Sequence[int], built: Sequence[int]) -> bool:
    return len(missing) > _MISSING_AT_MOST and 2 * len(missing) > len(built)


def _level_servers(
    txn: Transaction,
    servers: Sequence[int],
    sightings: Mapping[int, Sighting],
    ended: Sequence[JobReport],
    lost: set[int],
) -> int:
    before = lives.load(txn, servers)
    after = dict(before)
    for report in ended:
        if report.server in after:
            after[report.server] = news.fold(after[report.server], report)
    for server, life in after.items():
        life = _without_lost(life, lost)
        sighting = sightings.get(server)
        if sighting is not None:
            life = news.level(life, sighting)
            if sighting.nics:
                ports.seen(txn, server, sighting.nics)
        after[server] = life
    return len(lives.save(txn, before, after))


def _without_lost(life: Life, lost: set[int]) -> Life:
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
