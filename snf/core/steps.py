"""What a resize does next, when the order that it waits for has ended.

Pure, and levelled as the rest of what follows from news: it looks at how things are,
not at what has just happened, so that the same news twice makes one next step.
"""

from uuid import UUID, uuid5

from attrs import evolve

from snf.core.order import Kind, Order, Sizes, State
from snf.core.resize import Phase, Resize
from snf.core.server import Life, Observed, with_order


def begin(life: Life, resize: Resize) -> Life:
    """Return a life whose resize begins, its first order being ``resize.order``."""
    grows = resize.new.disk_gib > resize.old.disk_gib
    kind = Kind.GROW if grows else Kind.MODIFY
    first = Order(resize.order, resize.server, kind, sizes=resize.new)
    return with_order(evolve(life, resize=resize), first)


def revert(life: Life, order: UUID) -> Life:
    """Return a life in DONE whose owner wants the old flavor back, by a new order."""
    assert life.resize is not None
    back = Order(order, life.resize.server, Kind.MODIFY, sizes=life.resize.old)
    resize = evolve(
        life.resize,
        phase=Phase.RETURNING,
        order=order,
        ran=life.observed is not Observed.DOWN,
    )
    return with_order(evolve(life, resize=resize), back)


def confirm(life: Life) -> Life:
    """Return a life in DONE whose owner keeps the new flavor."""
    return evolve(life, resize=None)


def advance(life: Life, time: float, known: bool = True) -> Life:
    """
    Return a life with the next order of its resize, or with the resize done or over.

    :param time: Of what has made the difference, in seconds since the epoch.
    :param known: Whether what became of its order is known; if not, Ganeti may have
        carried it out.
    """
    resize = life.resize
    if resize is None or resize.phase is Phase.DONE or life.observed is Observed.GONE:
        return life
    order = next((one for one in life.orders if one.id == resize.order), None)
    if order is not None and order.state.open:
        return life
    if order is not None and order.kind is Kind.GROW:
        life = _grown(life, resize, order, known)
    if any(one.kind is Kind.DELETE and one.state.open for one in life.orders):
        return life  # there is nothing to go on with, unless the deletion fails
    if order is None or (order.job is None and order.attempts == 0):
        # It ended, or was called off, for a deletion that has failed since.
        return _undo(life, resize, resize.ran)
    if order.state is State.DONE:
        return _succeeded(life, resize, order, time)
    return _failed(life, resize, order, known)


def _grown(life: Life, resize: Resize, order: Order, known: bool) -> Life:
    """Return a life with the size that the disk has now, or may have."""
    if order.state is State.FAILED and known:
        return life
    return evolve(life, disk_gib=resize.new.disk_gib)


def _succeeded(life: Life, resize: Resize, order: Order, time: float) -> Life:
    if order.kind is Kind.GROW:
        return _next(life, resize, Kind.MODIFY, resize.new)
    if order.kind is Kind.MODIFY and resize.ran:
        return _next(life, resize, Kind.REBOOT)
    if resize.phase is Phase.GOING:
        done = evolve(resize, phase=Phase.DONE, since=time)
        return evolve(life, resize=done, flavor=resize.new_flavor)
    return _over(life, resize)


def _failed(life: Life, resize: Resize, order: Order, known: bool) -> Life:
    if resize.phase is Phase.FAILED:
        if order.kind is Kind.MODIFY and resize.ran:
            return _next(life, resize, Kind.REBOOT)
        return _over(life, resize)
    if order.kind is Kind.REBOOT:
        if resize.phase is Phase.RETURNING:
            return _over(life, resize)  # Ganeti has the old sizes already
        return _undo(life, resize, resize.ran)
    if order.kind is Kind.MODIFY and not known:
        # A guest that was not restarted yet still has the old ones.
        restart = resize.ran and resize.phase is Phase.RETURNING
        return _undo(life, resize, restart)
    if resize.phase is Phase.RETURNING:
        return evolve(life, resize=evolve(resize, phase=Phase.DONE))
    return _over(life, resize)


def _undo(life: Life, resize: Resize, ran: bool) -> Life:
    """Have Ganeti go back to the old sizes, whatever it has now."""
    resize = evolve(resize, phase=Phase.FAILED, ran=ran)
    return _next(life, resize, Kind.MODIFY, resize.old, force=True)


def _over(life: Life, resize: Resize) -> Life:
    return evolve(life, resize=None, flavor=resize.old_flavor)


def _next(
    life: Life,
    resize: Resize,
    kind: Kind,
    sizes: Sizes | None = None,
    force: bool = False,
) -> Life:
    # The same step of the same resize has the same id, whoever takes it.
    step = uuid5(resize.order, f"{resize.phase.value} {kind.value}")
    order = Order(
        step, resize.server, kind, sizes=sizes, force=force, follows=resize.order
    )
    return with_order(evolve(life, resize=evolve(resize, order=step)), order)
