"""A resize ends in one flavor or the other, whatever becomes of its steps."""

from uuid import UUID

from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from snf.core import steps
from snf.core.news import fold, level, lose, refuse
from snf.core.order import Kind, Order, Sizes
from snf.core.quota import Resource
from snf.core.report import JobReport, JobStatus, Sighting
from snf.core.resize import Phase, Resize
from snf.core.server import (
    Life,
    Observed,
    Status,
    Task,
    ask_to_delete,
    suspend,
    with_order,
)

SERVER = 7
OLD, NEW = UUID(int=0x01D), UUID(int=0x2E3)
SMALL = Sizes(1, 128, 1)
LARGE = Sizes(2, 512, 4)
SAME_DISK = Sizes(4, 64, 1)

_OPCODES = {
    Kind.REBOOT: "OP_INSTANCE_REBOOT",
    Kind.DELETE: "OP_INSTANCE_REMOVE",
    Kind.GROW: "OP_INSTANCE_GROW_DISK",
    Kind.MODIFY: "OP_INSTANCE_SET_PARAMS",
}


def resizing(new: Sizes = LARGE, up: bool = True) -> Life:
    """Return the life of a server whose resize has just been asked for."""
    observed = Observed.UP if up else Observed.DOWN
    resize = Resize(SERVER, Phase.GOING, OLD, NEW, SMALL, new, up, order=UUID(int=0x1))
    return steps.begin(Life(observed, flavor=OLD, clock=(1.0, 1)), resize)


def ended(life: Life, status: JobStatus = JobStatus.SUCCESS, time: float = 9.0) -> Life:
    """Return a life after its one open order has been carried out."""
    [order] = [one for one in life.orders if one.state.open]
    return fold(life, report(order, int(time), status, time))


def report(
    order: Order, job: int, status: JobStatus, time: float, **more: object
) -> JobReport:
    error = "boom" if status in (JobStatus.ERROR, JobStatus.CANCELED) else None
    return JobReport(
        server=order.server,
        job=job,
        opcode=_OPCODES[order.kind],
        status=status,
        time=time,
        ends_job=status.final,
        order=order.id,
        error=error,
    )


def kinds(life: Life) -> list[Kind]:
    return [order.kind for order in life.orders]


class GoingTests(SynchronousTestCase):
    """To the new flavor."""

    def test_all_steps(self):
        """The disk grows, the rest changes, the guest restarts; then it is its owner's word."""
        life = resizing()
        seen = []
        for time in (2.0, 3.0, 4.0):
            seen.append((life.status, life.task))
            life = ended(life, time=time)
        self.assertEqual(
            [
                (Status.RESIZE, Task.RESIZE_PREPARING),
                (Status.RESIZE, Task.RESIZE_PREPARING),
                (Status.RESIZE, Task.RESIZE_FINISHING),
            ],
            seen,
        )
        self.assertEqual([Kind.GROW, Kind.MODIFY, Kind.REBOOT], kinds(life))
        self.assertEqual((Status.VERIFY_RESIZE, None), (life.status, life.task))
        self.assertEqual((NEW, 4.0), (life.flavor, life.resize.since))

    def test_same_step(self):
        """Whoever takes a step, and however often, takes the same one."""
        life = resizing()
        self.assertEqual(ended(life), ended(life))

    def test_no_more_than_needed(self):
        """A disk that stays is left alone, and so is a server that is off."""
        life = ended(resizing(SAME_DISK, up=False))
        self.assertEqual([Kind.MODIFY], kinds(life))
        self.assertEqual(
            (Status.VERIFY_RESIZE, Observed.DOWN), (life.status, life.observed)
        )

    def test_under_way(self):
        """What Ganeti has begun shows as migrating, as clients know it."""
        life = resizing()
        [order] = life.orders
        life = fold(life, report(order, 2, JobStatus.RUNNING, 2.0))
        self.assertIs(Task.RESIZING, life.task)

    def test_too_little_memory(self):
        """What fails before anything was changed leaves the server as it was."""
        life = ended(resizing(SAME_DISK), JobStatus.ERROR)
        self.assertEqual((Status.ACTIVE, None), (life.status, life.task))
        self.assertEqual((OLD, None), (life.flavor, life.resize))

    def test_refused(self):
        """So does what Ganeti does not even take."""
        life = resizing()
        life = refuse(life, evolve(life.orders[0], attempts=1), "no", 3.0)
        self.assertEqual(
            (Status.ACTIVE, None, OLD), (life.status, life.resize, life.flavor)
        )

    def test_grown_only(self):
        """A disk that has grown stays so, and is remembered, when the rest fails."""
        life = ended(ended(resizing()), JobStatus.ERROR)
        self.assertEqual(
            (Status.ACTIVE, OLD, 4), (life.status, life.flavor, life.disk_gib)
        )

    def test_not_started(self):
        """A guest that does not start with the new sizes gets the old ones back."""
        life = ended(ended(resizing(SAME_DISK)), JobStatus.ERROR)
        self.assertEqual(
            (Status.RESIZE, Task.RESIZE_REVERTING), (life.status, life.task)
        )
        back = life.orders[-1]
        self.assertEqual(
            (Kind.MODIFY, SMALL, True), (back.kind, back.sizes, back.force)
        )
        life = ended(ended(life, time=10.0), time=11.0)
        self.assertEqual(
            [Kind.MODIFY, Kind.REBOOT, Kind.MODIFY, Kind.REBOOT], kinds(life)
        )
        self.assertEqual((Status.ACTIVE, OLD), (life.status, life.flavor))

    def test_lost(self):
        """Where nobody knows whether the sizes were changed, they are changed back."""
        life = resizing(SAME_DISK)
        life = lose(life, life.orders[0].submitted(2))
        self.assertEqual((Kind.MODIFY, SMALL), (kinds(life)[-1], life.orders[-1].sizes))
        life = ended(life)
        self.assertEqual((Status.ACTIVE, OLD), (life.status, life.flavor))


class EndTests(SynchronousTestCase):
    """What becomes of a server that has been resized."""

    def done(self, **how: object) -> Life:
        life = resizing(SAME_DISK, **how)
        while life.task is not None:
            life = ended(life)
        return life

    def test_confirmed(self):
        """It is as any other of the new flavor."""
        life = steps.confirm(self.done())
        self.assertEqual(
            (Status.ACTIVE, NEW, None), (life.status, life.flavor, life.resize)
        )

    def test_stopped_meanwhile(self):
        """An operator's stop is shown as one, and its owner's word is waited for."""
        life = suspend(self.done(), Order(UUID(int=0x57), SERVER, Kind.STOP))
        self.assertEqual(
            (Status.VERIFY_RESIZE, Task.STOPPING), (life.status, life.task)
        )
        life = suspend(resizing(), Order(UUID(int=0x57), SERVER, Kind.STOP))
        self.assertEqual((Status.RESIZE, Task.STOPPING), (life.status, life.task))

    def test_reverted(self):
        """It has the old flavor again when Ganeti has gone back."""
        life = steps.revert(self.done(), UUID(int=0x2))
        self.assertEqual(
            (Status.REVERT_RESIZE, Task.RESIZE_REVERTING, NEW),
            (life.status, life.task, life.flavor),
        )
        life = ended(ended(life, time=10.0), time=11.0)
        self.assertEqual((Status.ACTIVE, OLD), (life.status, life.flavor))

    def test_reverted_while_off(self):
        """One that is off stays off."""
        life = ended(steps.revert(self.done(up=False), UUID(int=0x2)))
        self.assertEqual((Status.SHUTOFF, OLD), (life.status, life.flavor))

    def test_reverted_unseen(self):
        """One whose node does not answer may run, and is restarted with the old sizes."""
        life = evolve(self.done(), observed=Observed.UNKNOWN)
        life = ended(steps.revert(life, UUID(int=0x2)), time=10.0)
        self.assertEqual(
            (Kind.REBOOT, Status.REVERT_RESIZE), (life.orders[-1].kind, life.status)
        )

    def test_not_reverted(self):
        """If Ganeti does not go back, it still waits for its owner's word."""
        life = ended(steps.revert(self.done(), UUID(int=0x2)), JobStatus.ERROR)
        self.assertEqual((Status.VERIFY_RESIZE, NEW), (life.status, life.flavor))

    def test_not_restarted(self):
        """If it only does not start again, it has the old flavor all the same."""
        life = ended(steps.revert(self.done(), UUID(int=0x2)))
        life = ended(life, JobStatus.ERROR)
        self.assertEqual((OLD, None), (life.flavor, life.resize))

    def test_deleted(self):
        """A deletion under way ends all steps; one that fails has them undone."""
        life = resizing(SAME_DISK)
        deletion = Order(UUID(int=0x3), SERVER, Kind.DELETE)
        life = ask_to_delete(life, deletion)
        self.assertEqual((Status.RESIZE, Task.DELETING), (life.status, life.task))
        self.assertEqual(Status.DELETED, ended(life).status)
        # The order that was called off is not loaded with the next news.
        life = evolve(life, orders=(deletion,))
        life = ended(life, JobStatus.ERROR)
        self.assertEqual([Kind.DELETE, Kind.MODIFY], kinds(life))
        while life.task is not None:
            life = ended(life, time=life.clock[0] + 20)
        self.assertEqual((Status.ACTIVE, OLD), (life.status, life.flavor))

    def test_left_behind(self):
        """A resize that waits for an order that ended long ago is undone."""
        life = evolve(resizing(), orders=())
        life = level(life, Sighting(SERVER, 9.0, True, True))
        self.assertEqual([Kind.MODIFY], kinds(life))
        self.assertEqual(life, level(life, Sighting(SERVER, 19.0, True, True)))


@define
class Node:
    """A model of Ganeti with the one instance, and of the news that it gives."""

    draw: object
    sizes: Sizes
    disk_gib: int
    live: Sizes | None
    now: float = 10.0
    job: int = 10
    reports: list[JobReport] = field(factory=list)
    grow_lost: bool = False
    restarted: bool = True
    deleted: bool = False
    wishes: int = 2

    def busy(self, life: Life) -> bool:
        """Whether something is under way, or waits for its owner's word."""
        return life.resize is not None or life.task is not None

    def happening(self, life: Life) -> Life:
        """Return a life after the next thing that Ganeti or its owner does."""
        under_way = [one for one in life.orders if one.state.open]
        wished = life.task is not Task.DELETING and self.draw(st.integers(0, 4)) == 0
        self.wishes += 1
        id = UUID(int=self.wishes)
        if wished and self.wishes < 20:
            return ask_to_delete(life, Order(id, SERVER, Kind.DELETE))
        if under_way:
            return self.carry_out(life, under_way[0])
        if self.draw(st.booleans()):
            return steps.confirm(life)
        return steps.revert(life, id)

    def carry_out(self, life: Life, order: Order) -> Life:
        """Return a life after an order, and after some of the news, in any order."""
        ends = ["success", "error", "canceled", "refused", "lost", "lost, but done"]
        # What only undoes something has nothing that it could fail of.
        end = "success" if order.force else self.draw(st.sampled_from(ends))
        if end == "refused":
            self._undone(order)
            return refuse(life, evolve(order, attempts=1), "no", self.now)
        self.job += 1
        order = order.submitted(self.job)
        life = with_order(life, order)
        self._tell(order, JobStatus.QUEUED)
        if end.startswith("lost"):
            self._effect(order) if "done" in end else self._undone(order)
            self.grow_lost |= order.kind is Kind.GROW
            life = self.hear(life)
            [known] = [one for one in life.orders if one.id == order.id]
            life = lose(life, known)
            seen = Sighting(SERVER, self.now, not self.deleted, self.live is not None)
            return level(life, seen)
        if end == "success":
            self._effect(order)
        else:
            self._undone(order)
        status = JobStatus(end)
        self._tell(order, JobStatus.RUNNING)
        self._tell(order, status)
        life = self.hear(life)
        return fold(life, self.reports[-1])

    def hear(self, life: Life) -> Life:
        """Return a life after any of the news so far, in any order."""
        for one in self.draw(st.lists(st.sampled_from(self.reports), max_size=8)):
            life = fold(life, one)
        return life

    def _tell(self, order: Order, status: JobStatus) -> None:
        self.now += 1
        self.reports.append(report(order, self.job, status, self.now))

    def _effect(self, order: Order) -> None:
        if order.kind is Kind.GROW:
            self.disk_gib = order.sizes.disk_gib
        elif order.kind is Kind.MODIFY:
            self.sizes = order.sizes
        elif order.kind is Kind.REBOOT:
            self.live, self.restarted = self.sizes, True
        else:
            self.deleted = True

    def _undone(self, order: Order) -> None:
        if order.kind is Kind.REBOOT:
            self.restarted = False
            if self.draw(st.booleans()):
                self.live = None


HELD = (Resource.CORES, Resource.RAM_MIB, Resource.DISK_GIB)


def amounts(sizes: Sizes) -> list[int]:
    return [sizes.vcpus, sizes.ram_mib, sizes.disk_gib]


class AnyEndTests(SynchronousTestCase):
    """Whatever becomes of each step, and whatever news of it arrives."""

    @settings(max_examples=400, deadline=None)
    @given(st.data(), st.booleans(), st.sampled_from([LARGE, SAME_DISK]))
    def test_one_flavor(self, data, up, new):
        """In the end Ganeti, the flavor and what is counted agree, and nothing is open."""
        life = resizing(new, up)
        node = Node(data.draw, SMALL, 1, SMALL if up else None)
        held = [max(both) for both in zip(amounts(SMALL), amounts(new), strict=True)]
        while not node.deleted and node.busy(life):
            before, life = life, node.happening(life)
            if before.resize is not None and life.resize is None:
                freed = before.resize.freed(life.flavor, life.disk_gib)
                held = [
                    had - freed[resource]
                    for had, resource in zip(held, HELD, strict=True)
                ]
            if data.draw(st.booleans()):
                # Orders that have ended are not loaded with the next news.
                left = tuple(one for one in life.orders if one.state.open)
                life = evolve(life, orders=left)
        if node.deleted:
            self.assertIs(Status.DELETED, life.status)
        else:
            self.check(life, node, new, held)

    def check(self, life: Life, node: Node, new: Sizes, held: list[int]) -> None:
        sizes = {OLD: SMALL, NEW: new}[life.flavor]
        self.assertIsNone(life.task)
        self.assertEqual(
            (sizes.vcpus, sizes.ram_mib), (node.sizes.vcpus, node.sizes.ram_mib)
        )
        if node.restarted and node.live is not None:
            self.assertEqual(sizes.ram_mib, node.live.ram_mib)
        disk = max(sizes.disk_gib, life.disk_gib or 0)
        self.assertEqual([sizes.vcpus, sizes.ram_mib, disk], held)
        if not node.grow_lost:
            self.assertEqual(disk, node.disk_gib)
        self.assertGreaterEqual(disk, node.disk_gib)
