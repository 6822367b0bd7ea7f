"""Whatever becomes of Ganeti's news on its way, one levelling ends in the truth."""

from uuid import UUID

from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.news import fold, level, lose
from snf.core.order import MOVES, Kind, Order, State
from snf.core.report import JobReport, JobStatus, Sighting
from snf.core.server import Life, Observed, Status, Task, with_order

SERVER = 7

_OPCODES = {
    Kind.CREATE: "OP_INSTANCE_CREATE",
    Kind.START: "OP_INSTANCE_STARTUP",
    Kind.STOP: "OP_INSTANCE_SHUTDOWN",
    Kind.REBOOT: "OP_INSTANCE_REBOOT",
    Kind.DELETE: "OP_INSTANCE_REMOVE",
    Kind.MIGRATE: "OP_INSTANCE_FAILOVER",
    Kind.MIGRATE_LIVE: "OP_INSTANCE_MIGRATE",
    Kind.EVACUATE: "OP_INSTANCE_FAILOVER",
    Kind.ATTACH: "OP_INSTANCE_SET_PARAMS",
    Kind.DETACH: "OP_INSTANCE_SET_PARAMS",
    Kind.FIREWALL: "OP_INSTANCE_SET_PARAMS",
}

# A guest that runs goes on, one that does not stays so.
_ASIDE = MOVES | {Kind.ATTACH, Kind.DETACH, Kind.FIREWALL}


def order(number: int, kind: Kind, **changes) -> Order:
    return Order(id=UUID(int=number), server=SERVER, kind=kind, **changes)


def report(kind: Kind, status: JobStatus, time: float, **changes) -> JobReport:
    values = {
        "server": SERVER,
        "job": int(time),
        "opcode": _OPCODES[kind],
        "status": status,
        "time": time,
        "ends_job": status.final,
    }
    return JobReport(**(values | changes))


@define
class Cluster:
    """A model of a cluster with one instance, and of all the news that it gives."""

    present: bool = False
    running: bool = False
    now: float = 0.0
    job: int = 0
    reports: list[JobReport] = field(factory=list)
    orders: list[Order] = field(factory=list)

    def do(self, kind: Kind, ordered: bool, works: bool, leaves: bool = False) -> None:
        """Run a job to its end; ``leaves``: a failed build leaves an instance."""
        self.job += 1
        known = None
        if ordered or kind is Kind.CREATE:
            known = order(self.job, kind, state=State.SUBMITTED, job=self.job)
            self.orders.append(known)
        works = works and self.present is not (kind is Kind.CREATE)
        for status in (JobStatus.QUEUED, JobStatus.WAITING, JobStatus.RUNNING):
            self._tell(kind, status, known)
        code = None
        if not works and not self.present and kind is not Kind.CREATE:
            code = "unknown_entity"
        self._tell(kind, JobStatus.SUCCESS if works else JobStatus.ERROR, known, code)
        if works:
            self.present = kind is not Kind.DELETE
            if kind not in _ASIDE:
                self.running = kind in (Kind.CREATE, Kind.START, Kind.REBOOT)
        elif kind is Kind.CREATE:
            self.present = leaves

    def _tell(
        self,
        kind: Kind,
        status: JobStatus,
        known: Order | None,
        code: str | None = None,
    ) -> None:
        self.now += 1
        self.reports.append(
            report(
                kind,
                status,
                self.now,
                job=self.job,
                order=known and known.id,
                error="boom" if status is JobStatus.ERROR else None,
                error_code=code,
            )
        )

    def asked(self) -> Life:
        """Return the life in which everything has been asked for and no news came."""
        life = Life()
        for known in self.orders:
            life = with_order(life, known)
        return life

    def levelled(self, life: Life) -> Life:
        """Return a life after one levelling."""
        final = {one.job: one for one in self.reports if one.status.final}
        for known in self.orders:
            assert known.job is not None
            life = fold(life, final[known.job])
        return level(life, Sighting(SERVER, self.now + 1, self.present, self.running))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    cluster = Cluster()
    cluster.do(Kind.CREATE, True, draw(st.booleans()), draw(st.booleans()))
    # Steps of resizes follow from each other: tests.core.test_steps has those.  A
    # rebuild is several ops of one job: tests.core.test_rebuild has it.  An image ends
    # after its job, by other news: tests.core.test_snapshot has it.
    steps = {Kind.CREATE, Kind.GROW, Kind.MODIFY, Kind.REBUILD, Kind.IMAGE}
    others = st.sampled_from(sorted(set(Kind) - steps, key=lambda k: k.value))
    for kind, ordered, works in draw(
        st.lists(st.tuples(others, st.booleans(), st.booleans()), max_size=6)
    ):
        cluster.do(kind, ordered, works)
    return cluster


def told(life: Life, reports) -> Life:
    for one in reports:
        life = fold(life, one)
    return life


class CalledOffTests(SynchronousTestCase):
    """A build that is canceled."""

    def canceled(self, *others: Order) -> Life:
        build = order(1, Kind.CREATE, state=State.SUBMITTED, job=1)
        life = Life(deletion_asked=bool(others), orders=(build, *others))
        return fold(life, report(Kind.CREATE, JobStatus.CANCELED, 1.0))

    def test_for_a_deletion(self):
        """For a deletion, it has not failed: clients that wait would think so."""
        life = self.canceled(order(2, Kind.DELETE, state=State.SUBMITTED, job=2))
        self.assertEqual((Status.BUILD, Task.DELETING), (life.status, life.task))
        gone = fold(
            life,
            report(
                Kind.DELETE, JobStatus.ERROR, 2.0, error_code="unknown_entity", job=2
            ),
        )
        self.assertIs(Status.DELETED, gone.status)

    def test_by_an_operator(self):
        """By somebody else, it has."""
        self.assertIs(Status.ERROR, self.canceled().status)


class AnyNewsTests(SynchronousTestCase):
    """All orders, losses and duplicates of reports."""

    @settings(max_examples=400, deadline=None)
    @given(clusters(), st.data())
    def test_one_levelling_ends_in_the_truth(self, cluster, data):
        """Lost, repeated and reordered reports make no difference in the end."""
        arrived = data.draw(st.lists(st.sampled_from(cluster.reports), max_size=40))
        messy = cluster.levelled(told(cluster.asked(), arrived))
        tidy = cluster.levelled(told(cluster.asked(), cluster.reports))
        # The clock only says how old the news is that the rest was made of.
        self.assertEqual(evolve(tidy, clock=(0, 0)), evolve(messy, clock=(0, 0)))
        self.assertIsNone(tidy.task)
        if cluster.present and cluster.running:
            self.assertEqual(Status.ACTIVE, tidy.status)

    @settings(max_examples=200, deadline=None)
    @given(clusters(), st.data())
    def test_order_and_repetition_make_no_difference(self, cluster, data):
        """When all reports come, in any order and however often, nothing is missing."""
        shuffled = data.draw(st.permutations(cluster.reports))
        again = data.draw(st.lists(st.sampled_from(cluster.reports), max_size=10))
        tidy = told(cluster.asked(), cluster.reports)
        self.assertEqual(tidy, told(cluster.asked(), [*shuffled, *again]))

    @given(clusters())
    def test_levelling_twice_is_levelling_once(self, cluster):
        """A second levelling finds nothing to do."""
        once = cluster.levelled(cluster.asked())
        self.assertEqual(once, cluster.levelled(once))


class FoldTests(SynchronousTestCase):
    """Single reports."""

    def test_built(self):
        """A build that worked makes the server ACTIVE, and ends its order."""
        life = with_order(Life(), order(1, Kind.CREATE))
        life = fold(
            life, report(Kind.CREATE, JobStatus.SUCCESS, 5.0, order=UUID(int=1))
        )
        self.assertEqual((Status.ACTIVE, None), (life.status, life.task))
        self.assertEqual((State.DONE, 5), (life.orders[0].state, life.orders[0].job))
        self.assertEqual((5.0, 100), (life.launched, life.progress))

    def test_under_way(self):
        """A report of a job that goes on tells the order which job is its own."""
        life = with_order(Life(), order(1, Kind.CREATE, state=State.SUBMITTING))
        life = fold(
            life, report(Kind.CREATE, JobStatus.RUNNING, 5.0, order=UUID(int=1))
        )
        self.assertEqual(State.SUBMITTED, life.orders[0].state)
        self.assertEqual((Status.BUILD, Task.SPAWNING), (life.status, life.task))

    def test_second_create(self):
        """A create that came twice does not spoil what the first one made."""
        life = with_order(Life(), order(1, Kind.CREATE, state=State.SUBMITTED, job=3))
        twice = report(
            Kind.CREATE,
            JobStatus.ERROR,
            6.0,
            order=UUID(int=1),
            error="exists",
            error_code="already_exists",
        )
        self.assertEqual(life, fold(life, twice))

    def test_multi_op_job(self):
        """An op that succeeded does not end the order while its job goes on."""
        life = with_order(Life(), order(1, Kind.STOP, state=State.SUBMITTED, job=9))
        life = fold(
            life, report(Kind.STOP, JobStatus.SUCCESS, 9.0, job=9, ends_job=False)
        )
        self.assertEqual(Observed.DOWN, life.observed)
        self.assertTrue(life.orders[0].state.open)

    def test_foreign_opcodes(self):
        """Jobs that do not change whether it runs change nothing."""
        life = Life(observed=Observed.UP, clock=(1.0, 1))
        other = evolve(
            report(Kind.STOP, JobStatus.SUCCESS, 9.0), opcode="OP_INSTANCE_SET_PARAMS"
        )
        self.assertEqual(life, fold(life, other))

    def test_failed_stop(self):
        """A stop that failed leaves the server as it was, and free for other tasks."""
        life = Life(observed=Observed.UP, clock=(1.0, 1))
        life = with_order(life, order(1, Kind.STOP, state=State.SUBMITTED, job=9))
        life = fold(life, report(Kind.STOP, JobStatus.ERROR, 9.0, job=9, error="no"))
        self.assertEqual((Status.ACTIVE, None), (life.status, life.task))
        self.assertEqual(
            (State.FAILED, "no"), (life.orders[0].state, life.orders[0].error)
        )

    def test_failed_build_never_passes_for_stopped(self):
        """What a failed build left behind stays in ERROR while it does not run."""
        life = fold(Life(), report(Kind.CREATE, JobStatus.ERROR, 2.0, error="no disk"))
        self.assertEqual(Status.ERROR, life.status)
        life = fold(life, report(Kind.START, JobStatus.SUCCESS, 3.0))
        self.assertEqual(Status.ACTIVE, life.status)
        life = fold(life, report(Kind.STOP, JobStatus.SUCCESS, 4.0))
        self.assertEqual((Status.ERROR, "no disk"), (life.status, life.fault.message))

    def test_never_comes_back(self):
        """Late news of a server that is gone does not bring it back."""
        life = fold(Life(), report(Kind.DELETE, JobStatus.SUCCESS, 5.0))
        life = fold(life, report(Kind.START, JobStatus.SUCCESS, 6.0))
        self.assertEqual(Status.DELETED, life.status)

    def test_removed_already(self):
        """A deletion that finds nothing to delete has done what was asked."""
        life = with_order(Life(), order(1, Kind.DELETE, state=State.SUBMITTED, job=9))
        life = fold(
            life,
            report(
                Kind.DELETE,
                JobStatus.ERROR,
                9.0,
                job=9,
                error="not known",
                error_code="unknown_entity",
            ),
        )
        self.assertEqual(Status.DELETED, life.status)
        self.assertEqual(State.DONE, life.orders[0].state)


class LevelTests(SynchronousTestCase):
    """Single listings."""

    def test_open_order(self):
        """While an order is open a listing decides nothing: its end will."""
        life = with_order(Life(), order(1, Kind.CREATE))
        self.assertEqual(life, level(life, Sighting(SERVER, 9.0, present=False)))

    def test_older_than_other_news(self):
        """A listing that was taken before the newest news changes nothing."""
        life = Life(observed=Observed.UP, clock=(10.0, 3))
        self.assertEqual(life, level(life, Sighting(SERVER, 9.0, True, False)))

    def test_nothing_new(self):
        """A listing that says what is known already changes nothing at all."""
        life = Life(observed=Observed.UP, clock=(1.0, 1))
        self.assertIs(life, level(life, Sighting(SERVER, 9.0, True, True)))

    def test_node_away(self):
        """Where the node does not answer the status is UNKNOWN, and comes back."""
        life = Life(observed=Observed.UP, clock=(1.0, 1))
        away = level(life, Sighting(SERVER, 9.0, True, None))
        self.assertEqual(Status.UNKNOWN, away.status)
        back = level(away, Sighting(SERVER, 19.0, True, True))
        self.assertEqual(Status.ACTIVE, back.status)

    def test_lost_build(self):
        """A build of which nothing is known and nothing is left is an ERROR."""
        life = with_order(Life(), order(1, Kind.CREATE, state=State.SUBMITTED, job=3))
        life = lose(life, life.orders[0])
        life = level(life, Sighting(SERVER, 9.0, present=False))
        self.assertEqual(Status.ERROR, life.status)
        self.assertEqual("The instance was never built", life.fault.message)

    def test_vanished(self):
        """An instance that somebody removed at Ganeti is deleted here too."""
        life = Life(observed=Observed.UP, clock=(1.0, 1))
        life = level(life, Sighting(SERVER, 9.0, present=False))
        self.assertEqual(Status.DELETED, life.status)
