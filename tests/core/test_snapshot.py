"""What becomes of a server of whose disk an image is made."""

from uuid import UUID

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from snf.core.naming import image_tags, of_images
from snf.core.news import fold, level, lose, refuse
from snf.core.order import Kind, Order, Snapshot, State
from snf.core.report import JobReport, JobStatus, Sighting
from snf.core.server import (
    Life,
    Observed,
    Status,
    Task,
    ask_to_delete,
    suspend,
    with_order,
)

JOB = 9
ORDER = Order(UUID(int=7), 7, Kind.IMAGE, snapshot=Snapshot(UUID(int=1)))
RUNS = Life(Observed.UP, launched=1.0)


def report(status: JobStatus) -> JobReport:
    return JobReport(
        server=7,
        job=JOB,
        opcode="OP_INSTANCE_SET_PARAMS",
        status=status,
        time=10.0,
        ends_job=status.final,
        order=ORDER.id,
        error="the hook failed" if status is JobStatus.ERROR else None,
    )


class SnapshotTests(SynchronousTestCase):
    """The life of the server."""

    def test_tasks(self) -> None:
        """What is under way has OpenStack's words; the status stays."""
        for order, task in (
            (ORDER, Task.IMAGE_SNAPSHOT),
            (evolve(ORDER, state=State.SUBMITTING), Task.IMAGE_SNAPSHOT),
            (ORDER.submitted(JOB), Task.IMAGE_PENDING_UPLOAD),
            (
                evolve(
                    ORDER.submitted(JOB), snapshot=Snapshot(UUID(int=1), uploading=True)
                ),
                Task.IMAGE_UPLOADING,
            ),
            (ORDER.ended(None), None),
        ):
            for observed, status in (
                (Observed.UP, Status.ACTIVE),
                (Observed.DOWN, Status.SHUTOFF),
            ):
                life = with_order(Life(observed), order)
                self.assertEqual((task, status), (life.task, life.status))

    def test_job_is_not_the_end(self) -> None:
        """Its job has only begun the image, in whatever order news of it comes."""
        asked = with_order(RUNS, ORDER)
        for reports in (
            [JobStatus.RUNNING, JobStatus.SUCCESS],
            [JobStatus.SUCCESS, JobStatus.RUNNING, JobStatus.SUCCESS],
        ):
            life = asked
            for status in reports:
                life = fold(life, report(status))
            [order] = life.orders
            self.assertEqual((State.SUBMITTED, JOB), (order.state, order.job))
            self.assertIs(Task.IMAGE_PENDING_UPLOAD, life.task)
            sighting = Sighting(7, 20.0, True, True)
            self.assertEqual(life, level(life, sighting))

    def test_job_fails(self) -> None:
        """A job that fails, is refused or lost ends it; the server is as it was."""
        asked = with_order(RUNS, ORDER)
        submitted = with_order(RUNS, ORDER.submitted(JOB))
        for life in (
            fold(submitted, report(JobStatus.ERROR)),
            fold(asked, report(JobStatus.CANCELED)),
            refuse(asked, ORDER, "no such instance", 5.0),
            lose(submitted, ORDER.submitted(JOB)),
        ):
            [order] = life.orders
            self.assertIs(State.FAILED, order.state)
            self.assertTrue(order.error)
            self.assertEqual((None, Status.ACTIVE), (life.task, life.status))
            self.assertIsNone(life.fault)

    def test_late_news(self) -> None:
        """What is told of its job afterwards changes nothing."""
        done = with_order(RUNS, ORDER.submitted(JOB).ended(None))
        for status in (JobStatus.ERROR, JobStatus.SUCCESS):
            self.assertEqual(done.orders, fold(done, report(status)).orders)

    def test_deleted(self) -> None:
        """A server that is deleted does not wait for its image."""
        delete = Order(UUID(int=8), 7, Kind.DELETE)
        life = ask_to_delete(with_order(RUNS, ORDER.submitted(JOB)), delete)
        image, last = life.orders
        self.assertEqual((State.FAILED, delete), (image.state, last))
        self.assertIs(Task.DELETING, life.task)

    def test_suspended(self) -> None:
        """Nor does the stop of one that is suspended; of one that is off there is none."""
        stop = Order(UUID(int=8), 7, Kind.STOP)
        for observed, follows in ((Observed.UP, [stop]), (Observed.DOWN, [])):
            life = with_order(evolve(RUNS, observed=observed), ORDER.submitted(JOB))
            image, *others = suspend(life, stop).orders
            self.assertEqual((State.FAILED, follows), (image.state, others))


class TagTests(SynchronousTestCase):
    """How nodes are told."""

    def test_tags(self) -> None:
        """They are ours, and Ganeti takes them."""
        tags = image_tags(ORDER.id, 1_795_000_000, "5e" * 32, "http://10.0.0.1:8774")
        self.assertEqual(tags, of_images([*tags, "other", "synnefo:network:0:x"]))
        self.assertLessEqual(max(map(len, tags)), 128)

    def test_not_taken(self) -> None:
        """A URL that Ganeti could not have as a tag is refused."""
        for url in ("http://a/?b", "http://" + "a" * 128, "http://ü"):
            self.assertRaises(
                ValueError, image_tags, ORDER.id, 1_795_000_000, "5e" * 32, url
            )
