"""What becomes of a server whose disk is made anew, whatever becomes of the news."""

from uuid import UUID

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core.news import fold, level, refuse
from snf.core.order import Kind, Order, Reinstall, State
from snf.core.report import JobReport, JobStatus, Sighting, decisive
from snf.core.server import Fault, Life, Observed, Status, Task, with_order

OLD, NEW = UUID(int=1), UUID(int=2)
JOB = 9
OPS = ("OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_REINSTALL", "OP_INSTANCE_STARTUP")
RUNS = Life(Observed.UP, image=OLD, launched=1.0)
STOPPED = evolve(RUNS, observed=Observed.DOWN)


def order(start: bool = True, state: State = State.SUBMITTED) -> Order:
    job = JOB if state is State.SUBMITTED else None
    reinstall = Reinstall(NEW, "cyclades+default", start=start)
    return Order(UUID(int=7), 7, Kind.REBUILD, state, job, reinstall=reinstall)


def ended(
    start: bool = True,
    fails: int | None = None,
    error: str = "create exited with 1",
    code: str | None = None,
) -> list[JobReport]:
    """Return what is told of the ops of a job; from one on, they may have failed."""
    names = OPS if start else OPS[:2]
    statuses = [
        "success" if fails is None or at < fails else "error"
        for at, _ in enumerate(names)
    ]
    reports = []
    for at, (name, status) in enumerate(zip(names, statuses, strict=True)):
        failed = status == "error"
        text = error if at == fails else "Preceding opcode failed"
        reports.append(
            JobReport(
                server=7,
                job=JOB,
                opcode=name,
                status=JobStatus(status),
                time=10.0 + at,
                ends_job=at == decisive(statuses),
                order=order().id,
                error=text if failed else None,
                error_code=code if at == fails else None,
            )
        )
    return reports


def told(life: Life, reports: list[JobReport]) -> Life:
    for report in reports:
        life = fold(life, report)
    return life


class StatusTests(SynchronousTestCase):
    """While it goes on."""

    def test_under_way(self) -> None:
        """It shows REBUILD, whatever it was before, and how far it has come."""
        failed = evolve(STOPPED, fault=Fault("no", 1.0))
        for life in (RUNS, STOPPED, failed):
            new = with_order(life, order(state=State.NEW))
            self.assertEqual((Status.REBUILD, Task.REBUILDING), (new.status, new.task))
            sent = with_order(life, order())
            self.assertIs(Task.REBUILD_SPAWNING, sent.task)
            off = fold(sent, ended()[0])
            self.assertIs(Status.REBUILD, off.status)
            self.assertEqual(OLD, off.image)

    def test_deleted_meanwhile(self) -> None:
        """A deletion is what then shows."""
        life = with_order(RUNS, order())
        asked = with_order(life, Order(UUID(int=8), 7, Kind.DELETE))
        self.assertEqual(Task.DELETING, asked.task)


class EndTests(SynchronousTestCase):
    """How it ends."""

    def test_well(self) -> None:
        """It is of the new image, and runs if it did."""
        for before, start, status in (
            (RUNS, True, Status.ACTIVE),
            (STOPPED, False, Status.SHUTOFF),
            (evolve(STOPPED, fault=Fault("no", 1.0)), True, Status.ACTIVE),
        ):
            life = told(with_order(before, order(start)), ended(start))
            self.assertEqual((status, None), (life.status, life.task))
            self.assertEqual(NEW, life.image)
            self.assertIsNone(life.fault)
            self.assertGreater(life.launched or 0, 1.0)

    def test_not_installed(self) -> None:
        """A disk that was begun with and not finished is an ERROR, and says why."""
        life = told(with_order(RUNS, order()), ended(fails=1))
        self.assertIs(Status.ERROR, life.status)
        self.assertEqual("create exited with 1", life.fault and life.fault.message)
        self.assertEqual(NEW, life.image)
        again = told(with_order(life, order()), ended())
        self.assertIs(Status.ACTIVE, again.status)

    def test_disk_untouched(self) -> None:
        """One that Ganeti has not begun with is as it was, if stopped."""
        for fails, code, status in (
            (1, "wrong_state", Status.SHUTOFF),
            (0, None, Status.ACTIVE),
            (0, "unknown_entity", Status.ACTIVE),
        ):
            reports = ended(fails=fails, code=code)
            life = told(with_order(RUNS, order()), reports)
            self.assertEqual((status, OLD), (life.status, life.image))
            self.assertIsNone(life.fault)
            self.assertIs(State.FAILED, life.orders[0].state)

    def test_not_started(self) -> None:
        """A guest that does not come up is of the new image, and off."""
        life = told(with_order(RUNS, order()), ended(fails=2))
        self.assertEqual((Status.SHUTOFF, NEW), (life.status, life.image))
        self.assertIs(State.FAILED, life.orders[0].state)

    def test_refused(self) -> None:
        """What Ganeti does not even take leaves all as it was."""
        open_order = order(state=State.SUBMITTING)
        life = refuse(with_order(RUNS, open_order), open_order, "no", 5.0)
        self.assertEqual((Status.ACTIVE, OLD), (life.status, life.image))

    def test_somebody_elses(self) -> None:
        """What an operator reinstalls makes no difference but for its being off."""
        reports = [evolve(one, order=None, job=77) for one in ended(fails=1)]
        life = told(with_order(RUNS, order()), reports)
        self.assertEqual((None, OLD), (life.fault, life.image))
        self.assertIs(Status.REBUILD, life.status)

    @given(st.sampled_from([None, 0, 1, 2]), st.booleans(), st.data())
    def test_any_news(
        self, fails: int | None, start: bool, data: st.DataObject
    ) -> None:
        """Lost, repeated and reordered reports make no difference after a levelling."""
        if not start and fails == 2:
            fails = None
        reports = ended(start, fails)
        arrived = data.draw(st.lists(st.sampled_from(reports), max_size=8))
        runs = fails == 0 or (start and fails is None)
        seen = Sighting(7, 50.0, True, runs)
        life = with_order(RUNS, order(start))

        def levelled(life: Life) -> Life:
            return evolve(level(told(life, reports), seen), clock=(0.0, 0))

        self.assertEqual(levelled(life), levelled(told(life, arrived)))

    def test_decisive(self) -> None:
        """A job ends with the op that failed first, or with the last one."""
        for statuses, at in (
            (["success", "success", "success"], 2),
            (["success", "error", "error"], 1),
            (["canceled", "canceled"], 0),
            (["success", "running"], 1),
        ):
            self.assertEqual(at, decisive(statuses))
