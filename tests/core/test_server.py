"""What a server shows, and what may be done to it."""

from itertools import product
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from snf.core.errors import Conflict, Forbidden
from snf.core.order import MOVES, Kind, Order, State
from snf.core.server import (
    ALLOWED,
    Action,
    Fault,
    Life,
    Observed,
    Status,
    Task,
    ask_to_delete,
    permit,
    permit_owner,
    power_state,
    reset,
    suspend,
    vm_state,
    with_order,
)


def order(number: int, kind: Kind, **changes) -> Order:
    return Order(id=UUID(int=number), server=7, kind=kind, **changes)


class StatusTests(SynchronousTestCase):
    """The status follows from what was observed, the fault, and the open orders."""

    def test_by_what_was_observed(self):
        """Without a fault or a task, each observation has its status."""
        shown = {seen: Life(observed=seen).status for seen in Observed}
        self.assertEqual(
            {
                Observed.BUILD: Status.BUILD,
                Observed.UP: Status.ACTIVE,
                Observed.DOWN: Status.SHUTOFF,
                Observed.GONE: Status.DELETED,
                Observed.UNKNOWN: Status.UNKNOWN,
            },
            shown,
        )

    def test_rebooting(self):
        """A server that is being rebooted says so, and how."""
        life = Life(observed=Observed.UP)
        soft = with_order(life, order(1, Kind.REBOOT))
        hard = with_order(life, order(1, Kind.REBOOT, hard=True))
        self.assertEqual((Status.REBOOT, Task.REBOOTING), (soft.status, soft.task))
        self.assertEqual(
            (Status.HARD_REBOOT, Task.REBOOTING_HARD), (hard.status, hard.task)
        )

    def test_moving(self):
        """One that runs shows that it is moved; one that is stopped has the task."""
        for kind in MOVES:
            for observed, status in (
                (Observed.UP, Status.MIGRATING),
                (Observed.DOWN, Status.SHUTOFF),
                (Observed.UNKNOWN, Status.UNKNOWN),
            ):
                life = with_order(Life(observed=observed), order(1, kind))
                self.assertEqual((status, Task.MIGRATING), (life.status, life.task))

    def test_failed_build(self):
        """A failed build is an ERROR until its owner has it deleted."""
        fault = Fault("no", 1.0)
        for observed in (Observed.BUILD, Observed.DOWN, Observed.GONE):
            self.assertEqual(Status.ERROR, Life(observed, fault=fault).status)
        asked = Life(Observed.GONE, fault=fault, deletion_asked=True)
        self.assertEqual(Status.DELETED, asked.status)

    def test_task(self):
        """A deletion is the task, whatever else is open; ended orders are none."""
        life = with_order(Life(), order(1, Kind.CREATE, state=State.SUBMITTED))
        self.assertIs(Task.SPAWNING, life.task)
        life = with_order(life, order(2, Kind.DELETE))
        life = with_order(life, order(3, Kind.STOP))
        self.assertIs(Task.DELETING, life.task)
        for known in life.orders:
            life = with_order(life, known.ended(None))
        self.assertIsNone(life.task)

    def test_words(self):
        """Every status has OpenStack's inner words."""
        self.assertTrue(all(vm_state(status) for status in Status))
        self.assertEqual({0, 1, 4}, {power_state(seen) for seen in Observed})


# What can be asked for again and again, and does no harm.
_PLAIN = {
    Action.START,
    Action.STOP,
    Action.REBOOT,
    Action.REBOOT_HARD,
    Action.RENAME,
    Action.DELETE,
}


class PermitTests(SynchronousTestCase):
    """What may be done when."""

    def test_table(self):
        """What the table does not allow is a conflict that names the state."""
        for action, status in product(Action, Status):
            if status in ALLOWED[action]:
                permit(action, status, None, "it")
            else:
                failure = self.assertRaises(
                    Conflict, permit, action, status, None, "it"
                )
                self.assertIn(vm_state(status), str(failure))

    def test_dangerous(self):
        """What could destroy a disk or hide a loss is allowed where it cannot."""
        self.assertEqual(
            {
                # Two guests with one disk, where the first one's node is alive.
                Action.EVACUATE: {Status.UNKNOWN},
                Action.RESET: {Status.ERROR},
                Action.RESIZE: {Status.ACTIVE, Status.SHUTOFF},
                Action.CONFIRM_RESIZE: {Status.VERIFY_RESIZE},
                Action.REVERT_RESIZE: {Status.VERIFY_RESIZE},
                Action.MIGRATE: {Status.ACTIVE, Status.SHUTOFF},
                Action.MIGRATE_LIVE: {Status.ACTIVE},
                Action.RESTORE: set(),
                # Its disk is lost by it, as its owner wants.
                Action.REBUILD: {Status.ACTIVE, Status.SHUTOFF, Status.ERROR},
                Action.CHANGE_PASSWORD: set(),
                Action.CONSOLE: {
                    Status.ACTIVE,
                    Status.MIGRATING,
                    Status.VERIFY_RESIZE,
                },
                # Ganeti knows no guest otherwise whose NICs could change.
                Action.ATTACH: {Status.ACTIVE, Status.SHUTOFF},
                Action.DETACH: {Status.ACTIVE, Status.SHUTOFF},
            },
            {
                action: set(statuses)
                for action, statuses in ALLOWED.items()
                if action not in _PLAIN
            },
        )

    def test_during_tasks(self):
        """While something is under way, one may rename, delete, and look on."""
        for action in Action:
            if action in (Action.RENAME, Action.DELETE, Action.CONSOLE):
                permit(action, Status.ACTIVE, Task.REBOOTING, "it")
            else:
                self.assertRaises(
                    Conflict, permit, action, Status.ACTIVE, Task.REBOOTING, "it"
                )


class PermitOwnerTests(SynchronousTestCase):
    """What keeps owners from changing their servers."""

    def test_table(self):
        """A suspension is told before a lock."""
        for suspended, locked, refusal in (
            (True, True, Forbidden),
            (True, False, Forbidden),
            (False, True, Conflict),
        ):
            failure = self.assertRaises(refusal, permit_owner, suspended, locked, "it")
            self.assertIn("it", str(failure))
        permit_owner(False, False, "it")


class SuspendTests(SynchronousTestCase):
    """A suspended server comes to rest."""

    STOP = order(9, Kind.STOP)

    def test_running(self):
        """What runs, or may run, is stopped."""
        for observed in (Observed.UP, Observed.UNKNOWN, Observed.BUILD):
            life = suspend(Life(observed), self.STOP)
            self.assertEqual((self.STOP,), life.orders)

    def test_at_rest(self):
        """What is at rest already, or gone, has no order."""
        for life in (
            Life(Observed.DOWN),
            Life(Observed.DOWN, fault=Fault("x", 1.0)),
            Life(Observed.GONE, fault=Fault("x", 1.0)),
            Life(Observed.UP, orders=(order(1, Kind.DELETE),), deletion_asked=True),
        ):
            self.assertEqual(life, suspend(life, self.STOP))

    def test_under_way(self):
        """Whatever is under way, the stop comes after it."""
        for observed, kind in product(
            (Observed.UP, Observed.DOWN), (Kind.START, Kind.REBOOT, Kind.MIGRATE)
        ):
            under_way = order(1, kind, state=State.SUBMITTED, job=4)
            life = suspend(Life(observed, orders=(under_way,)), self.STOP)
            self.assertEqual((under_way, self.STOP), life.orders)


class ResetTests(SynchronousTestCase):
    """A fault that is forgotten."""

    def test_looked_at_anew(self):
        """Nothing may be done to it until Ganeti has said what it is."""
        for observed in Observed:
            life = reset(Life(observed, fault=Fault("x", 1.0), clock=(5.0, 2)))
            self.assertEqual((Status.BUILD, (5.0, 2)), (life.status, life.clock))


class AskToDeleteTests(SynchronousTestCase):
    """Deleting calls off what Ganeti has not heard of."""

    def test_unheard_build(self):
        """A server whose build was never sent is gone at once, without an order."""
        life = ask_to_delete(
            with_order(Life(), order(1, Kind.CREATE)), order(2, Kind.DELETE)
        )
        self.assertEqual(Status.DELETED, life.status)
        self.assertEqual([State.FAILED], [known.state for known in life.orders])

    def test_build_that_was_tried(self):
        """A build that may have been sent is not called off."""
        tried = order(1, Kind.CREATE, attempts=1)
        deletion = order(2, Kind.DELETE)
        life = ask_to_delete(with_order(Life(), tried), deletion)
        self.assertEqual((tried, deletion), life.orders)
        self.assertEqual((Status.BUILD, Task.DELETING), (life.status, life.task))

    def test_lost(self):
        """A server that Ganeti has lost is gone at once, without an order."""
        lost = Life(observed=Observed.GONE, fault=Fault("never built", 1.0))
        life = with_order(lost, order(1, Kind.START))
        self.assertEqual(Status.ERROR, life.status)
        life = ask_to_delete(life, order(2, Kind.DELETE))
        self.assertEqual(Status.DELETED, life.status)
        self.assertEqual([State.FAILED], [known.state for known in life.orders])

    def test_other_orders(self):
        """A stop that was never sent is called off, and the deletion ordered."""
        life = with_order(Life(observed=Observed.UP), order(1, Kind.STOP))
        life = ask_to_delete(life, order(2, Kind.DELETE))
        self.assertEqual(
            [State.FAILED, State.NEW], [known.state for known in life.orders]
        )
        self.assertTrue(life.deletion_asked)
