"""The submitter: carries orders from the outbox to Ganeti, each exactly once.

An order is marked as being submitted, in a transaction of its own, before Ganeti is
asked, and every request carries the order's id as its reason.  Whoever finds an order
marked so by somebody who has died, or who could not store what came of it, looks for
the reason among Ganeti's jobs before asking again.
"""

import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from snf.config import Ganeti
from snf.config import Submitter as Settings
from snf.core import news
from snf.core.catalog import Cluster
from snf.core.errors import Unavailable
from snf.core.naming import instance_name
from snf.core.order import Kind, Order
from snf.core.report import JobReport
from snf.logic import tagging
from snf.logic.connections import Connections
from snf.logic.dispatcher import fold
from snf.logic.guests import GuestTeller, Nodes
from snf.logic.lane import MOMENT_S, Lane
from snf.logic.taking import Taken, take
from snf.logic.telling import Teller
from snf.logic.together import Together
from snf.logic.wiring import Wirer
from snf.rapi.client import Rapi
from snf.rapi.errors import RapiError, Refused, Trouble, Unreachable, WrongCredentials
from snf.rapi.jobs import Job, reports
from snf.rapi.orders import exclude, hotplug_word, request
from snf.storage import cluster_networks, clusters, lives, orders
from snf.storage.database import Database, Transaction
from snf.storage.orders import Claim

_log = Logger()

_LONGEST_PAUSE_S = 60.0


@define(eq=False)
class Submitter(Service):
    """
    Takes orders when woken, and every ``poll_s`` seconds in any case.

    :param claimant: The advisory lock that shows that this process is alive.
    :param alive: Whether that lock is held: nothing is claimed or submitted without it.
    :param nodes: How nodes get what they need for a disk.
    """

    clock: IReactorTime
    database: Database
    connections: Connections
    settings: Settings
    ganeti: Ganeti
    claimant: int
    alive: Callable[[], bool]
    nodes: Nodes = field(default=Nodes(""))
    _lanes: dict[int, Lane] = field(init=False, factory=dict)
    _loop: LoopingCall = field(init=False)
    _wirer: Wirer = field(init=False)
    _teller: Teller = field(init=False)
    _guests: GuestTeller = field(init=False)
    _looking: bool = field(init=False, default=False)
    _look_again: bool = field(init=False, default=False)
    _moment: IDelayedCall | None = field(init=False, default=None)
    _under_way: "set[Deferred[None]]" = field(init=False, factory=set)
    _stored: "Together[tuple[Claim, int]]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self.wake)
        self._loop.clock = self.clock
        self._wirer = Wirer(self.clock, self.database)
        self._teller = Teller(self.clock, self.connections, self._wirer)
        self._guests = GuestTeller(self.clock, self.database, self.nodes)
        self._stored = Together(self._store_all)

    def startService(self) -> None:
        super().startService()
        self._loop.start(self.settings.poll_s, now=False)

    def stopService(self) -> "Deferred[None]":
        """Take no more orders, and fire when those under way have been carried out."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        if self._moment is not None:
            self._moment.cancel()
            self._looked()
        for lane in self._lanes.values():
            if lane.moment is not None:
                lane.moment.cancel()
                lane.moment = None
        self._wirer.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        while self._under_way:  # what has just been claimed is carried out as well
            await DeferredList([*self._under_way])

    def wake(self) -> None:
        """Look for orders now."""
        if not self.running or not self.alive():
            return
        if self._looking:
            self._look_again = True
        else:
            self._start(self._look())

    async def _look(self) -> None:
        self._looking, self._look_again = True, False
        try:
            known, outdated = await self.database.run(_to_do)
            for cluster in known:
                self._look_on(cluster)
                if self.running and self._teller.due(outdated, cluster):
                    self._start(self._teller.tell(cluster, outdated[cluster.id]))
        finally:
            if self.running:
                self._moment = self.clock.callLater(MOMENT_S, self._looked)
            else:
                self._looking = False

    def _looked(self) -> None:
        self._moment, self._looking = None, False
        if self._look_again:
            self.wake()

    def _look_soon(self, cluster: Cluster, lane: Lane) -> None:
        """Look for more orders of a cluster when several may be taken at once."""
        if self.running and lane.moment is None:
            pause = lane.pause(self.clock.seconds())
            lane.moment = self.clock.callLater(pause, self._moment_over, cluster, lane)

    def _moment_over(self, cluster: Cluster, lane: Lane) -> None:
        lane.moment = None
        self._look_on(cluster)

    def _look_on(self, cluster: Cluster) -> None:
        lane = self._lanes.setdefault(cluster.id, Lane())
        now = self.clock.seconds()
        if lane.claiming:
            lane.again = True
        elif now < lane.rests_until:
            self._look_soon(cluster, lane)
        elif self.running and now >= lane.not_before:
            self._start(self._claim(cluster, lane))

    async def _claim(self, cluster: Cluster, lane: Lane) -> None:
        free = self.settings.per_cluster - len(lane.at_work_on)
        if free <= 0:
            return  # whatever ends first looks again
        lane.claiming, lane.again = True, False
        begun = self.clock.seconds()
        try:
            found = await self.database.run(
                take,
                self.claimant,
                cluster.id,
                free,
                self.settings.settle_s,
                frozenset(lane.at_work_on),
            )
        finally:
            lane.claiming = False
        now = self.clock.seconds()
        lane.claimed(len(found), now - begun, now)
        for taken in found:
            lane.at_work_on.add(taken.claim.order.id)
            self._start(self._carry(cluster, lane, taken))
        if lane.again or len(found) == free:
            self._look_on(cluster)

    async def _carry(self, cluster: Cluster, lane: Lane, taken: Taken) -> None:
        try:
            await self._carry_out(cluster, lane, taken)
        finally:
            lane.at_work_on.discard(taken.claim.order.id)
            self._look_soon(cluster, lane)

    async def _carry_out(self, cluster: Cluster, lane: Lane, taken: Taken) -> None:
        claim = taken.claim
        try:
            job, news_of_it = await self._submit(self.connections.of(cluster), taken)
        except Refused as failure:
            await self._refuse(claim, str(failure))
        except tagging.Early as failure:
            await self._put_off(claim, _pause(1), failure, counts=False)
        except Trouble as failure:
            await self._trouble(claim, failure)
        except Unreachable as failure:
            await self._unreachable(cluster, lane, claim, failure)
        except Unavailable:
            raise
        except Exception as failure:
            # A mistake of ours: the order must not stay as it is for ever.
            _log.failure("order {order} failed", order=claim.order.id)
            await self._trouble(claim, Trouble(f"{type(failure).__name__} here"))
        else:
            lane.failures = 0
            await self._store(claim, job, news_of_it)
            _log.info(
                "order {order} ({kind} {server}) is job {job} of {cluster}",
                order=claim.order.id,
                kind=claim.order.kind.value,
                server=claim.order.server,
                job=job,
                cluster=cluster.name,
            )

    async def _submit(
        self, rapi: Rapi, taken: Taken
    ) -> tuple[int, tuple[JobReport, ...]]:
        """
        Return the job of an order, which is submitted if it has none yet.

        With one that is found goes what has become of it: it may have ended long ago.
        """
        claim, order = taken.claim, taken.claim.order
        prefix = self.ganeti.instance_prefix
        if claim.again:
            jobs = await rapi.jobs_after(claim.floor, archived=True)
            found = _of(claim, jobs)
            if found is not None:
                return found.id, reports(found, prefix)
            tagging.check_ended(order, jobs)
        needed = await self._excluding(rapi, order)
        await self._wirer.ensure(rapi, claim.cluster, taken.networks)
        hotplug = await _hotplug(rapi, order)
        told = await self._guests.parameters(order)
        after = await self._after(rapi, claim) if needed is None else needed
        if not self.alive():
            # Somebody else may have taken it for a dead one's by now.
            raise Unavailable(f"order {order.id} is left to whoever finds it")
        name = instance_name(prefix, order.server)
        if order.kind is Kind.FIREWALL:
            return await tagging.retag(rapi, self.database, order, name), ()
        timeout_s = self.ganeti.shutdown_timeout_s
        asked = request(
            taken.tagged,
            name,
            timeout_s,
            after,
            needs_success=needed is not None,
            hotplug=hotplug,
            parameters=told,
        )
        return await rapi.submit(asked), ()

    async def _after(self, rapi: Rapi, claim: Claim) -> int | None:
        """Return the job whose end an order's has to wait for; None if there is none."""
        after = claim.after
        if claim.order.kind is not Kind.DELETE or after is None:
            return after
        # What has not begun need not be done; the deletion comes after it in either
        # case, so how this goes does not matter.
        await _quietly(rapi.cancel(after))
        # A job that waits for one that Ganeti has forgotten would fail.
        return after if await rapi.jobs([after]) else None

    async def _excluding(self, rapi: Rapi, order: Order) -> int | None:
        """
        Return the job without which a cluster would not heed the tags of a build.

        None where it does already, or there are none.  To ask twice does no harm.
        """
        if order.build is None or not order.build.tags or await rapi.excludes():
            return None
        return await rapi.submit(exclude(f"tags of server {order.server}"))

    async def _store(
        self, claim: Claim, job: int, news_of_it: tuple[JobReport, ...]
    ) -> None:
        if news_of_it:
            await self.database.run(_found, claim, self.claimant, job, news_of_it)
        else:
            await self._stored.do((claim, job))

    async def _store_all(self, submitted: Sequence[tuple[Claim, int]]) -> None:
        await self.database.run(_submitted, submitted, self.claimant)

    async def _refuse(self, claim: Claim, message: str) -> None:
        _log.error(
            "order {order} ({kind} {server}) is refused: {message}",
            order=claim.order.id,
            kind=claim.order.kind.value,
            server=claim.order.server,
            message=message,
        )
        await self.database.run(
            _refused, claim, self.claimant, message, self.clock.seconds()
        )

    async def _trouble(self, claim: Claim, failure: RapiError) -> None:
        attempts = claim.order.attempts
        if attempts >= self.settings.attempts:
            await self._refuse(claim, f"Ganeti failed {attempts} times: {failure}")
            return
        await self._put_off(claim, _pause(attempts), failure, counts=True)

    async def _unreachable(
        self, cluster: Cluster, lane: Lane, claim: Claim, failure: Unreachable
    ) -> None:
        """Leave the cluster alone for a while; its orders wait, however long."""
        if isinstance(failure, WrongCredentials):
            self.connections.forget(cluster)
        if self.clock.seconds() >= lane.not_before:
            lane.failures += 1
            lane.not_before = self.clock.seconds() + _pause(lane.failures)
        await self._put_off(
            claim, lane.not_before - self.clock.seconds(), failure, counts=False
        )
        await self.database.run(clusters.set_reachable, cluster.id, False)

    async def _put_off(
        self, claim: Claim, seconds: float, failure: RapiError, counts: bool
    ) -> None:
        _log.warn(
            "order {order} ({kind} {server}) waits {seconds} s: {failure}",
            order=claim.order.id,
            kind=claim.order.kind.value,
            server=claim.order.server,
            seconds=round(seconds, 1),
            failure=str(failure),
        )
        await self.database.run(
            orders.put_off, claim, self.claimant, seconds, str(failure), counts
        )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it go on by itself; ``stopService`` waits for it."""
        started = Deferred.fromCoroutine(work)
        started.addErrback(_log_failure)
        self._under_way.add(started)
        started.addBoth(lambda _: self._under_way.discard(started))


def _to_do(txn: Transaction) -> tuple[list[Cluster], dict[int, list[UUID]]]:
    """Return the clusters to look at, and the networks they are to be told of."""
    known = [one for one in clusters.listing(txn) if not one.offline]
    return known, cluster_networks.outdated(txn)


def _log_failure(failure: Failure) -> None:
    if failure.check(Unavailable):
        # It is tried again at the next poll, whatever it was.
        _log.warn("submitter: {reason}", reason=failure.getErrorMessage())
    else:
        _log.failure("submitter failed", failure)


def _of(claim: Claim, jobs: tuple[Job, ...]) -> Job | None:
    """
    Return the job that carries out an order, if one of these does.

    When it had been submitted twice, the job that was refused because the other had
    made the instance already is not the one.

    :raises Refused: There is no other: the instance is not of this order's making.
    """
    carrying = [
        job for job in jobs if job.order == claim.order.id and not tagging.prepares(job)
    ]
    first = [
        job
        for job in carrying
        if not any(op.error_code == "already_exists" for op in job.ops)
    ]
    if carrying and not first:
        raise Refused("Ganeti has an instance of that name already", 409)
    return min(first, key=lambda job: job.id, default=None)


async def _hotplug(rapi: Rapi, order: Order) -> str:
    if order.nic is None:
        return ""
    return hotplug_word((await rapi.info()).version)


def _submitted(
    txn: Transaction, submitted: Sequence[tuple[Claim, int]], claimant: int
) -> None:
    orders.submitted(txn, {claim.order.id: job for claim, job in submitted}, claimant)
    last: dict[int, int] = {}
    for claim, job in submitted:
        last[claim.cluster] = max(job, last.get(claim.cluster, 0))
    for cluster, job in sorted(last.items()):
        clusters.saw_job(txn, cluster, job)
        clusters.set_reachable(txn, cluster, True)


def _found(
    txn: Transaction,
    claim: Claim,
    claimant: int,
    job: int,
    news_of_it: tuple[JobReport, ...],
) -> None:
    lives.load(txn, [claim.order.server])  # locks it before the order
    _submitted(txn, [(claim, job)], claimant)
    fold(txn, news_of_it)


def _refused(
    txn: Transaction, claim: Claim, claimant: int, message: str, now: float
) -> None:
    before = lives.load(txn, [claim.order.server])
    after = {
        server: news.refuse(life, order, message, now)
        for server, life in before.items()
        for order in life.orders
        # Unless news of its job has come after all, or somebody else is at work on it.
        if order.id == claim.order.id and orders.held(txn, order.id, claimant)
    }
    lives.save(txn, before, after)


def _pause(attempts: int) -> float:
    return min(_LONGEST_PAUSE_S, 2.0 ** min(attempts, 10)) * random.uniform(0.5, 1.0)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except RapiError as failure:
        _log.debug("not canceled: {failure}", failure=str(failure))
