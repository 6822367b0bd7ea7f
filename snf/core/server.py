"""A server: what is known of it, what it shows, and what may be done to it."""

from enum import Enum
from uuid import UUID

from attrs import evolve, field, frozen

from snf.core.errors import Conflict, Forbidden
from snf.core.order import MOVES, Kind, Order, State
from snf.core.resize import Phase, Resize


class Observed(Enum):
    """What Ganeti was last seen to make of the instance."""

    BUILD = "build"
    UP = "up"
    DOWN = "down"
    GONE = "gone"
    UNKNOWN = "unknown"


class Status(Enum):
    """What users see (OpenStack compute API, server status)."""

    BUILD = "BUILD"
    ACTIVE = "ACTIVE"
    SHUTOFF = "SHUTOFF"
    REBOOT = "REBOOT"
    HARD_REBOOT = "HARD_REBOOT"
    MIGRATING = "MIGRATING"
    ERROR = "ERROR"
    DELETED = "DELETED"
    UNKNOWN = "UNKNOWN"
    RESIZE = "RESIZE"
    VERIFY_RESIZE = "VERIFY_RESIZE"
    REVERT_RESIZE = "REVERT_RESIZE"
    REBUILD = "REBUILD"


class Task(Enum):
    """What is under way (``OS-EXT-STS:task_state``)."""

    SPAWNING = "spawning"
    STARTING = "powering-on"
    STOPPING = "powering-off"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting_hard"
    DELETING = "deleting"
    RESIZE_PREPARING = "resize_prep"
    RESIZING = "resize_migrating"
    RESIZE_FINISHING = "resize_finish"
    RESIZE_REVERTING = "resize_reverting"
    MIGRATING = "migrating"
    REBUILDING = "rebuilding"
    REBUILD_SPAWNING = "rebuild_spawning"


class Action(Enum):
    """What a user may ask of a server that exists."""

    START = "start"
    STOP = "stop"
    REBOOT = "reboot"
    REBOOT_HARD = "reboot (hard)"
    RENAME = "rename"
    DELETE = "delete"
    RESIZE = "resize"
    CONFIRM_RESIZE = "confirmResize"
    REVERT_RESIZE = "revertResize"
    ATTACH = "attach_interface"
    DETACH = "detach_interface"
    RESTORE = "restore"
    MIGRATE = "migrate"
    MIGRATE_LIVE = "os-migrateLive"
    EVACUATE = "evacuate"
    RESET = "os-resetState"
    REBUILD = "rebuild"
    CHANGE_PASSWORD = "changePassword"
    CONSOLE = "console"


@frozen
class Fault:
    """Why a server is in ERROR; ``time`` in seconds since the epoch."""

    message: str
    time: float
    code: int = 500


@frozen
class Life:
    """All that decides a server's status, and what follows from its news.

    ``orders`` are those still open, oldest first.  ``fault`` is why its build failed;
    it stays, so that the remains of a failed build never pass for a stopped server.
    ``deletion_asked`` is whether its owner has ever asked for it to be deleted.
    ``clock`` is the (time, job) of the newest news that has been taken in.
    ``restarted`` is when news that has just been taken in says that its guest was
    another process from then on, or none; it is not stored.
    ``flavor`` names what it is to be like; None leaves it as it is.  ``disk_gib`` is
    what its disk has grown to, where that may be more than its flavor says.  ``image``
    names what its disk has been made anew of; None is for as it is.
    """

    observed: Observed = Observed.BUILD
    orders: tuple[Order, ...] = ()
    fault: Fault | None = None
    deletion_asked: bool = False
    clock: tuple[float, int] = (0.0, 0)
    launched: float | None = None
    progress: int = 0
    resize: Resize | None = None
    flavor: UUID | None = None
    disk_gib: int | None = None
    image: UUID | None = None
    restarted: float = field(default=0.0, eq=False)

    @property
    def task(self) -> Task | None:
        """What is under way: the newest open order, a deletion before all others."""
        for order in reversed(self.orders):
            if order.state.open and order.kind is Kind.DELETE:
                return Task.DELETING
        for order in reversed(self.orders):
            if order.state.open and order.kind not in _QUIET:
                return _task(order, self.resize)
        return None

    @property
    def status(self) -> Status:
        """What users see."""
        if self.observed is Observed.GONE:
            if self.fault is not None and not self.deletion_asked:
                return Status.ERROR
            return Status.DELETED
        if self.resize is not None:
            return _RESIZES[self.resize.phase]
        if self.task in _REBUILDS:
            return Status.REBUILD
        if self.observed is Observed.UP:
            return _WHILE_UP.get(self.task, Status.ACTIVE)
        if self.fault is not None:
            return Status.ERROR
        return _PLAIN[self.observed]


# A server is as it was while its interfaces change, as Nova has it.
_QUIET = frozenset({Kind.ATTACH, Kind.DETACH, Kind.FIREWALL})

_REBUILDS = frozenset({Task.REBUILDING, Task.REBUILD_SPAWNING})

_WHILE_UP: dict[Task | None, Status] = {
    Task.REBOOTING: Status.REBOOT,
    Task.REBOOTING_HARD: Status.HARD_REBOOT,
    Task.MIGRATING: Status.MIGRATING,
}

_RESIZES = {
    Phase.GOING: Status.RESIZE,
    Phase.DONE: Status.VERIFY_RESIZE,
    Phase.RETURNING: Status.REVERT_RESIZE,
    Phase.FAILED: Status.RESIZE,
}

_PLAIN = {
    Observed.BUILD: Status.BUILD,
    Observed.DOWN: Status.SHUTOFF,
    Observed.UNKNOWN: Status.UNKNOWN,
}

# Who may do what when; an absent status means 409.  While a task is under way only
# RENAME, DELETE and CONSOLE are allowed, whatever it is.
ALLOWED: dict[Action, frozenset[Status]] = {
    Action.START: frozenset({Status.SHUTOFF}),
    Action.STOP: frozenset({Status.ACTIVE}),
    Action.REBOOT: frozenset({Status.ACTIVE}),
    Action.REBOOT_HARD: frozenset({Status.ACTIVE, Status.SHUTOFF, Status.UNKNOWN}),
    Action.RENAME: frozenset(Status) - {Status.DELETED},
    Action.DELETE: frozenset(Status) - {Status.DELETED},
    Action.RESIZE: frozenset({Status.ACTIVE, Status.SHUTOFF}),
    Action.CONFIRM_RESIZE: frozenset({Status.VERIFY_RESIZE}),
    Action.REVERT_RESIZE: frozenset({Status.VERIFY_RESIZE}),
    # nova/compute/api.py, attach_interface and detach_interface.
    Action.ATTACH: frozenset({Status.ACTIVE, Status.SHUTOFF}),
    Action.DETACH: frozenset({Status.ACTIVE, Status.SHUTOFF}),
    # What has been deleted is gone: there is nothing that could be restored.
    Action.RESTORE: frozenset(),
    Action.MIGRATE: frozenset({Status.ACTIVE, Status.SHUTOFF}),
    Action.MIGRATE_LIVE: frozenset({Status.ACTIVE}),
    # Only where the node does not answer: on one that does, Ganeti is to move it in
    # good order, and one guest must never run twice.
    Action.EVACUATE: frozenset({Status.UNKNOWN}),
    Action.RESET: frozenset({Status.ERROR}),
    # nova/compute/api.py, rebuild: also of one whose disk has not come to be.
    Action.REBUILD: frozenset({Status.ACTIVE, Status.SHUTOFF, Status.ERROR}),
    # No guest has an agent that could be told.
    Action.CHANGE_PASSWORD: frozenset(),
    # Where there is a guest that goes on running.
    Action.CONSOLE: frozenset({Status.ACTIVE, Status.MIGRATING, Status.VERIFY_RESIZE}),
}

_DURING_TASKS = frozenset({Action.RENAME, Action.DELETE, Action.CONSOLE})


def permit(action: Action, status: Status, task: Task | None, server: object) -> None:
    """
    Return if a server may be acted upon so now.

    :raises Conflict: Its status, or what is under way, forbids it.
    """
    if task is not None and action not in _DURING_TASKS:
        raise Conflict(
            f"Cannot '{action.value}' instance {server} while it is in task_state "
            f"{task.value}"
        )
    if status not in ALLOWED[action]:
        raise Conflict(
            f"Cannot '{action.value}' instance {server} while it is in vm_state "
            f"{vm_state(status)}"
        )


def permit_owner(suspended: bool, locked: bool, server: object) -> None:
    """
    Return if somebody who is no admin may change a server in any way.

    :param suspended: Whether an operator has taken it from its owner.
    :param locked: Whether somebody keeps it from being changed.
    :raises Forbidden: It is suspended.
    :raises Conflict: It is locked.
    """
    if suspended:
        raise Forbidden(f"Instance {server} has been suspended by an administrator")
    if locked:
        raise Conflict(f"Instance {server} is locked")


def vm_state(status: Status) -> str:
    """Return OpenStack's inner word for a status (``OS-EXT-STS:vm_state``)."""
    return _VM_STATES[status]


_VM_STATES = {
    Status.BUILD: "building",
    Status.ACTIVE: "active",
    Status.SHUTOFF: "stopped",
    Status.REBOOT: "active",
    Status.HARD_REBOOT: "active",
    Status.MIGRATING: "active",
    Status.ERROR: "error",
    Status.DELETED: "deleted",
    Status.UNKNOWN: "active",
    Status.RESIZE: "active",
    Status.VERIFY_RESIZE: "resized",
    Status.REVERT_RESIZE: "resized",
    Status.REBUILD: "active",
}


def power_state(observed: Observed) -> int:
    """Return OpenStack's number for it (nova/compute/power_state.py)."""
    return _POWER_STATES.get(observed, 0)


_POWER_STATES = {Observed.UP: 1, Observed.DOWN: 4}


def _task(order: Order, resize: Resize | None) -> Task:
    if resize is not None and order.id == resize.order:
        return _step(order, resize)
    if order.kind is Kind.REBOOT:
        return Task.REBOOTING_HARD if order.hard else Task.REBOOTING
    if order.kind in MOVES:
        return Task.MIGRATING
    if order.kind is Kind.REBUILD:
        waits = order.state is State.NEW
        return Task.REBUILDING if waits else Task.REBUILD_SPAWNING
    return {
        Kind.CREATE: Task.SPAWNING,
        Kind.START: Task.STARTING,
        Kind.STOP: Task.STOPPING,
        Kind.DELETE: Task.DELETING,
        Kind.GROW: Task.RESIZING,
        Kind.MODIFY: Task.RESIZING,
    }[order.kind]


def _step(order: Order, resize: Resize) -> Task:
    if resize.phase is not Phase.GOING:
        return Task.RESIZE_REVERTING
    if order.kind is Kind.REBOOT:
        return Task.RESIZE_FINISHING
    return Task.RESIZE_PREPARING if order.state is State.NEW else Task.RESIZING


def ask_to_delete(life: Life, order: Order) -> Life:
    """
    Return a life whose owner wants it to end, by a DELETE order.

    Orders that Ganeti has not heard of are called off.  When the build is one of them
    there is nothing to delete: the server is gone at once, and without the order.  So
    it is when Ganeti has lost the instance already.
    """
    called_off = [known for known in life.orders if known.untried]
    for known in called_off:
        life = with_order(life, known.ended("called off: the server is deleted"))
    unbuilt = any(known.kind is Kind.CREATE for known in called_off)
    if unbuilt or life.observed is Observed.GONE:
        return evolve(life, observed=Observed.GONE, deletion_asked=True)
    return with_order(life, order)


def suspend(life: Life, order: Order) -> Life:
    """
    Return a life that an operator wants to be at rest, by a STOP order.

    What is under way is let go on, and the stop follows it; there is none where the
    server is at rest, or about to be deleted.
    """
    if life.deletion_asked or life.observed is Observed.GONE:
        return life
    under_way = any(known.state.open for known in life.orders)
    if life.observed is Observed.DOWN and not under_way:
        return life
    return with_order(life, order)


def reset(life: Life) -> Life:
    """
    Return a life whose fault is forgotten, so that it is what Ganeti next says.

    Until then it counts as being built: a build that has left nothing behind is in
    ERROR again when Ganeti has been asked, and not taken for a deleted server.
    """
    return evolve(life, observed=Observed.BUILD, fault=None)


def with_order(life: Life, order: Order) -> Life:
    """Return a life in which an order has been added or has changed."""
    others = tuple(known for known in life.orders if known.id != order.id)
    if len(others) == len(life.orders):
        return evolve(
            life,
            orders=(*life.orders, order),
            deletion_asked=life.deletion_asked or order.kind is Kind.DELETE,
        )
    return evolve(
        life,
        orders=tuple(order if known.id == order.id else known for known in life.orders),
    )
