"""Folding Ganeti's news into a server's life.

Pure, and levelled rather than edge-triggered: the same report twice, reports in
another order, or reports that never came end, after one levelling, in the same life.
What follows from which job is in the tables below (Cyclades: "effect of a final job
message on operstate").
"""

from attrs import evolve

from snf.core.order import End, Kind, Order, State
from snf.core.report import JobReport, JobStatus, ProgressReport, Sighting
from snf.core.server import Fault, Life, Observed
from snf.core.steps import advance

# What an op that succeeded makes of the instance; an absent one makes nothing.
_EFFECTS = {
    "OP_INSTANCE_CREATE": Observed.UP,
    "OP_INSTANCE_STARTUP": Observed.UP,
    "OP_INSTANCE_REBOOT": Observed.UP,
    "OP_INSTANCE_SHUTDOWN": Observed.DOWN,
    "OP_INSTANCE_REMOVE": Observed.GONE,
}


def fold(life: Life, report: JobReport) -> Life:
    """Return the life after one report of a job."""
    return advance(_folded(life, report), report.time)


def _folded(life: Life, report: JobReport) -> Life:
    if _duplicate(report):
        return evolve(
            life, orders=tuple(_unbound(order, report) for order in life.orders)
        )
    life = evolve(life, orders=tuple(_carried(order, report) for order in life.orders))
    if not report.status.final:
        return life
    if _removed_already(report):
        return _gone(life)
    life = _rebuilt(life, report)
    if report.status is JobStatus.SUCCESS:
        return _succeeded(life, report)
    return _failed(life, report)


def progress(life: Life, report: ProgressReport) -> Life:
    """Return the life after news of how much of the disk has been filled."""
    return evolve(life, progress=max(life.progress, min(100, max(0, report.percent))))


def level(life: Life, sighting: Sighting) -> Life:
    """
    Return the life after a listing of all instances.

    The final reports of the jobs behind open orders are to be folded in first; while
    an order is still open its end decides, and the listing changes nothing.  Nor does
    a listing that is older than other news.
    """
    if life.clock[0] > sighting.time:
        return life
    if life.observed is Observed.GONE and not sighting.present:
        return life
    if any(order.state.open for order in life.orders):
        return life
    if not sighting.present:
        return _vanished(life, sighting)
    observed = _SEEN[sighting.running]
    if observed is not life.observed:
        clock = max(life.clock, (sighting.time, 0))
        life = evolve(life, observed=observed, clock=clock)
    return advance(life, sighting.time)


_SEEN = {True: Observed.UP, False: Observed.DOWN, None: Observed.UNKNOWN}


def refuse(life: Life, order: Order, message: str, time: float) -> Life:
    """Return the life after Ganeti would not even take an order."""
    life = _replace(life, order.ended(message, end=End(time)))
    if order.kind is Kind.CREATE:
        return evolve(life, observed=Observed.DOWN, fault=Fault(message, time))
    return advance(life, time)


def lose(life: Life, order: Order) -> Life:
    """Return the life after the job of an order has vanished from Ganeti's memory.

    What became of it is for the next levelling to see.
    """
    ended = order.ended(f"Ganeti no longer knows job {order.job}")
    life = _replace(life, ended)
    if order.kind is Kind.DELETE:
        return life  # whether there is anything left to do is for the levelling, too
    return advance(life, life.clock[0], known=False)


def _replace(life: Life, changed: Order) -> Life:
    return evolve(
        life,
        orders=tuple(
            changed if order.id == changed.id else order for order in life.orders
        ),
    )


def _duplicate(report: JobReport) -> bool:
    """Whether it is the second create of an instance, refused because of the first.

    That happens when an answer was lost and the order was submitted again: the first
    job tells how the build goes.
    """
    return (
        report.opcode == "OP_INSTANCE_CREATE" and report.error_code == "already_exists"
    )


def _unbound(order: Order, report: JobReport) -> Order:
    """Return an order without its job, where that is the second create.

    Whoever carries it out then looks for the first one, and finds that there is none
    where the instance is somebody else's.
    """
    if order.state is State.SUBMITTED and order.job == report.job:
        return evolve(order, state=State.NEW, job=None)
    return order


def _removed_already(report: JobReport) -> bool:
    return (
        report.opcode == "OP_INSTANCE_REMOVE" and report.error_code == "unknown_entity"
    )


def _carried(order: Order, report: JobReport) -> Order:
    if order.job is None:
        if report.order != order.id:
            return order
    elif order.job != report.job:
        return order
    if order.state in (State.NEW, State.SUBMITTING):
        order = order.submitted(report.job)
    if not report.ends_job:
        return order
    end = End(report.time, report.hotplugged)
    if report.status is JobStatus.SUCCESS and order.kind is Kind.IMAGE:
        return order  # its node goes on with it, and tells how that ends
    if report.status is JobStatus.SUCCESS or _done_already(order, report):
        return order.ended(None, end=end)
    error = report.error or f"job {report.job} was {report.status.value}"
    return order.ended(error, end=None if _taken(order, report) else end)


def _taken(order: Order, report: JobReport) -> bool:
    """
    Whether the MAC address of what was to be made is in use already.

    It may be its own: then another job of the same order has made it.  The next
    levelling tells.
    """
    return order.kind is Kind.ATTACH and report.error_code == "resource_not_unique"


def _done_already(order: Order, report: JobReport) -> bool:
    """Whether a job has failed only because there was nothing left to do."""
    if order.kind is Kind.DETACH:
        # Neither of a NIC nor of an instance that is no more is anything left.
        return report.error_code == "unknown_entity"
    if order.kind is Kind.ATTACH:
        # The name is the port's own, so it is the one that was to be made.
        taken = report.error_code == "resource_not_unique"
        return taken and "NIC name" in (report.error or "")
    return _removed_already(report)


def _succeeded(life: Life, report: JobReport) -> Life:
    observed = _EFFECTS.get(report.opcode)
    if observed is None:
        return life
    if report.opcode == "OP_INSTANCE_CREATE":
        life = evolve(life, launched=report.time, progress=100)
    if observed is Observed.GONE:
        return _gone(life)
    if life.observed is not Observed.UP or report.opcode in _RESTARTS:
        life = evolve(life, restarted=max(life.restarted, report.time))
    return _observe(life, observed, report)


# After these a guest is another process, or none.  A start leaves one alone that runs.
_RESTARTS = frozenset({"OP_INSTANCE_REBOOT", "OP_INSTANCE_SHUTDOWN"})


def _failed(life: Life, report: JobReport) -> Life:
    if report.opcode != "OP_INSTANCE_CREATE":
        return life
    if report.status is JobStatus.CANCELED and life.deletion_asked:
        # Not failed: called off for the deletion, which now follows.
        return life
    message = _told(report.error) or f"The build was {report.status.value}"
    life = evolve(life, fault=Fault(message, report.time))
    return _observe(life, Observed.DOWN, report)


def _rebuilt(life: Life, report: JobReport) -> Life:
    """
    Return a life whose disk has been made anew, or has been spoiled, for an order.

    What an operator reinstalls is none of ours to judge.
    """
    for order in life.orders:
        if order.reinstall is None or order.job != report.job:
            continue
        reinstalled = report.opcode == "OP_INSTANCE_REINSTALL"
        if order.state is State.DONE or (reinstalled and _succeeds(report)):
            image = order.reinstall.image
            launched = max(life.launched or 0.0, report.time)
            return evolve(
                life, image=image, fault=None, launched=launched, progress=100
            )
        if reinstalled and not _untouched(report):
            message = report.error or "The disk could not be made anew"
            fault = Fault(message, report.time)
            return evolve(life, image=order.reinstall.image, fault=fault)
    return life


def _succeeds(report: JobReport) -> bool:
    return report.status is JobStatus.SUCCESS


def _untouched(report: JobReport) -> bool:
    """
    Whether an op that failed has certainly done nothing.

    It was canceled; or Ganeti has seen beforehand that it cannot be done, for which
    alone it has codes; or an op before it has failed (Ganeti lib/jqueue, _JobProcessor).
    """
    return (
        report.status is JobStatus.CANCELED
        or report.error_code is not None
        or report.error == "Preceding opcode failed"
    )


def _told(error: str | None) -> str | None:
    """Return what to tell users of a build that Ganeti has given up."""
    if error is not None and _TAGS in error:
        return (
            "No valid host was found. Machines were left out on which there are other "
            f"servers of the same server group. {error}"
        )
    return error


# What Ganeti's allocator says of nodes that the instance's tags forbid (htools, Types).
_TAGS = "FailTags"


def _observe(life: Life, observed: Observed, report: JobReport) -> Life:
    """Take in what was observed, unless it is gone or newer news is known."""
    clock = (report.time, report.job)
    if life.observed is Observed.GONE or clock <= life.clock:
        return life
    return evolve(life, observed=observed, clock=clock)


def _vanished(life: Life, sighting: Sighting) -> Life:
    fault = life.fault
    if life.observed is Observed.BUILD:
        fault = fault or Fault("The instance was never built", sighting.time)
    return _gone(evolve(life, fault=fault))


def _gone(life: Life) -> Life:
    """Return a life whose instance is no more: no clock, since no news can matter."""
    return evolve(life, observed=Observed.GONE, clock=(0.0, 0))
